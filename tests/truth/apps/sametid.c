// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * sametid PORT BACKEND process|thread: for each request a process or thread that lives as long as it, and each has the
 * same id as the one before (clone3's set_tid; needs CAP_SYS_ADMIN). Modes: one (calls and answers); read (ends without
 * an answer: the next one, of the same id, makes the call for it); left (a call is left for the next one, which makes it
 * before its own request is read).
 */
#define _GNU_SOURCE
#include "http.h"
#include <poll.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CONNS 256

struct shared {
	struct request req, left;
	int has_left, ended;
	struct reader in[CONNS];
};

static struct shared *shared; /* by all processes */
static int backend, threads;

static void end(void)
{
	if (threads)
		syscall(SYS_exit, 0);
	_exit(0);
}

/*
 * Runs `work` in a new process or thread, of the id that the last one had if that is free, and waits for its end. A
 * thread runs on the caller's stack and with the caller's errno while the caller is suspended (CLONE_VFORK): so it must
 * not return, and the call stands here, not in a function of libc.
 */
static void run(void (*work)(int), int fd)
{
	const uint64_t thread_flags = CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES |
				      CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	static pid_t pid; /* 0: none yet */
	struct clone_args args = {.flags = threads ? thread_flags : 0,
				  .exit_signal = threads ? 0 : SIGCHLD,
				  .set_tid = pid ? (uint64_t)(uintptr_t)&pid : 0,
				  .set_tid_size = pid ? 1 : 0};
	long got;

	/* The id of a thread that is just ending is free a moment after it let go of the memory. */
	for (int tries = 0;; tries++) {
		if (tries == 1000)
			args.set_tid = args.set_tid_size = 0;
		__asm__ volatile("syscall"
				 : "=a"(got)
				 : "a"(SYS_clone3), "D"(&args), "S"(sizeof(args))
				 : "rcx", "r11", "memory");
		if (!got) {
			work(fd);
			end();
		}
		if (got > 0)
			break;
		usleep(10);
	}
	pid = (pid_t)got;
	if (!threads)
		waitpid(pid, NULL, 0);
}

static void finish_left(void)
{
	if (shared->has_left)
		call(backend, &shared->left, 0);
	shared->has_left = 0;
}

/* The process of one request; what it could not finish is left to the next one. */
static void serve_one(int fd)
{
	struct reader *in = &shared->in[fd];
	struct request *req = &shared->req;

	in->fd = fd;
	finish_left();
	shared->ended = read_request(in, req);
	if (shared->ended)
		return;
	if (!strcmp(req->mode, "read"))
		return;
	if (!strcmp(req->mode, "one"))
		call(backend, req, 0);
	if (!strcmp(req->mode, "left")) {
		shared->left = *req;
		shared->has_left = 1;
	}
	answer(fd, req);
}

static void finish_read(int fd)
{
	call(backend, &shared->req, 0);
	answer(fd, &shared->req);
}

static void conn_serve(int fd)
{
	memset(&shared->req, 0, sizeof(shared->req));
	run(serve_one, fd);
	if (!shared->ended && !strcmp(shared->req.mode, "read"))
		run(finish_read, fd);
	if (shared->ended || !shared->req.keep)
		close(fd);
}

int main(int argc, char **argv)
{
	struct pollfd polled[CONNS];
	int listener, cnt = 1, fd;

	if (argc != 4)
		return 2;
	backend = atoi(argv[2]);
	threads = !strcmp(argv[3], "thread");
	listener = listen_on(atoi(argv[1]));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	polled[0].fd = listener;
	polled[0].events = POLLIN;
	for (;;) {
		poll(polled, (nfds_t)cnt, -1);
		for (int i = cnt - 1; i > 0; i--) {
			if (!polled[i].revents)
				continue;
			conn_serve(polled[i].fd);
			if (shared->ended || !shared->req.keep)
				polled[i] = polled[--cnt];
		}
		if (!polled[0].revents || cnt == CONNS)
			continue;
		fd = accept_one(listener);
		if (fd < 0 || fd >= CONNS)
			continue;
		shared->in[fd].sz = 0;
		polled[cnt].fd = fd;
		polled[cnt++].events = POLLIN;
	}
}
