/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A span's ids as a header of plain HTTP/1 requests, inserted behind the request line by sk_msg. Only
 * into a message that holds the whole head and begins a turn, when all that was sent on this
 * connection before is understood to its end: a body that looks like a request is never touched. What
 * tells of a trace already is left as it is.
 *
 * Where the kernel reports no unread bytes (FIONREAD) of sockets in a map, a socket has to leave before
 * an answer comes: then its first request alone gets the header (st_wire_header.once). Those of Go and
 * Node.js stay, whose runtimes read until there is nothing and do not ask.
 * A connection whose server speaks first is not HTTP/1, and leaves in any case.
 */
#ifndef ST_BPF_HEADER_H
#define ST_BPF_HEADER_H

#include "option.h"
#include "wire.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, __u64); /* the socket's cookie */
	__type(value, __u64);
} wire_sockets SEC(".maps");

/* Messages up to this are sent as one piece: several would wait for each other's ACK (Nagle). */
#define ST_LINEAR_MAX 16384u

static __always_inline struct st_wire_header *st_header(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wire_header, &zero);
}

static __always_inline bool st_never_asks(__u32 tgid)
{
	struct st_runtime *rt = bpf_map_lookup_elem(&runtimes, &tgid);

	return rt && rt->kind != ST_RUNTIME_SCOPES;
}

static __always_inline void st_header_enter(struct bpf_sock_ops *ops, struct st_wire *w,
					    const struct st_sk *known)
{
	struct st_wire_header *h = st_header();
	struct st_slot *s = st_slot_at(known->slot);

	if (!h || !h->len || !s)
		return;
	w->stays = !h->once || st_never_asks(s->owner_tgid);
	w->cookie = bpf_get_socket_cookie(ops);
	if (bpf_sock_hash_update(ops, &wire_sockets, &w->cookie, BPF_ANY))
		return;
	w->header = ST_HEADER_ON;
	/* An answer comes: before it is there, or as the request is acknowledged. */
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTT_CB_FLAG |
					       BPF_SOCK_OPS_RETRANS_CB_FLAG |
					       BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG);
}

/* Something has come from its peer: is there a reason to leave the map? */
static __always_inline void st_header_leave(struct bpf_sock_ops *ops, struct st_wire *w)
{
	__u32 seq, len = 0;
	bool spoke_first = !w->message && ops->op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB &&
			   st_option_segment(ops, &seq, &len) && len;

	if (w->header == ST_HEADER_OFF ||
	    (w->stays && w->header != ST_HEADER_LEAVE && !spoke_first))
		return;
	w->header = ST_HEADER_OFF;
	bpf_map_delete_elem(&wire_sockets, &w->cookie);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags &
					       ~(BPF_SOCK_OPS_RTT_CB_FLAG |
						 BPF_SOCK_OPS_RETRANS_CB_FLAG |
						 BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG));
}

/* ---- the head ---- */

/* The message's first bytes, into scratch. NULL: they cannot be had. */
static __always_inline struct st_head *st_header_head(struct sk_msg_md *m, __u32 *len)
{
	struct st_head *h = st_head_scratch();
	__u32 n = m->size < ST_HEAD_LOOK ? m->size : ST_HEAD_LOOK;

	if (!h || (m->data + n > m->data_end && bpf_msg_pull_data(m, 0, n, 0)))
		return NULL;
	barrier_var(n);
	if (!n || n > ST_HEAD_LOOK || bpf_probe_read_kernel(h->p, n, m->data))
		return NULL;
	*len = n;
	st_head_scan(n);
	return h;
}

/* "METHOD target HTTP/1.x" (RFC 9112 3), but for CONNECT, behind which no HTTP follows. */
static __always_inline bool st_is_request(const struct st_head *h)
{
	__u64 first = *(const __u64 *)h->p;
	__u32 at = (h->line - 10) & (ST_HEAD_LOOK - 1);

	if (h->line < 14 || at > ST_HEAD_LOOK - 16 || (first | 0x20) == 0x205443454e4e4f63ULL)
		return false;
	if (h->p[0] < 'A' || h->p[0] > 'Z' || h->p[1] < 'A' || h->p[1] > 'Z')
		return false;
	/* "HTTP/1." digit CR LF */
	return (*(const __u64 *)(h->p + at) << 8 >> 8) == 0x2e312f50545448ULL &&
	       h->p[at + 8] == '\r';
}

/* Takes a turn's first message to pieces. Whether a header may go into it. */
static __always_inline bool st_header_begins(struct sk_msg_md *m, struct st_wire *w,
					     struct st_head *h)
{
	__u32 behind = m->size - h->end;

	w->header = ST_HEADER_LEAVE; /* until it is known where the request ends */
	if (w->left || !h->end || !st_is_request(h) || h->lengths > 1)
		return false;
	if (!(h->flags & ST_HEAD_OPEN) && behind <= h->length) {
		w->left = h->length - behind;
		w->header = ST_HEADER_ON;
	}
	return true;
}

