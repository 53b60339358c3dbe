// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * HTTP by io_uring, on the bare system calls: `uring HOW serve PORT` answers "ok" to each request,
 * `uring HOW get PORT PATH...` makes them on one connection. A port that is a path is a Unix socket.
 * HOW: recv, recvmsg, read, readv, provided (a ring of buffers), multishot; after a comma: async
 * (io-wq) or sqpoll. Exit code 77 when this kernel refuses io_uring or this way of it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define ENTRIES	  8
#define BUFS	  8
#define BUF_SZ	  4096
#define TAG_RECV  1
#define TAG_SEND  2
#define MULTISHOT (1u << 1) /* IORING_RECV_MULTISHOT; older headers lack it */

static struct {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *sq_flags, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;
/* struct io_uring_cqe without the array at its end. */
struct cqe {
	__u64 user_data;
	__s32 res;
	__u32 flags;
};
/* struct io_uring_buf: address, length, id; the ring's tail lies in the first one's last two bytes. */
static struct buf {
	__u64 addr;
	__u32 len;
	__u16 bid, tail;
} *bufs;
static char pool[BUFS][BUF_SZ], plain[BUF_SZ];
static const char *how;
static int async, sqpoll, armed;
static struct cqe kept[64]; /* of receives, that came while a send was waited for */
static int kept_cnt;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(errno == ENOSYS || errno == EPERM || errno == EINVAL ? 77 : 1);
}

static void *map(size_t sz, off_t off)
{
	void *p = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, off);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

static void give(int bid)
{
	unsigned short tail = bufs[0].tail;
	struct buf *b = &bufs[tail & (BUFS - 1)];

	b->addr = (unsigned long)pool[bid];
	b->len = BUF_SZ;
	b->bid = (__u16)bid;
	__atomic_store_n(&bufs[0].tail, (__u16)(tail + 1), __ATOMIC_RELEASE);
}

/* struct io_uring_buf_reg */
static void register_buffers(void)
{
	struct {
		__u64 addr;
		__u32 entries;
		__u16 group, flags;
		__u64 pad[3];
	} reg = {.entries = BUFS, .group = 7};

	bufs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.addr = (unsigned long)bufs;
	/* 22: IORING_REGISTER_PBUF_RING */
	if (bufs == MAP_FAILED || syscall(SYS_io_uring_register, ring.fd, 22, &reg, 1))
		fail("buffers");
	for (int i = 0; i < BUFS; i++)
		give(i);
}

static void open_ring(void)
{
	struct io_uring_params p = {.flags = sqpoll ? IORING_SETUP_SQPOLL : 0,
				    .sq_thread_idle = 500};
	char *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring.fd < 0)
		fail("io_uring_setup");
	sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.sqes = map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + p.sq_off.array);
	ring.sq_flags = (unsigned *)(sq + p.sq_off.flags);
	ring.cq_head = (unsigned *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	if (!strcmp(how, "provided") || !strcmp(how, "multishot"))
		register_buffers();
}

