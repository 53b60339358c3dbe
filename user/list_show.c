/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "list_show.h"

#include <stdio.h>

#include "meta/text.h"

/* ---- what is not seen ---- */

typedef bool (*reason_fn)(const struct st_list_item *it, char *text, size_t text_sz);

static bool is_language(const struct st_list_item *it, const char *word)
{
	const char *language = it->proc->service.language;

	return language && !strcmp(language, word);
}

/* Encryption that a runtime brings along, which no library shows. */
static const char *own_tls(const struct st_list_item *it)
{
	if (is_language(it, "go"))
		return "Go's own (crypto/tls)";
	if (is_language(it, "java"))
		return "Java's own (JSSE)";
	if (is_language(it, "nodejs"))
		return "the one in node";
	if (is_language(it, "rust"))
		return "one compiled in (rustls or another)";
	return NULL;
}

static bool tls(const struct st_list_item *it, char *text, size_t text_sz)
{
	const struct st_lib *lib = st_inspect__first(&it->in, ST_LIB_TLS);
	const char *own = own_tls(it);

	if (lib)
		snprintf(text, text_sz,
			 "%s (%s) is loaded. Encrypted connections: bytes, times and connects are "
			 "seen, requests are not yet visible.",
			 lib->what, lib->file);
	else if (own)
		snprintf(
			text, text_sz,
			"Where it encrypts by %s: bytes, times and connects are seen, requests are "
			"not yet visible.",
			own);
	return lib || own;
}

static bool other_protocols(const struct st_list_item *it, char *text, size_t text_sz)
{
	const struct st_lib *lib = st_inspect__first(&it->in, ST_LIB_PROTOCOL);

	if (lib)
		snprintf(text, text_sz,
			 "It can speak %s (%s). Of protocols other than HTTP/1.x and FastCGI only "
			 "bytes and connects are seen.",
			 lib->what, lib->file);
	return lib != NULL;
}

static bool io_uring(const struct st_list_item *it, char *text, size_t text_sz)
{
	if (it->in.io_uring_cnt)
		snprintf(
			text, text_sz,
			"io_uring is in use (rings: %u). Where this kernel's hooks do not show what "
			"it receives, that is counted as not readable ('spantap check' says).",
			it->in.io_uring_cnt);
	return it->in.io_uring_cnt > 0;
}

static bool udp(const struct st_list_item *it, char *text, size_t text_sz)
{
	if (it->in.udp_cnt)
		snprintf(text, text_sz,
			 "UDP sockets: %u (one on port %u). QUIC, HTTP/3, DNS and others over "
			 "UDP are not traced.",
			 it->in.udp_cnt, it->in.udp_port);
	return it->in.udp_cnt > 0;
}

static bool narrow(const struct st_list_item *it, char *text, size_t text_sz)
{
	if (it->proc->elf.is_32bit)
		snprintf(text, text_sz,
			 "A 32-bit program: what it receives is counted as not readable where the "
			 "tracepoints are used ('spantap check' says).");
	return it->proc->elf.is_32bit;
}

static bool unreadable(const struct st_list_item *it, char *text, size_t text_sz)
{
	if (!it->in.fds_readable)
		snprintf(text, text_sz,
			 "Its sockets and libraries may not be looked at: that needs root, or "
			 "CAP_SYS_PTRACE.");
	return !it->in.fds_readable;
}

static bool no_sockets(const struct st_list_item *it, char *text, size_t text_sz)
{
	const struct st_inspect *in = &it->in;

	if (!in->fds_readable || in->listen_cnt || in->tcp_cnt || in->unix_cnt)
		return false;
	snprintf(text, text_sz,
		 "It has no TCP or Unix stream socket now; its children and what it opens later "
		 "are seen.");
	return true;
}

static const struct {
	const char *name;
	reason_fn fn;
} reasons[] = {
	{"access", unreadable}, {"sockets", no_sockets},
	{"tls", tls},		{"protocol", other_protocols},
	{"io_uring", io_uring}, {"udp", udp},
	{"32bit", narrow},
};

bool st_list_show__unseen(const struct st_list_item *it, uint32_t n, const char **name, char *text,
			  size_t text_sz)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (!reasons[i].fn(it, text, text_sz) || n--)
			continue;
		*name = reasons[i].name;
		return true;
	}
	return false;
}

/* ---- a row ---- */

#define SERVICE_COLUMN 9u
#define RUNTIME_COLUMN 30u
#define PORTS_COLUMN   43u
#define SEEN_COLUMN    57u

void st_list_show__heads(struct st_buf *b)
{
	st_buf__puts(b, "     PID");
	st_show__to(b, SERVICE_COLUMN);
	st_buf__puts(b, "SERVICE");
	st_show__to(b, RUNTIME_COLUMN);
	st_buf__puts(b, "RUNTIME");
	st_show__to(b, PORTS_COLUMN);
	st_buf__puts(b, "LISTENS");
	st_show__to(b, SEEN_COLUMN);
	st_buf__puts(b, "SEEN\n");
}

