/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What every rung's hooks call: a send begins, a send ended, a receive returned. */
#ifndef ST_BPF_FLOW_H
#define ST_BPF_FLOW_H

#include "turn.h"

#define ST_MSG_OOB	0x1
#define ST_MSG_PEEK	0x2
#define ST_MSG_TRUNC	0x20
#define ST_MSG_DONTWAIT 0x40
#define ST_MSG_ERRQUEUE 0x2000

static __always_inline bool st_is_tcp(struct sock *sk)
{
	__u16 family = ST_READ(sk, __sk_common.skc_family);

	return (family == ST_AF_INET || family == ST_AF_INET6) &&
	       ST_READ(sk, sk_protocol) == ST_PROTO_TCP;
}

static __always_inline bool st_is_unix_stream(struct sock *sk)
{
	return ST_READ(sk, __sk_common.skc_family) == ST_AF_UNIX &&
	       ST_READ(sk, sk_type) == ST_SOCK_STREAM;
}

/* Of a socket that is one of TCP; the cast costs nothing where the kernel has it. */
static __always_inline struct tcp_sock *st_tcp(struct sock *sk)
{
#if defined(ST_CAST)
	return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
#elif !defined(ST_PROBE)
	return bpf_skc_to_tcp_sock(sk);
#else
	return NULL;
#endif
}

static __always_inline __u32 st_write_seq(struct sock *sk)
{
	struct tcp_sock *tp = st_tcp(sk);

	if (tp)
		return tp->write_seq;
	return BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
}

/*
 * The end of what was read. A FIN that the same call consumed counts in copied_seq
 * (tcp_recvmsg_locked, found_fin_ok), but is no byte. What was sent so far is told besides.
 */
static __always_inline __u32 st_copied_seq(struct sock *sk, __u32 *write_seq)
{
	__u32 copied, next;
	__u8 shut;
	struct tcp_sock *tp = st_tcp(sk);

	if (tp) {
		*write_seq = tp->write_seq;
		copied = tp->copied_seq;
		if (!(sk->sk_shutdown & ST_RCV_SHUTDOWN))
			return copied;
		next = tp->rcv_nxt;
		return copied - (copied == next);
	}
	*write_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
	copied = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
	next = BPF_CORE_READ((struct tcp_sock *)sk, rcv_nxt);
	shut = BPF_CORE_READ(sk, sk_shutdown);
	return copied - ((shut & ST_RCV_SHUTDOWN) && copied == next);
}

/*
 * What TIMING needs of a turn: its first bytes, without a record. Few bytes are no loss, whatever
 * protocol they are of, unless the status that they announce is not among them.
 */
static __noinline void st_timing_turn(struct st_call *c, struct st_slot *s)
{
	__u8 first[16] = {};
	__u64 addr = 0, n = 0;

	if (!st_src_at(&c->src, 0, &addr, &n))
		n = 0;
	if (n > sizeof(first))
		n = sizeof(first);
	barrier_var(n);
	if (!n || n > sizeof(first) || bpf_probe_read_user(first, n, (void *)addr) ||
	    (n < 10 && first[0] == 'H' && first[4] == '/')) {
		st_count(ST_C_UNREADABLE, 1);
		return;
	}
	st_hist_turn(s, c->dir & 1, *(__u64 *)first, first[9] - '0', c->now);
}

/* Could this call's bytes be wanted at all? If not, its buffer is not even looked for. */
static __always_inline bool st_look_needed(const struct st_call *c, const struct st_slot *s)
{
	if (s->mode == ST_MODE_OFF)
		return false;
	if (c->turn)
		return true;
	/* A body that ends within this call has something behind it. */
	return s->mode == ST_MODE_EVERY || s->dir[c->dir & 1].expect_end < c->pos + c->bytes ||
	       s->dir[c->dir & 1].expect_end == ST_EXPECT_CHUNKED;
}

/*
 * TIMING: a turn begins. Only a response's first bytes are looked at once the role is known.
 * Returns false when the caller has to find the buffer.
 */