/* ---- the header ---- */

#define ST_INSERT_MAX (ST_HEADER_MAX + ST_CARRY_MAX)

/* The lines that the request above came with go behind it, unless the call has some of its own. */
static __always_inline __u32 st_header_carry(struct st_head *h, struct st_wire *w)
{
	__u64 above = w->above;
	struct st_carry *c = above && !h->carry.len ? bpf_map_lookup_elem(&carried, &above) : NULL;

	h->carry.len = 0;
	if (!c || c->len > ST_CARRY_MAX ||
	    bpf_probe_read_kernel(h->carry.text, ST_CARRY_MAX, c->text))
		return 0;
	return c->len;
}

/* The i-th byte of the header with the ids in scratch. Global: the verifier looks at it once. */
__noinline int st_header_byte(__u32 i)
{
	struct st_wire_header *text = st_header();
	struct st_head *h = st_head_scratch();
	__u32 digit, v;
	__u8 c;

	if (!text || !h)
		return ' ';
	if (i >= text->len) {
		i -= text->len;
		return i < ST_CARRY_MAX ? h->carry.text[i] : ' ';
	}
	if (i >= ST_HEADER_MAX)
		return ' ';
	c = text->text[i];
	digit = c & 0x3f;
	if (!(c & ST_HEADER_DIGIT))
		return c;
	if (digit >= ST_HEADER_SAMPLED)
		return '0' + (h->ids.flags & ST_TRACE_SAMPLED);
	v = digit < ST_HEADER_SPAN ? h->ids.trace_id[(digit & 31) >> 1]
				   : h->ids.span_id[(digit & 15) >> 1];
	v = digit & 1 ? v & 15 : v >> 4;
	return v < 10 ? '0' + v : 'a' + v - 10;
}

/* Into the bytes that were inserted, which are all that data shows. */
static __noinline int st_header_write(struct sk_msg_md *m, __u32 len)
{
	__u8 *p = m->data, *end = m->data_end;

	for (__u32 i = 0; i < ST_INSERT_MAX && i < len; i++) {
		if (p + i + 1 > end)
			break;
		p[i] = (__u8)st_header_byte(i);
	}
	return 0;
}

static __always_inline bool st_header_insert(struct sk_msg_md *m, __u32 at, __u32 len)
{
	if (!len || len > ST_INSERT_MAX || bpf_msg_push_data(m, at, len, 0))
		return false;
	/* They lie in a piece of their own: this shows it, and cannot want for memory. */
	if (bpf_msg_pull_data(m, at, at + len, 0) || m->data + len > m->data_end) {
		bpf_msg_pop_data(m, at, len, 0);
		return false;
	}
	st_header_write(m, len);
	if (m->size <= ST_LINEAR_MAX)
		bpf_msg_pull_data(m, 0, m->size, 0);
	return true;
}

static __always_inline void st_header_turn(struct sk_msg_md *m, struct st_wire *w,
					   struct st_slot *s, __u32 slot)
{
	struct st_wire_header *text = st_header();
	__u32 n = 0;
	struct st_head *h = st_header_head(m, &n);
	__u32 at, len;

	if (!h || !text) {
		w->header = ST_HEADER_LEAVE;
		return;
	}
	at = h->line;
	if (!st_header_begins(m, w, h)) {
		st_wire_count(ST_W_LEFT_OUT);
		return;
	}
	if (h->cnt || h->flags & ST_HEAD_FOREIGN)
		return;
	st_wire_fill(w, s, slot, bpf_get_current_pid_tgid(), s->turn + 1, NULL);
	h->ids = w->ids;
	len = text->len + st_header_carry(h, w);
	if (!st_header_insert(m, at, len)) {
		st_wire_count(ST_W_LEFT_OUT);
		return;
	}
	w->inserted = len;
	st_wire_count(ST_W_INSERTED);
}

/* A message on its way, before it is cut into segments. */
static __always_inline void st_header_message(struct sk_msg_md *m, struct bpf_sock *sk,
					      struct st_wire *w)
{
	struct st_sk *known = bpf_sk_storage_get(&socks, sk, 0, 0);
	struct st_slot *s = known ? st_slot_at(known->slot) : NULL;

	w->fresh = 1;
	w->inserted = 0;
	w->message = m->size;
	if (w->header != ST_HEADER_ON || !s || s->conn_id != known->conn_id)
		return;
	if (s->last_dir != ST_TX + 1) {
		st_header_turn(m, w, s, known->slot);
		return;
	}
	/* The rest of a body; more than that is another request, of whose beginning nothing is known. */
	if (m->size > w->left)
		w->header = ST_HEADER_LEAVE;
	else
		w->left -= m->size;
}

#endif
