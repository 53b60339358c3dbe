/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A jar's manifest: zip by PKWARE's APPNOTE (4.3), the manifest by the JAR file specification. */
#include "meta/version.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zlib.h>

#include "meta/files.h"
#include "meta/text.h"

#define END_SZ		22u
#define CENTRAL_SZ	46u
#define LOCAL_SZ	30u
#define TAIL_MAX	(END_SZ + 65535u) /* the archive's comment is at most that long */
#define DIRECTORY_MAX	(4u << 20)	  /* some 50,000 entries */
#define MANIFEST_MAX	(64u << 10)

#define METHOD_STORED	0
#define METHOD_DEFLATED 8

struct entry {
	uint16_t method;
	uint32_t packed_sz, sz, local_off;
};

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

/* Finds the end record in a file's tail; *dir_off is where the directory lies, by *base more when
 * something was put in front of the archive (a start script).
 */
static int find_end(const uint8_t *tail, size_t n, uint64_t tail_off, uint64_t *dir_off,
		    uint32_t *dir_sz, uint64_t *base)
{
	for (size_t i = n - END_SZ + 1; i-- > 0;) {
		const uint8_t *p = tail + i;
		uint64_t end = tail_off + i;

		if (memcmp(p, "PK\5\6", 4) || le16(p + 20) != n - i - END_SZ)
			continue;
		*dir_sz = le32(p + 12);
		*dir_off = le32(p + 16);
		if (*dir_off + *dir_sz > end)
			return -EINVAL;
		*base = end - *dir_off - *dir_sz;
		*dir_off += *base;
		return 0;
	}
	return -EINVAL;
}

static int find_directory(int fd, uint64_t *dir_off, uint32_t *dir_sz, uint64_t *base)
{
	struct stat st;
	uint8_t *tail;
	size_t n;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < (off_t)END_SZ)
		return -EINVAL;
	n = (uint64_t)st.st_size < TAIL_MAX ? (size_t)st.st_size : TAIL_MAX;
	tail = malloc(n);
	if (!tail)
		return -ENOMEM;
	err = st_files__pread(fd, tail, n, (uint64_t)st.st_size - n);
	if (!err)
		err = find_end(tail, n, (uint64_t)st.st_size - n, dir_off, dir_sz, base);
	free(tail);
	return err;
}

static int find_entry(const uint8_t *p, size_t n, const char *name, struct entry *out)
{
	size_t name_sz = strlen(name);

	while (n >= CENTRAL_SZ && !memcmp(p, "PK\1\2", 4)) {
		size_t len = le16(p + 28);
		size_t all = CENTRAL_SZ + len + le16(p + 30) + le16(p + 32);

		if (all > n)
			return -EINVAL;
		if (len == name_sz && !memcmp(p + CENTRAL_SZ, name, len)) {
			*out = (struct entry){le16(p + 10), le32(p + 20), le32(p + 24),
					      le32(p + 42)};
			return 0;
		}
		p += all;
		n -= all;
	}
	return -ENOENT;
}

/* Raw deflate; as much as out holds. Returns the count or -EINVAL. */
static long unpack(const uint8_t *in, size_t in_sz, char *out, size_t out_sz)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
		      .avail_in = (uInt)in_sz,
		      .next_out = (uint8_t *)out,
		      .avail_out = (uInt)out_sz};
	int rc;

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return -ENOMEM;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return -EINVAL;
	return (long)(out_sz - z.avail_out);
}

static int read_entry(int fd, const struct entry *e, uint64_t base, struct st_jar_info *out)
{
	size_t packed_sz = e->packed_sz < MANIFEST_MAX ? e->packed_sz : MANIFEST_MAX;
	uint64_t off = base + e->local_off;
	uint8_t local[LOCAL_SZ], *packed;
	char *text;
	long n;
	int err = st_files__pread(fd, local, sizeof(local), off);

	if (err)
		return err;
	if (memcmp(local, "PK\3\4", 4))
		return -EINVAL;
	packed = malloc(packed_sz + 1);
	text = malloc(MANIFEST_MAX);
	err = packed && text ? st_files__pread(fd, packed, packed_sz,
					       off + LOCAL_SZ + le16(local + 26) + le16(local + 28))
			     : -ENOMEM;
	if (!err && e->method == METHOD_STORED) {
		st_version__manifest(st_str((char *)packed, packed_sz), out);
	} else if (!err && e->method == METHOD_DEFLATED) {
		n = unpack(packed, packed_sz, text, MANIFEST_MAX);
		if (n < 0)
			err = (int)n;
		else
			st_version__manifest(st_str(text, (size_t)n), out);
	} else if (!err) {
		err = -EINVAL;
	}
	free(packed);
	free(text);
	return err;
}

int st_version__jar(int fd, struct st_jar_info *out)
{
	uint64_t dir_off = 0, base = 0;
	uint32_t dir_sz = 0;
	struct entry e;
	uint8_t *dir;
	int err = find_directory(fd, &dir_off, &dir_sz, &base);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	if (dir_sz > DIRECTORY_MAX)
		return -EFBIG;
	dir = malloc((size_t)dir_sz + 1);
	if (!dir)
		return -ENOMEM;
	err = st_files__pread(fd, dir, dir_sz, dir_off);
	if (!err)
		err = find_entry(dir, dir_sz, "META-INF/MANIFEST.MF", &e);
	if (!err)
		err = read_entry(fd, &e, base, out);
	free(dir);
	return err;
}

/* Attribute names are compared without case (JAR file specification, "Name-Value pairs"). */
static bool named(struct st_str line, const char *name, struct st_str *value)
{
	size_t n = strlen(name);

	if (line.len <= n || line.p[n] != ':' || strncasecmp(line.p, name, n))
		return false;
	*value = st_text__trim(st_text__skip(line, (uint32_t)n + 1));
	return true;
}

/* The next line without its end; *text goes on behind it. */
static struct st_str next_line(struct st_str *text)
{
	struct st_str line = st_text__until(*text, '\n');

	*text = st_text__skip(*text, line.len + 1);
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

void st_version__manifest(struct st_str text, struct st_jar_info *out)
{
	char whole[512], bundle[sizeof(out->version)] = "";
	struct st_str line, v;

	while (text.len) {
		size_t n = 0;

		line = next_line(&text);
		if (!line.len)
			break; /* the main section ends at an empty line */
		do {
			size_t room = sizeof(whole) - n;
			size_t put = line.len < room ? line.len : room;

			memcpy(whole + n, line.p, put);
			n += put;
			/* A line of 72 bytes goes on in the next, behind a blank. */
			if (!text.len || *text.p != ' ')
				break;
			line = st_text__skip(next_line(&text), 1);
		} while (true);
		line = st_str(whole, n);
		if (named(line, "Implementation-Version", &v))
			st_text__clean(out->version, sizeof(out->version), v);
		else if (named(line, "Implementation-Title", &v))
			st_text__clean(out->title, sizeof(out->title), v);
		else if (named(line, "Bundle-Version", &v))
			st_text__clean(bundle, sizeof(bundle), v);
	}
	if (!out->version[0])
		memcpy(out->version, bundle, sizeof(bundle));
}