static __always_inline bool st_timing_quick(struct st_slot *s, __u8 dir, bool turn)
{
	__u64 now;

	if (turn && !st_hist_is_request(s, dir))
		return false;
	now = bpf_ktime_get_ns();
	if (turn)
		st_hist_request(s, dir, now);
	s->dir[dir & 1].time_ns = now;
	return true;
}

/* A call whose buffer is known by now. Sets when its direction last moved. */
static __always_inline void st_call_run(struct st_call *c, struct st_slot *s, __u32 which)
{
	__u16 how;

	if (cfg.timing) {
		c->now = bpf_ktime_get_ns();
		st_timing_turn(c, s);
	} else if ((how = c->turn ? ST_F_TURN : st_same_turn_wanted(c, s))) {
		c->flags |= st_task_flags() | st_waits_take(c->tgid, c->tid) |
			    st_missed_flag(c->tid) | (how & (ST_F_TURN | ST_F_CONT)) |
			    (c->dir == ST_TX ? ST_F_ANNOUNCED : 0);
		if (!(s->flags & ST_SLOT_OPENED))
			st_open_send(s, c->slot, ST_REC_OPEN, 0, c->dir == ST_RX ? c->bytes : 0);
		if (c->turn && c->dir == ST_TX && st_marked(c->tgid, ST_MARK_PROXY))
			st_passed_look(c, s);
		if (st_marked(c->tgid, ST_MARK_TASKS))
			st_task_tell(c, s);
		st_capture(c, s, which);
		if (c->off < c->bytes && s->mode == ST_MODE_HEAD &&
		    c->bytes != s->dir[c->dir & 1].plain_len)
			st_capture_end(c, s, which);
	}
	if (!c->now)
		c->now = bpf_ktime_get_ns();
	s->dir[c->dir & 1].time_ns = c->now;
}

static __always_inline struct st_call *st_call_new(__u32 which, const struct st_conn *conn,
						   __u8 dir, __u64 tgid_tid)
{
	struct st_call *c = bpf_map_lookup_elem(&scratch, &which);

	if (!c)
		return NULL;
	c->tgid = tgid_tid >> 32;
	c->tid = (__u32)tgid_tid;
	c->slot = conn->slot;
	c->dir = dir;
	c->off = 0;
	c->flags = 0;
	c->now = 0;
	c->more = 0;
	c->src.segs = 0;
	return c;
}

/*
 * splice(2) out of a socket shows at no hook but the kprobes': that bytes were taken is seen when
 * the next ones are spliced in. They were a turn, of which nothing can be read.
 */
static __noinline bool st_spliced_away(struct sock *sk, struct st_slot *s, __u32 slot)
{
	struct st_conn conn = {.s = s, .slot = slot};
	struct st_sysargs a;
	struct st_call *c;
	__u32 sent = 0;
	__u64 end;

	st_sysargs_of(st_task_regs(), &a);
	if (a.nr != ST_NR_SPLICE)
		return false;
	end = st_pos_extend(s->dir[ST_RX].pos, st_copied_seq(sk, &sent));
	c = st_call_new(ST_SCRATCH_RECV, &conn, ST_RX, bpf_get_current_pid_tgid());
	if (!c || end <= s->dir[ST_RX].pos)
		return false;
	st_count(ST_C_NO_PAYLOAD, 1);
	st_turn(s, ST_RX);
	c->turn = 1;
	c->pos = s->dir[ST_RX].pos;
	c->bytes = end - c->pos;
	c->flags = ST_F_TURN | ST_F_UNREADABLE;
	if (!(s->flags & ST_SLOT_OPENED))
		st_open_send(s, slot, ST_REC_OPEN, 0, c->bytes);
	if (!st_chunk_s(ST_SCRATCH_RECV, 0, 0)) {
		if (s->lost < 255)
			s->lost++;
		st_missed_read(c, s);
	}
	s->dir[ST_RX].time_ns = bpf_ktime_get_ns();
	st_accepted(s, slot, ST_RX, end);
	return true;
}

