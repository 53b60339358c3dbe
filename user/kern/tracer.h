/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel side, loaded and attached: maps, programs, links. One per process. */
#ifndef ST_KERN_TRACER_H
#define ST_KERN_TRACER_H

#include "kern/counters.h"
#include "kern/hists.h"
#include "kern/ladder.h"
#include "kern/rings.h"

struct st_tracer;

struct st_tracer_config {
	bool all;	       /* every process */
	bool follow;	       /* children of traced processes too */
	bool wait_decide;      /* capture unknown processes until st_tracer__set_proc was called */
	bool timing_only;      /* connections begin in ST_MODE_TIMING */
	int rung;	       /* force this enum st_rung; -1: the best of each need */
	const uint16_t *ports; /* at most 16, host byte order */
	int port_cnt;
	uint32_t ring_sz;      /* bytes, power of two; 0: by the number of CPUs */
	uint32_t max_conns;    /* 0: 16,384 */
	uint32_t propagate;    /* ST_PROPAGATE_* */
	uint64_t id_key[2];    /* the core's */
	uint64_t sample_below; /* the sampler's threshold for traces of ours */
};

/* Which hook serves a need, and why the better ones do not. */
struct st_tracer_need {
	int rung;		   /* enum st_rung, -1: none */
	char why[ST_RUNG_CNT][96]; /* per rung that was tried and refused */
};

/*
 * Loads and attaches. Nothing stays attached when the process ends, however it ends. Returns 0 or
 * -errno after having said what failed and what would cure it.
 */
int st_tracer__open(const struct st_tracer_config *cfg, struct st_tracer **out);
void st_tracer__close(struct st_tracer *t);

const struct st_tracer_need *st_tracer__need(const struct st_tracer *t, enum st_need need);
/* "tracepoints", or "tracepoints, fentry": the rungs in use. */
const char *st_tracer__rungs(const struct st_tracer *t);

struct st_rings *st_tracer__rings(struct st_tracer *t);
/* The connections' slots and how many there are. */
struct st_slot *st_tracer__slots(struct st_tracer *t, uint32_t *cnt);
/* Gives a slot back to the kernel; it must not be used by user space any more. */
void st_tracer__free_slot(struct st_tracer *t, uint32_t slot);
/* Adds the rings to an epoll set: it wakes when the kernel wakes the reader. 0 or -errno. */
int st_tracer__watch(struct st_tracer *t, int epoll_fd);
/* Takes every hook away; maps and rings stay. */
void st_tracer__detach(struct st_tracer *t);
struct st_ctl *st_tracer__ctl(struct st_tracer *t);
/*
 * Maps of another object that the hooks' object has as well become the same; those that nothing of it
 * uses are not made. Before its load. 0 or -errno.
 */
struct bpf_object;
int st_tracer__share_maps(const struct st_tracer *t, struct bpf_object *obj);
/* Descriptor of one of the maps, by the name that bpf/maps.h gives it; negative: there is none. */
int st_tracer__map(const struct st_tracer *t, const char *name);

/*
 * From now on threads that wait for several things at once are noted (ST_F_WAITED). Every switch of
 * the node pays for it, some 100 instructions. 0 or -errno.
 */
int st_tracer__watch_waits(struct st_tracer *t);

/*
 * From now on it is told which threads of this process wait in futex(2), and who wakes them
 * (ST_REC_WAIT), until it ends. With the first process every switch and every wake-up of the node pays
 * for it, some 50 instructions. 0 or -errno.
 */
int st_tracer__watch_pool(struct st_tracer *t, uint32_t tgid);

/*
 * Sets a mark (ST_MARK_*) of a process until it ends. ST_MARK_PROXY: what it receives is followed to
 * where it sends it (ST_REC_PASSED).
 */
void st_tracer__mark(struct st_tracer *t, uint32_t tgid, uint32_t mark);

/* enum st_proc_state of a thread group. */
void st_tracer__set_proc(struct st_tracer *t, uint32_t tgid, uint32_t state);
uint32_t st_tracer__proc(const struct st_tracer *t, uint32_t tgid);
/* Are its calls captured? */
bool st_tracer__traces(const struct st_tracer *t, uint32_t tgid);

/*
 * Brings the TX positions of these slots up to date (st_slot.dir[ST_TX].pos): what was accepted of
 * the sends so far. At most ST_ASK_MAX.
 */
void st_tracer__ask(struct st_tracer *t, const uint32_t *slots, uint32_t cnt);

/*
 * Marks the slots of sockets that are alive with a new round's number (st_slot.seen), which it
 * returns; 0 when this kernel cannot tell.
 */
uint32_t st_tracer__walk_sockets(struct st_tracer *t);

/* Sum over the CPUs; ST_C_MAX values. */
int st_tracer__counters(const struct st_tracer *t, uint64_t out[ST_C_MAX]);

/* Runs of programs that the kernel skipped: each may have been a call of a traced process. */
uint64_t st_tracer__nested(const struct st_tracer *t);

/* The latency histograms, with timing_only; see kern/hists.h. */
const struct st_hists *st_tracer__hists(const struct st_tracer *t);

/* Bytes of all BPF maps, as the kernel accounts them. */
uint64_t st_tracer__map_bytes(const struct st_tracer *t);

/* The same map by map, by the kernel's names; the rings of all CPUs are one: "records". */
typedef void (*st_map_fn)(void *ctx, const char *name, uint64_t sz);
void st_tracer__each_map(const struct st_tracer *t, st_map_fn fn, void *ctx);

#endif
