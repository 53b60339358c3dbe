// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * HTTP/1.1 load over keep-alive connections, one request at a time, and the CPU
 * time that it took in each of the processes that are named. In a guest whose
 * clock counts instructions, nanoseconds are instructions.
 *
 * usage: load -n N [-c CONNS] [-p PACE_US] PORT PATH [LABEL:PID]...
 *        load cpu PID
 * prints: client=X LABEL=X... elapsed=X bytes=X   (all but bytes: per request)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONN_MAX 1024
#define PROC_MAX 8
#define NS_PER_S 1000000000LL

struct proc {
	const char *label;
	int label_sz;
	clockid_t clock;
	long long start_ns;
};

struct job {
	long request_cnt;
	int conn_cnt;
	long pace_ns; /* between the starts of two requests; 0: as fast as it goes */
	int port;
	char request[512];
	size_t request_sz;
	struct proc procs[PROC_MAX];
	int proc_cnt;
	int fds[CONN_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		return 0;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static clockid_t clock_of(const char *pid)
{
	clockid_t clock;

	errno = clock_getcpuclockid(atoi(pid), &clock);
	if (errno)
		die(pid);
	return clock;
}

static int connect_to(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* The whole answer's size once its head is there, 0 before, -1 when it has no length. */
static long answer_sz(const char *buf)
{
	const char *end = strstr(buf, "\r\n\r\n");
	const char *length = end ? strcasestr(buf, "\r\ncontent-length:") : NULL;

	if (!end)
		return 0;
	if (!length || strncmp(buf, "HTTP/1.1 200", 12))
		return -1;
	return end + 4 - buf + atol(length + 17);
}

static long exchange(const struct job *job, int fd)
{
	static char buf[65536];
	long got = 0, want = 0;

	if (send(fd, job->request, job->request_sz, 0) != (ssize_t)job->request_sz)
		die("send");
	while (!want || got < want) {
		ssize_t n = recv(fd, buf + got, sizeof(buf) - 1 - (size_t)got, 0);

		if (n <= 0)
			die("recv");
		got += n;
		buf[got] = '\0';
		if (!want)
			want = answer_sz(buf);
		if (want < 0 || want >= (long)sizeof(buf)) {
			errno = EPROTO;
			die("answer");
		}
	}
	return got;
}

/* Deadlines are absolute: the rate holds whatever a request costs. */
static void wait_until(long long at_ns)
{
	struct timespec ts = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static void run(struct job *job)
{
	long long start_ns, client_ns;
	long bytes = 0;
	int i;

	for (i = 0; i < job->conn_cnt; i++)
		job->fds[i] = connect_to(job->port);
	for (i = 0; i < job->proc_cnt; i++)
		job->procs[i].start_ns = now_ns(job->procs[i].clock);
	client_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	start_ns = now_ns(CLOCK_MONOTONIC);
	for (long n = 0; n < job->request_cnt; n++) {
		if (job->pace_ns)
			wait_until(start_ns + n * job->pace_ns);
		bytes = exchange(job, job->fds[n % job->conn_cnt]);
	}
	client_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - client_ns;
	start_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
	printf("client=%.1f", (double)client_ns / (double)job->request_cnt);
	for (i = 0; i < job->proc_cnt; i++) {
		const struct proc *proc = &job->procs[i];

		printf(" %.*s=%.1f", proc->label_sz, proc->label,
		       (double)(now_ns(proc->clock) - proc->start_ns) / (double)job->request_cnt);
	}
	printf(" elapsed=%.1f bytes=%ld\n", (double)start_ns / (double)job->request_cnt, bytes);
}

static int usage(void)
{
	fprintf(stderr, "usage: load -n N [-c CONNS] [-p PACE_US] PORT PATH [LABEL:PID]...\n");
	return 2;
}

static int parse(struct job *job, int argc, char **argv)
{
	int opt;

	job->conn_cnt = 1;
	while ((opt = getopt(argc, argv, "n:c:p:")) != -1) {
		if (opt == 'n')
			job->request_cnt = atol(optarg);
		else if (opt == 'c')
			job->conn_cnt = atoi(optarg);
		else if (opt == 'p')
			job->pace_ns = atol(optarg) * 1000;
		else
			return -EINVAL;
	}
	if (argc - optind < 2 || argc - optind - 2 > PROC_MAX || job->request_cnt < 1 ||
	    job->conn_cnt < 1 || job->conn_cnt > CONN_MAX)
		return -EINVAL;
	job->port = atoi(argv[optind++]);
	job->request_sz = (size_t)snprintf(job->request, sizeof(job->request),
					   "GET %s HTTP/1.1\r\nHost: localhost\r\n"
					   "User-Agent: load\r\nAccept: */*\r\n\r\n",
					   argv[optind++]);
	if (job->request_sz >= sizeof(job->request))
		return -EINVAL;
	for (; optind < argc; optind++) {
		struct proc *proc = &job->procs[job->proc_cnt++];
		const char *colon = strchr(argv[optind], ':');

		if (!colon)
			return -EINVAL;
		proc->label = argv[optind];
		proc->label_sz = (int)(colon - argv[optind]);
		proc->clock = clock_of(colon + 1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct job job;

	if (argc == 3 && !strcmp(argv[1], "cpu")) {
		printf("%lld\n", now_ns(clock_of(argv[2])));
		return 0;
	}
	if (parse(&job, argc, argv))
		return usage();
	run(&job);
	return 0;
}