/* Have bytes been received that no hook showed? */
static __always_inline bool st_received_unseen(struct sock *sk, const struct st_slot *s)
{
	struct tcp_sock *tp = st_tcp(sk);

	if (tp)
		return tp->copied_seq != (__u32)s->dir[ST_RX].pos;
	return BPF_CORE_READ((struct tcp_sock *)sk, copied_seq) != (__u32)s->dir[ST_RX].pos;
}

/* TIMING: where the bytes lie in the stream does not matter; a turn's first ones may. */
static __always_inline struct st_call *st_timing_send(struct st_slot *s, const struct st_conn *conn,
						      __u64 id)
{
	struct st_call *c;

	if (st_timing_quick(s, ST_TX, s->last_dir != ST_TX + 1 && st_turn(s, ST_TX)))
		return NULL;
	c = st_call_new(ST_SCRATCH_SEND, conn, ST_TX, id);
	if (c)
		c->turn = 1;
	return c;
}

/* --propagate: a turn of sends begins; bytes were received. */
static __always_inline void st_wire_tx(struct sock *sk, const struct st_call *c, struct st_slot *s)
{
#ifndef ST_PROBE
	if (cfg.propagate && c->turn)
		st_wire_send(sk, c, s);
#endif
}

static __always_inline void st_wire_rx(struct sock *sk, const struct st_call *c, struct st_slot *s)
{
#ifndef ST_PROBE
	if (cfg.propagate)
		st_wire_read(sk, c, s);
#endif
}

/*
 * A send begins, or goes on with its next fragment (or with the rest of what was not accepted):
 * write_seq plus the bytes still to send stays the same, which tells the first from the others.
 * Returns its call when its bytes are wanted; else it is done. id: of the task, which is traced;
 * spliced: splice(2) may have called.
 */
static __always_inline struct st_call *st_send_enter(struct sock *sk, __u64 id, __u64 left,
						     bool unreadable, bool spliced, __u64 inserted,
						     struct st_slot **slot)
{
	struct st_slot_dir *d;
	struct st_conn conn;
	struct st_slot *s;
	struct st_call *c;
	__u64 pos;

	if (!st_conn_get(sk, &conn, true))
		return NULL;
	*slot = s = conn.s;
	if (cfg.timing)
		return st_timing_send(s, &conn, id);
	d = &s->dir[ST_TX];
	/* Pages within a turn (sendfile): whatever is looked at next tells how far they came. */
	if (unreadable && !spliced && s->last_dir == ST_TX + 1)
		goto out;
	pos = st_pos_extend(d->pos, st_write_seq(sk) - d->shift);
	left -= inserted;
	d->shift += inserted;
	if (d->call_end == pos + left)
		goto out;
	d->call_end = pos + left;
	d->pos = pos;
	if (unreadable && s->last_dir == ST_TX + 1 &&
	    !(spliced && st_received_unseen(sk, s) && st_spliced_away(sk, s, conn.slot)))
		goto out;
	c = st_call_new(ST_SCRATCH_SEND, &conn, ST_TX, id);
	if (!c)
		return NULL;
	c->pos = pos;
	c->bytes = left > 0x7fffffff ? 0x7fffffff : (__u32)left;
	c->turn = st_turn(s, ST_TX);
	if (st_look_needed(c, s))
		return c;
	st_wire_tx(sk, c, s);
out:
	d->time_ns = bpf_ktime_get_ns();
	return NULL;
}

/* The call's buffer is known now, or known not to be readable. */
static __always_inline void st_send_run(struct sock *sk, struct st_call *c, struct st_slot *s)
{
	st_wire_tx(sk, c, s);
	if (c->src.segs || c->turn) {
		st_call_run(c, s, ST_SCRATCH_SEND);
		return;
	}
	s->dir[ST_TX].time_ns = bpf_ktime_get_ns();
}

#ifdef ST_PROBE
#define st_wire_message(sk, inserted) 0
#define st_wire_source(sk, c)	      ((void)0)
#endif