/* "go 1.22.1", "python 3.11", "" */
static void runtime_text(const struct st_process *p, char *out, size_t out_sz)
{
	const char *version = p->runtime_version;

	if (!strncmp(version, "go", 2))
		version += 2;
	snprintf(out, out_sz, "%s%s%s", p->service.language ? p->service.language : "",
		 *version ? " " : "", version);
}

/* "80,443", "unix" or "-"; a port that is open for IPv4 and IPv6 stands once. */
static void ports_text(const struct st_inspect *in, char *out, size_t out_sz)
{
	size_t n = 0;
	bool has_unix = false;

	for (uint32_t i = 0; i < in->listen_cnt && n + 8 < out_sz; i++) {
		bool twice = false;

		has_unix |= in->listen[i].kind == ST_SOCKET_UNIX;
		for (uint32_t k = 0; k < i; k++)
			twice |= in->listen[k].kind == ST_SOCKET_TCP &&
				 in->listen[k].port == in->listen[i].port;
		if (in->listen[i].kind == ST_SOCKET_TCP && !twice)
			n += (size_t)snprintf(out + n, out_sz - n, "%s%u", n ? "," : "",
					      in->listen[i].port);
	}
	if (!n)
		snprintf(out, out_sz, "%s", has_unix ? "unix" : "-");
}

static const char *seen_text(const struct st_list_item *it)
{
	if (it->proc->elf.is_32bit)
		return "in part: 32-bit";
	if (st_inspect__first(&it->in, ST_LIB_TLS) || own_tls(it))
		return "plain HTTP; TLS not yet";
	return "plain HTTP";
}

static void put_name(struct st_buf *b, size_t width, struct st_str name)
{
	char text[ST_SERVICE_MAX + 1];

	st_text__clean(text, sizeof(text), name);
	st_show__cut(b, width, text);
}

void st_list_show__row(struct st_buf *b, const struct st_list_item *it)
{
	char runtime[64], ports[256];

	runtime_text(it->proc, runtime, sizeof(runtime));
	ports_text(&it->in, ports, sizeof(ports));
	st_buf__printf(b, "%8d", it->in.pid);
	st_show__to(b, SERVICE_COLUMN);
	put_name(b, RUNTIME_COLUMN - SERVICE_COLUMN - 1, it->service);
	st_show__to(b, RUNTIME_COLUMN);
	st_show__cut(b, PORTS_COLUMN - RUNTIME_COLUMN - 1, *runtime ? runtime : "-");
	st_show__to(b, PORTS_COLUMN);
	st_show__cut(b, SEEN_COLUMN - PORTS_COLUMN - 1, ports);
	st_show__to(b, SEEN_COLUMN);
	if (it->chief)
		st_buf__printf(b, "with -p %d", it->chief);
	else
		st_buf__puts(b, seen_text(it));
	st_buf__putc(b, '\n');
}

/* ---- a page ---- */

#define TEXT_COLUMN 14u

static void put_field(struct st_buf *b, const char *name, const char *text)
{
	if (!*text)
		return;
	st_buf__printf(b, "  %s", name);
	st_show__to(b, TEXT_COLUMN);
	st_show__wrap(b, TEXT_COLUMN, text);
	st_buf__putc(b, '\n');
}

static void put_program(struct st_buf *b, const struct st_list_item *it)
{
	const struct st_process *p = it->proc;
	char text[ST_ARTIFACT_MAX + 64], exe[ST_ARTIFACT_MAX];

	st_text__clean(exe, sizeof(exe), st_str_of(p->exe));
	snprintf(text, sizeof(text), "%s%s", exe,
		 p->exe_deleted ? " (its file was replaced or deleted)" : "");
	put_field(b, "program", text);
	runtime_text(p, text, sizeof(text));
	put_field(b, "runtime", text);
	put_field(b, "version", p->version);
	put_field(b, "container", p->container);
}

static void put_place(struct st_buf *b, const struct st_list_item *it)
{
	const struct st_inspect *in = &it->in;
	char text[160];

	snprintf(text, sizeof(text), "%d thread%s, parent %d", in->thread_cnt,
		 in->thread_cnt == 1 ? "" : "s", it->proc->ppid);
	put_field(b, "process", text);
	if (in->other_pidns) {
		snprintf(text, sizeof(text),
			 "own process namespace, where it is number %d: traced all the same; -p "
			 "takes the number above",
			 in->ns_pid);
		put_field(b, "namespaces", text);
	}
	if (in->other_netns)
		put_field(b, "namespaces", "own network namespace: traced all the same");
}

