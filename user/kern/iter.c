/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/iter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

static int read_to_end(int fd)
{
	char buf[64];
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

int st_iter__run(struct bpf_object *obj, const char *name, const struct bpf_iter_attach_opts *opts)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, name);
	struct bpf_link *link;
	int fd, err = -ENOENT;

	if (!prog || !bpf_program__autoload(prog))
		return err;
	link = bpf_program__attach_iter(prog, opts);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd >= 0) {
		err = read_to_end(fd);
		close(fd);
	}
	bpf_link__destroy(link);
	return err;
}