/* TCP: bytes are about to be queued, by a task that is traced. */
static __always_inline void st_send_begin(struct sock *sk, const struct msghdr *msg, __u64 id,
					  __u64 left)
{
	bool kernel = st_iter_is_kernel(&msg->msg_iter), ours = false;
	__u64 inserted = 0;
	struct st_slot *s;
	struct st_call *c;

	if (kernel && cfg.propagate & ST_PROPAGATE_HEADER)
		ours = st_wire_message(sk, &inserted);
	c = st_send_enter(sk, id, left, kernel && !ours, true, inserted, &s);
	if (!c)
		return;
	if (ours)
		st_wire_source(sk, c);
	else
		st_src_iter(&c->src, &msg->msg_iter);
	st_send_run(sk, c, s);
}

/* The same when the bytes are known by other means. */
static __always_inline void st_send_begin_src(struct sock *sk, const struct st_src *src, __u64 id,
					      __u64 left)
{
	struct st_slot *s;
	struct st_call *c = st_send_enter(sk, id, left, !src->segs, false, 0, &s);

	if (!c)
		return;
	c->src = *src;
	st_send_run(sk, c, s);
}

/* Pages of a file: positions move, the bytes are not ours to read. */
static __always_inline void st_sendpage_begin(struct sock *sk, __u64 id, __u64 left)
{
	struct st_slot *s;
	struct st_call *c = st_send_enter(sk, id, left, true, true, 0, &s);

	if (c)
		st_send_run(sk, c, s);
}

/* TCP: the send returned; only now is it known how many bytes were accepted. */
static __always_inline void st_send_end(struct sock *sk)
{
	struct st_conn conn;
	struct st_slot *s;

	/*
	 * How much was accepted is asked for only while user space waits for a body's end; else
	 * write_seq tells it whenever it is looked at next.
	 */
	if (!ctl.watching || !st_current_wanted() || !st_conn_find(sk, &conn))
		return;
	s = conn.s;
	st_accepted(s, conn.slot, ST_TX,
		    st_pos_extend(s->dir[ST_TX].pos, st_write_seq(sk) - s->dir[ST_TX].shift));
}

/*
 * The buffer is none that the system call's arguments name: io_uring's, a 32-bit caller's, the
 * kernel's own. iter: the address of the iterator that has passed it, 0 where the hook has none.
 */
#define ST_NOWHERE 1 /* for iter: do not look for it */

static __noinline int st_src_elsewhere(struct st_call *c, struct sock *sk, __u64 iter)
{
	if (iter)
		st_src_behind(&c->src, (struct iov_iter *)iter, c->bytes, c->bytes);
	else if (!st_src_only_message(&c->src, sk))
		st_uring_find(&c->src, sk, c->dir, c->bytes);
	if (!c->src.segs)
		st_count(ST_C_NO_PAYLOAD, 1);
	return 0;
}

/* Notes where the bytes lie, wanted or not. */
static __noinline void st_received_by_proxy(struct st_call *c, const struct st_slot *s,
					    struct sock *sk)
{
	bool wanted = c->src.segs;

	if (!wanted)
		st_src_syscall(&c->src, sk);
	st_places_note(c, s);
	if (!wanted)
		c->src.segs = 0;
}

