/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel side without a kernel: sockets whose calls a test scripts, and the records that bpf/
 * makes of them, by the same rules (bpf/turn.h, flow.h, state.h). Time passes only when the script
 * says so. Records wait in a queue, as in the rings, until the reader takes them; what the reader
 * stores into slots holds from then on.
 */
#ifndef ST_TEST_SIMKERNEL_H
#define ST_TEST_SIMKERNEL_H

#include <stdlib.h>

#include "lib/buf.h"
#include "spantap/abi.h"
#include "spantap/bytes.h"

#define SIM_SEGS_MAX  8
#define SIM_CPUS      4
#define SIM_TOLD_MAX  1024u
#define SIM_WATCH_MAX 4096u
#define SIM_T0	      1000000000000ULL /* CLOCK_MONOTONIC when a simulation begins */

enum sim_tcp {
	SIM_CLOSED = 0,
	SIM_SYN_SENT,
	SIM_ESTABLISHED,
	SIM_FIN_WAIT,
	SIM_CLOSE_WAIT,
	SIM_LAST_ACK,
};

struct sim;

static inline void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* One end of a connection. Made by sim_pair; fields may be set before the first call. */
struct sim_sock {
	struct sim *sim;
	struct sim_sock *peer;
	bool traced;   /* its process is wanted */
	bool tcp;      /* else a Unix stream socket */
	bool exiting;  /* its process is ending */
	bool rcv_shut; /* a FIN came */
	uint8_t state; /* enum sim_tcp */
	uint32_t tgid, tid;
	uint16_t flags; /* ST_F_* that its DATA records have besides */
	uint32_t write_seq, copied_seq, rcv_nxt;
	uint64_t conn_id; /* 0: no slot */
	uint32_t slot;
	struct st_buf in; /* bytes that arrived */
	size_t in_off;	  /* of them read */
	uint64_t taken;	  /* read ever */
	uint64_t sent;	  /* ever */
	struct st_open addr;
	/* the send under way */
	const uint8_t *send_p;
	size_t send_len;
};

/* struct watch of user/pipeline.c */
struct sim_watch {
	uint64_t conn_id, end;
	uint32_t slot, turn;
	uint8_t dir;
};

struct sim {
	uint64_t now_ns;
	uint32_t cpu; /* where the next calls run */
	struct st_slot *slots;
	uint32_t slot_cnt;
	uint32_t *free_slots;
	uint32_t free_cnt;
	struct st_cpu cpus[SIM_CPUS];
	struct st_buf queue; /* records, payload areas aligned to 8 */
	struct st_rec *told; /* ends that the slots told */
	uint32_t told_cnt;
	struct sim_watch *watch;
	uint32_t watch_cnt;
	bool watching; /* st_ctl.watching */
	uint32_t conn_cnt;
	uint8_t mode; /* enum st_mode of new connections */
	/* Shall the ring refuse this record? NULL: never. */
	bool (*refuse)(void *ctx, const struct sim_sock *k, uint8_t kind);
	void *refuse_ctx;
	uint64_t refused;
	uint8_t missed[1u << 16]; /* bpf/missed.h: requests by the low bits of who read them */
	uint32_t
		drain_max; /* the reader takes at most so many; the others came while it did. 0: all */
};

struct sim *sim_new(uint32_t slot_cnt);
void sim_free(struct sim *s);

static inline void sim_sleep(struct sim *s, uint64_t ns)
{
	s->now_ns += ns;
}

/* Two connected ends before anything has happened; both traced, TCP over IPv4. */
void sim_pair(struct sim *s, struct sim_sock *client, struct sim_sock *server);
void sim_sock_free(struct sim_sock *k);

/* The three-way handshake; a socketpair or Unix connect when !tcp. */
void sim_connect(struct sim_sock *client);
/* The connect failed with that errno. */
void sim_connect_fail(struct sim_sock *client, uint16_t err);

