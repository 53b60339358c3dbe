// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Says which of the ladder's hooks this kernel takes: each program of
 * hooks.bpf.o is loaded and attached by itself, then bytes are sent through a
 * loopback TCP connection and the hook must have counted them.
 *
 * usage: hooks FILE.bpf.o
 * prints per hook: NAME SECTION yes COUNT | NAME SECTION no STEP: REASON
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define ST_HOOKS_MAX 16

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

/* The listener's port, or -errno. */
static int listen_local(int *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t addr_sz = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&addr, &addr_sz))
		return -errno;
	*port = ntohs(addr.sin_port);
	return fd;
}

/* One connection, one message each way: every hook of every rung has its event. */
static int talk(int listener, int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((unsigned short)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int client = socket(AF_INET, SOCK_STREAM, 0), server, err = 0;
	char buf[8];

	if (client < 0 || connect(client, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	server = accept(listener, NULL, NULL);
	if (server < 0)
		return -errno;
	if (write(client, "ping", 4) != 4 || read(server, buf, sizeof(buf)) != 4 ||
	    write(server, "pong", 4) != 4 || read(client, buf, sizeof(buf)) != 4)
		err = -EIO;
	close(server);
	close(client);
	return err;
}

static unsigned long long total(int map_fd)
{
	unsigned long long sum = 0, value;
	unsigned int key;

	for (key = 0; key < ST_HOOKS_MAX; key++)
		if (!bpf_map_lookup_elem(map_fd, &key, &value))
			sum += value;
	return sum;
}

/* Opens the file anew with this one program in it: one refusal costs itself alone. */
static struct bpf_object *load_only(const char *path, const char *name, struct bpf_program **found)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;

	if (!obj)
		return NULL;
	bpf_object__for_each_program(prog, obj) {
		bool wanted = !strcmp(bpf_program__name(prog), name);

		bpf_program__set_autoload(prog, wanted);
		if (wanted)
			*found = prog;
	}
	if (!bpf_object__load(obj))
		return obj;
	bpf_object__close(obj);
	return NULL;
}

static void try_hook(const char *path, const char *name, const char *section, int listener,
		     int port)
{
	struct bpf_program *prog = NULL;
	struct bpf_link *link;
	struct bpf_object *obj = load_only(path, name, &prog);
	unsigned long long count;
	int err;

	if (!obj) {
		printf("%s %s no load: %s\n", name, section, strerror(errno));
		return;
	}
	link = bpf_program__attach(prog);
	if (!link) {
		printf("%s %s no attach: %s\n", name, section, strerror(errno));
		goto close;
	}
	err = talk(listener, port);
	count = total(bpf_object__find_map_fd_by_name(obj, "fired"));
	if (err)
		printf("%s %s no talk: %s\n", name, section, strerror(-err));
	else if (!count)
		printf("%s %s no fire: attached, never ran\n", name, section);
	else
		printf("%s %s yes %llu\n", name, section, count);
	bpf_link__destroy(link);
close:
	bpf_object__close(obj);
}

int main(int argc, char **argv)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct bpf_program *prog;
	struct bpf_object *obj;
	int listener, port = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: hooks FILE.bpf.o\n");
		return 2;
	}
	libbpf_set_print(quiet);
	/* Before 5.11 BPF memory counts as locked memory; where this fails it is not needed. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	listener = listen_local(&port);
	obj = bpf_object__open_file(argv[1], NULL);
	if (listener < 0 || !obj) {
		fprintf(stderr, "hooks: cannot listen or cannot read %s\n", argv[1]);
		return 1;
	}
	bpf_object__for_each_program(prog, obj)
		try_hook(argv[1], bpf_program__name(prog), bpf_program__section_name(prog),
			 listener, port);
	bpf_object__close(obj);
	close(listener);
	return 0;
}