static void enter(unsigned submit, unsigned wait)
{
	unsigned flags = wait ? IORING_ENTER_GETEVENTS : 0;

	if (sqpoll && (__atomic_load_n(ring.sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
		flags |= IORING_ENTER_SQ_WAKEUP;
	while (syscall(SYS_io_uring_enter, ring.fd, submit, wait, flags, NULL, 0) < 0)
		if (errno != EINTR)
			fail("io_uring_enter");
}

static void submit(struct io_uring_sqe sqe, int tag)
{
	unsigned tail = *ring.sq_tail, i = tail & *ring.sq_mask;

	sqe.user_data = (unsigned)tag;
	if (async)
		sqe.flags |= IOSQE_ASYNC;
	ring.sqes[i] = sqe;
	ring.sq_array[i] = i;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_SEQ_CST);
	enter(1, 0);
}

static struct cqe next_cqe(void)
{
	unsigned head = *ring.cq_head;
	struct cqe c;

	while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head)
		enter(0, 1);
	memcpy(&c, &ring.cqes[head & *ring.cq_mask], sizeof(c));
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	return c;
}

static struct cqe wait_for(int tag)
{
	struct cqe c;

	if (tag == TAG_RECV && kept_cnt) {
		c = kept[0];
		memmove(kept, kept + 1, (size_t)--kept_cnt * sizeof(*kept));
		return c;
	}
	while ((c = next_cqe()).user_data != (unsigned)tag)
		if (kept_cnt < 64)
			kept[kept_cnt++] = c;
	return c;
}

static struct io_uring_sqe recv_sqe(int fd)
{
	static struct iovec v[2] = {{plain, 7}, {plain + 7, BUF_SZ - 8}};
	static struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	struct io_uring_sqe s = {.fd = fd, .addr = (unsigned long)plain, .len = BUF_SZ - 1};

	s.opcode = IORING_OP_RECV;
	if (!strcmp(how, "recvmsg")) {
		s.opcode = IORING_OP_RECVMSG;
		s.addr = (unsigned long)&m;
		s.len = 1;
	} else if (!strcmp(how, "read")) {
		s.opcode = IORING_OP_READ;
	} else if (!strcmp(how, "readv")) {
		s.opcode = IORING_OP_READV;
		s.addr = (unsigned long)v;
		s.len = 2;
	} else if (bufs) {
		s.addr = s.len = 0;
		s.buf_group = 7;
		s.flags = IOSQE_BUFFER_SELECT;
		if (!strcmp(how, "multishot"))
			s.ioprio = MULTISHOT;
		else
			s.len = BUF_SZ - 1;
	}
	return s;
}

/* One receive's bytes, at the end of `to`. */
static int receive(int fd, char *to)
{
	struct cqe c;

	if (!armed)
		submit(recv_sqe(fd), TAG_RECV);
	c = wait_for(TAG_RECV);
	armed = !strcmp(how, "multishot") && (c.flags & (1u << 1)); /* IORING_CQE_F_MORE */
	if (c.res < 0) {
		errno = -c.res;
		if (errno == ECONNRESET)
			return 0;
		fail("receive");
	}
	if (c.res && bufs) {
		memcpy(to, pool[c.flags >> 16], (size_t)c.res);
		give((int)(c.flags >> 16));
	} else if (c.res) {
		memcpy(to, plain, (size_t)c.res);
	}
	to[c.res] = 0;
	return c.res;
}

static void send_all(int fd, const char *text)
{
	struct io_uring_sqe s = {.opcode = IORING_OP_SEND, .fd = fd};

	if (!strncmp(how, "read", 4))
		s.opcode = IORING_OP_WRITE;
	s.addr = (unsigned long)text;
	s.len = (unsigned)strlen(text);
	submit(s, TAG_SEND);
	if (wait_for(TAG_SEND).res != (int)s.len)
		fail("send");
}

/* A whole head (no bodies here but the two bytes of answers); 0 at the connection's end. */
static int read_head(int fd, const char *end)
{
	static char head[BUF_SZ * 2];
	int len = 0, n;

	head[0] = 0;
	while (!strstr(head, end)) {
		n = receive(fd, head + len);
		if (!n)
			return 0;
		len += n;
	}
	return len;
}

static int sock_of(const char *port, int listening)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons((unsigned short)atoi(port))};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int unix_one = *port == '/', fd = socket(unix_one ? AF_UNIX : AF_INET, SOCK_STREAM, 0),
	    one = 1;
	struct sockaddr *at = unix_one ? (struct sockaddr *)&un : (struct sockaddr *)&in;
	socklen_t sz = unix_one ? sizeof(un) : sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listening ? bind(fd, at, sz) || listen(fd, 16) : connect(fd, at, sz))
		fail(port);
	return fd;
}

static void serve(const char *port)
{
	int listener = sock_of(port, 1), fd;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		armed = kept_cnt = 0;
		while (read_head(fd, "\r\n\r\n"))
			send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		close(fd);
	}
}

static int get(const char *port, char **paths)
{
	int fd = sock_of(port, 0);
	char text[1024];

	for (; *paths; paths++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			 *paths);
		send_all(fd, text);
		if (!read_head(fd, "\r\n\r\nok"))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char *comma;

	if (argc < 4)
		return 2;
	how = argv[1];
	comma = strchr(argv[1], ',');
	if (comma) {
		*comma = 0;
		async = !strcmp(comma + 1, "async");
		sqpoll = !strcmp(comma + 1, "sqpoll");
	}
	open_ring();
	if (!strcmp(argv[2], "serve"))
		serve(argv[3]);
	return get(argv[3], argv + 4);
}