static void put_sockets(struct st_buf *b, const struct st_list_item *it)
{
	const struct st_inspect *in = &it->in;
	char text[160];

	for (uint32_t i = 0; i < in->listen_cnt; i++) {
		st_socket__name(&in->listen[i], text, sizeof(text));
		put_field(b, i ? "" : "listens", text);
	}
	snprintf(text, sizeof(text), "%u TCP, %u Unix, %u UDP", in->tcp_cnt, in->unix_cnt,
		 in->udp_cnt);
	if (in->fds_readable)
		put_field(b, "sockets", text);
}

static void put_libs(struct st_buf *b, const struct st_inspect *in)
{
	char text[128];

	for (uint32_t i = 0; i < in->lib_cnt; i++) {
		snprintf(text, sizeof(text), "%s (%s)", in->libs[i].file, in->libs[i].what);
		put_field(b, i ? "" : "libraries", text);
	}
}

void st_list_show__page(struct st_buf *b, const struct st_list_item *it)
{
	const char *name;
	char text[512], service[ST_SERVICE_MAX + 1];

	st_text__clean(service, sizeof(service), it->service);
	st_buf__printf(b, "%s%d\n", b->len ? "\n" : "", it->in.pid);
	snprintf(text, sizeof(text), "%s (by %s)", service, st_service__source_name(it->source));
	put_field(b, "service", text);
	put_program(b, it);
	put_place(b, it);
	put_sockets(b, it);
	put_libs(b, &it->in);
	put_field(
		b, "SEEN",
		"HTTP/1.x and FastCGI without encryption over TCP and Unix sockets, served and requested, on "
		"old connections from their next byte on");
	put_field(b, "PARENTS", st_list_show__parents(it));
	for (uint32_t i = 0; st_list_show__unseen(it, i, &name, text, sizeof(text)); i++)
		put_field(b, i ? "" : "NOT SEEN", text);
}

/* ---- JSON ---- */

static void json_int(struct st_buf *b, const char *key, int64_t v)
{
	st_show__json_key(b, key);
	st_buf__printf(b, "%lld", (long long)v);
}

static void json_listens(struct st_buf *b, const struct st_inspect *in)
{
	char text[160];

	st_show__json_key(b, "listens");
	st_buf__putc(b, '[');
	for (uint32_t i = 0; i < in->listen_cnt; i++) {
		if (i)
			st_buf__putc(b, ',');
		st_socket__name(&in->listen[i], text, sizeof(text));
		st_show__json(b, st_str_of(text));
	}
	st_buf__putc(b, ']');
}

static void json_libs(struct st_buf *b, const struct st_inspect *in)
{
	static const char *const kinds[] = {"", "tls", "runtime", "protocol"};

	st_show__json_key(b, "libraries");
	st_buf__putc(b, '[');
	for (uint32_t i = 0; i < in->lib_cnt; i++) {
		st_buf__puts(b, i ? ",{" : "{");
		st_show__json_pair(b, "file", in->libs[i].file);
		st_show__json_pair(b, "what", in->libs[i].what);
		st_show__json_pair(b, "kind", kinds[in->libs[i].kind]);
		st_buf__putc(b, '}');
	}
	st_buf__putc(b, ']');
}

static void json_unseen(struct st_buf *b, const struct st_list_item *it)
{
	const char *name;
	char text[512];

	st_show__json_key(b, "not_seen");
	st_buf__putc(b, '[');
	for (uint32_t i = 0; st_list_show__unseen(it, i, &name, text, sizeof(text)); i++) {
		st_buf__puts(b, i ? ",{" : "{");
		st_show__json_pair(b, "name", name);
		st_show__json_pair(b, "text", text);
		st_buf__putc(b, '}');
	}
	st_buf__putc(b, ']');
}

void st_list_show__json(struct st_buf *b, const struct st_list_item *it, bool comma)
{
	const struct st_process *p = it->proc;
	const struct st_inspect *in = &it->in;

	st_buf__puts(b, comma ? ",{" : "{");
	json_int(b, "pid", in->pid);
	json_int(b, "parent_pid", p->ppid);
	st_show__json_key(b, "service");
	st_show__json(b, it->service);
	st_show__json_pair(b, "service_by", st_service__source_name(it->source));
	st_show__json_pair(b, "executable", p->exe);
	st_show__json_pair(b, "language", p->service.language ? p->service.language : "");
	st_show__json_pair(b, "runtime_version", p->runtime_version);
	st_show__json_pair(b, "parents", st_list_show__parents(it));
	st_show__json_pair(b, "version", p->version);
	st_show__json_pair(b, "container_id", p->container);
	json_int(b, "threads", in->thread_cnt);
	json_int(b, "namespace_pid", in->ns_pid);
	json_int(b, "tcp", in->tcp_cnt);
	json_int(b, "unix", in->unix_cnt);
	json_int(b, "udp", in->udp_cnt);
	json_int(b, "io_uring", in->io_uring_cnt);
	json_listens(b, in);
	json_libs(b, in);
	json_unseen(b, it);
	st_buf__putc(b, '}');
}