/*
 * A send call: begins with len bytes asked, ends with `accepted` of them taken, which then lie in
 * the peer's queue. p NULL: bytes that no hook can read (sendfile, splice); the peer gets zeros.
 */
void sim_send_begin(struct sim_sock *k, const void *p, size_t len);
void sim_send_end(struct sim_sock *k, size_t accepted);
/* The same at one moment, all of it accepted. */
void sim_send(struct sim_sock *k, const void *p, size_t len);
void sim_puts(struct sim_sock *k, const char *z);
/* writev: each piece a buffer of its own; all accepted. */
void sim_sendv(struct sim_sock *k, const struct st_str *v, int cnt);

/* A receive of at most len bytes into readable memory. Returns how many there were. */
size_t sim_recv(struct sim_sock *k, size_t len);
size_t sim_recv_all(struct sim_sock *k);
/* The same by splice or MSG_TRUNC: the position moves, no hook can read. */
size_t sim_recv_blind(struct sim_sock *k, size_t len);

/* shutdown(SHUT_WR); close; close with SO_LINGER 0 or a crash of the machine: reset. */
void sim_shutdown(struct sim_sock *k);
void sim_close(struct sim_sock *k);
void sim_reset(struct sim_sock *k);

/* EXEC and EXIT records of a process. */
void sim_exit(struct sim *s, uint32_t tgid);

/* What bpf/ tells of tasks (ST_REC_TASK); kind: enum st_task_kind. Made by `parent`; 0: the thread. */
void sim_task_born(struct sim *s, uint32_t tgid, uint32_t tid, uint64_t task, uint8_t kind,
		   uint64_t parent);
/* The same by who has just read of k. */
void sim_task_born_for(struct sim_sock *k, uint64_t task, uint8_t kind, uint64_t parent);
/* The thread works for it from here on; 0: for none. */
void sim_task_runs(struct sim *s, uint32_t tgid, uint32_t tid, uint64_t task, uint8_t kind);
/* The ids of the request that k is about to send or to read (ST_REC_WIRE); what: enum st_wire_what. */
void sim_wire(struct sim_sock *k, uint8_t what, const struct st_ids *ids);
/* The next request on k is its call. */
void sim_task_calls(struct sim_sock *k, uint64_t task);
/*
 * What bpf/pool.h tells of a thread that waits in futex(2) at addr (ST_REC_WAIT); what: enum
 * st_wait_what, by: who woke it, name: its own or NULL.
 */
void sim_wait(struct sim *s, uint8_t what, uint32_t tgid, uint32_t tid, uint32_t by, uint64_t addr,
	      uint16_t flags, const char *name);
/*
 * What k is about to send lies where `from` received it (ST_REC_PASSED), `back` bytes before the end
 * of what that one has received.
 */
void sim_passed(struct sim_sock *k, const struct sim_sock *from, uint32_t back);

/* ---- the reader ---- */

/* What user/pipeline.c answers to the core; ctx is the simulation. */
void sim_on_expect(struct sim *s, uint32_t slot, uint64_t conn_id, enum st_dir dir, uint64_t end,
		   uint32_t turn);
void sim_on_mode(struct sim *s, uint32_t slot, uint64_t conn_id, enum st_mode mode, uint8_t proto);
void sim_on_gone(struct sim *s, uint32_t slot, uint64_t conn_id);

/*
 * Hands every waiting record to fn and forgets it; fn must not drain. The order is that of the
 * queue, which is that of time.
 */
typedef void (*sim_rec_fn)(void *ctx, const struct st_rec *rec);
void sim_drain(struct sim *s, sim_rec_fn fn, void *ctx);
/* After st_core__settle: looks at the slots whose ends are awaited, and tells those reached. */
void sim_drain_told(struct sim *s, sim_rec_fn fn, void *ctx);
/* Closed slots whose record was refused: user/sweep.c. */
void sim_sweep(struct sim *s, sim_rec_fn fn, void *ctx);

#endif