/* Bytes were received, or (not TCP) sent: the buffer is the system call's, as a rule. */
static __always_inline void st_moved(struct sock *sk, __u32 bytes, __u8 dir, bool tcp,
				     bool readable, __u16 how, __u64 id, __u64 iter)
{
	struct st_slot_dir *d;
	struct st_conn conn;
	struct st_slot *s;
	struct st_call *c;
	__u32 sent = 0;
	__u64 end;

	if (!st_conn_get(sk, &conn, tcp))
		return;
	s = conn.s;
	if (cfg.timing && st_timing_quick(s, dir, s->last_dir != dir + 1 && st_turn(s, dir)))
		return;
	d = &s->dir[dir & 1];
	/* A connection seen for the first time already stands behind these bytes. */
	end = d->pos + bytes;
	if (tcp) {
		end = st_pos_extend(d->pos, st_copied_seq(sk, &sent));
		s->dir[ST_TX].pos = st_pos_extend(s->dir[ST_TX].pos, sent - s->dir[ST_TX].shift);
	}
	c = st_call_new(dir == ST_RX ? ST_SCRATCH_RECV : ST_SCRATCH_SENT, &conn, dir, id);
	if (!c)
		return;
	c->bytes = bytes;
	c->pos = end - bytes;
	c->turn = cfg.timing || st_turn(s, dir);
	c->flags = how;
	if (st_look_needed(c, s)) {
		if (readable)
			st_src_syscall(&c->src, sk);
		if (!c->src.segs && readable && iter != ST_NOWHERE)
			st_src_elsewhere(c, sk, iter);
		else if (!c->src.segs)
			st_count(ST_C_NO_PAYLOAD, 1);
	}
	if (dir == ST_RX && readable && st_marked(c->tgid, ST_MARK_PROXY))
		st_received_by_proxy(c, s, sk);
	if (dir == ST_RX)
		st_wire_rx(sk, c, s);
	else
		st_wire_tx(sk, c, s);
	if (c->src.segs || (c->turn && s->mode != ST_MODE_OFF))
		st_call_run(c, s, dir == ST_RX ? ST_SCRATCH_RECV : ST_SCRATCH_SENT);
	else
		d->time_ns = bpf_ktime_get_ns();
	st_accepted(s, conn.slot, dir, end);
}

/*
 * Run by user space for connections whose body's end it waits for: how far have their sends come?
 * A slot that is marked closed after its socket was read keeps its position: the address may be
 * another socket's by then.
 */
static __always_inline void st_ask_one(__u32 i)
{
	struct st_slot *s = st_slot_at(i);
	struct tcp_sock *tp;
	__u32 seq;
	__u64 end;

	if (!s || !s->conn_id || !s->tcp || (s->flags & ST_SLOT_CLOSED))
		return;
#ifdef ST_CAST
	tp = bpf_rdonly_cast((void *)s->sock, bpf_core_type_id_kernel(struct tcp_sock));
	seq = tp->write_seq;
#else
	tp = (struct tcp_sock *)s->sock;
	seq = BPF_CORE_READ(tp, write_seq);
#endif
	end = st_pos_extend(s->dir[ST_TX].pos, seq - s->dir[ST_TX].shift);
	if (!(s->flags & ST_SLOT_CLOSED) && end > s->dir[ST_TX].pos)
		s->dir[ST_TX].pos = end;
}

#define ST_O_NONBLOCK 04000

/* Would the receive have waited had nothing been there? */
static __always_inline bool st_blocks(struct sock *sk, int flags)
{
	struct file *file;

	if (flags & ST_MSG_DONTWAIT)
		return false;
	file = BPF_CORE_READ(sk, sk_socket, file);
	return file && !(BPF_CORE_READ(file, f_flags) & ST_O_NONBLOCK);
}

static __always_inline void st_recv_end(struct sock *sk, int ret, int flags, bool want_tcp,
					__u64 iter)
{
	__u64 id;
	bool tcp;

	if (ret <= 0 || (flags & (ST_MSG_PEEK | ST_MSG_ERRQUEUE | ST_MSG_OOB)))
		return;
	id = bpf_get_current_pid_tgid();
	if (!st_proc_wanted(id >> 32))
		return;
	tcp = st_is_tcp(sk);
	if (tcp ? !want_tcp : !st_is_unix_stream(sk))
		return;
	/* MSG_TRUNC on TCP throws the bytes away (tcp(7)). */
	st_moved(sk, ret, ST_RX, tcp, !(tcp && (flags & ST_MSG_TRUNC)),
		 st_blocks(sk, flags) ? ST_F_BLOCKS : 0, id, iter);
}

static __always_inline void st_unix_sent(struct sock *sk, int ret, __u64 iter)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (ret > 0 && st_proc_wanted(id >> 32))
		st_moved(sk, ret, ST_TX, false, true, 0, id, iter);
}

#endif
