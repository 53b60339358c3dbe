/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Attach, then sleep, read and report until it is over. */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli.h"
#include "core/propagate.h"
#include "core/sample.h"
#include "kern/memory.h"
#include "kern/propagation.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "follower.h"
#include "overflow.h"
#include "pipeline.h"
#include "report.h"
#include "sweep.h"
#include "who.h"

/* While records come, the rings are read this often, without a wake-up for each. */
#define NAP_NS	      (7 * ST_NSEC_PER_MSEC)
/* After a sleep the response follows its request soon: the naps begin short and double. */
#define NAP_FIRST_NS  ST_NSEC_PER_MSEC
#define NAP_BUSY_NS   (2 * ST_NSEC_PER_MSEC)
#define BUSY_RECORDS  2000u
/* After so many naps without a record the next one wakes the reader. */
#define EMPTY_NAPS    8u
/* An output that is behind holds the reader back until a ring is so full. */
#define HOLD_PERCENT  70u
/* ... or for so long: nor counters nor other outputs wait for a receiver that is gone. */
#define HOLD_NS	      (200 * ST_NSEC_PER_MSEC)
/* Events of the epoll set that are no ring's. */
#define FROM_SIGNAL   1u
#define ROOM_MIN      64u
#define FLUSH_NS      (5 * ST_NSEC_PER_SEC)
#define OPEN_AFTER_NS (60 * ST_NSEC_PER_SEC)
#define READER_NICE   (-10)
#define CLOCK_STEP_NS (10 * ST_NSEC_PER_MSEC)

struct trace {
	const struct st_config *cfg;
	struct st_who *who;
	struct st_tracer *tracer;
	struct st_pipeline *pipe;
	struct st_ctl *ctl;
	struct st_follower *follow; /* NULL: no spans are wanted */
	struct st_overflow *overflow;
	struct st_propagation *wire; /* NULL: without --propagate */
	struct st_own own;
	uint64_t id_key[2];
	int epoll_fd;
	int signal_fd;
	bool stop;
	bool asked;	 /* SIGUSR1: answered when what there is has been read */
	uint64_t end_ns; /* --duration */
	uint64_t next_second_ns;
	int64_t epoch_off_ns;
	uint32_t empty_naps;
	uint64_t nap_ns;
	bool timing_only;
	bool held;	  /* records wait in the rings for room behind them: no wake-up helps */
	uint64_t full_ns; /* since when there is no room; 0: there is */
};

/*
 * A child's memory is a copy, where no probe of its parent's counts; another image has none. Where all
 * processes are traced, those that make calls are found by that (follow_soon).
 */
static void follow(struct trace *t, const struct st_rec *rec)
{
	if (!t->follow)
		return;
	if (rec->kind == ST_REC_EXEC || rec->kind == ST_REC_EXIT)
		st_follower__forget(t->follow, rec->tgid);
	if (t->cfg->all || !st_who__traces(t->who, t->tracer, rec->tgid))
		return;
	if (rec->kind == ST_REC_EXEC)
		st_follower__soon(t->follow, rec->tgid);
	else if (rec->kind == ST_REC_FORK)
		st_follower__forked(t->follow, rec->call_len, rec->tgid);
}

static void on_record(void *ctx, const struct st_rec *rec)
{
	struct trace *t = ctx;

	if (rec->kind == ST_REC_EXEC || rec->kind == ST_REC_EXIT)
		st_who__process(t->who, t->tracer, rec);
	follow(t, rec);
	if (rec->kind == ST_REC_EXIT)
		st_timing__ended(t->own.timing);
	if (rec->kind != ST_REC_STATE && !st_who__wants(t->who, t->tracer, rec))
		return;
	st_pipeline__record(t->pipe, rec);
}

static void on_signal(struct trace *t)
{
	struct signalfd_siginfo si;

	while (read(t->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGUSR1)
			t->asked = true;
		else if (si.ssi_signo == SIGCHLD)
			t->stop |= st_who__reap(t->who) >= 0;
		else
			t->stop = true;
	}
}

static int block_signals(struct trace *t)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = FROM_SIGNAL};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	t->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (t->signal_fd < 0 || t->epoll_fd < 0)
		return -errno;
	return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->signal_fd, &ev) ? -errno : 0;
}

static int attach(struct trace *t)
{
	struct st_tracer_config tc = {
		.rung = -1,
		.ring_sz = t->cfg->ring_sz,
		.max_conns = t->cfg->max_conns,
		.propagate = t->cfg->propagate,
		.sample_below = st_sampler__of(t->cfg->sampler, t->cfg->sample_ratio).threshold,
	};
	int err;

	if (getrandom(t->id_key, sizeof(t->id_key), 0) != sizeof(t->id_key))
		return -errno;
	memcpy(tc.id_key, t->id_key, sizeof(tc.id_key));
	if (t->cfg->rung)
		tc.rung = st_rung__by_name(t->cfg->rung);
	st_who__tracer_config(t->who, &tc);
	/* Nobody wants spans: the kernel's histograms are enough. */
	t->timing_only = t->cfg->output_cnt == 1 && !strcmp(t->cfg->outputs[0], "none") &&
			 !t->cfg->record && !t->cfg->propagate;
	tc.timing_only = t->timing_only;
	err = st_tracer__open(&tc, &t->tracer);
	if (err)
		return err;
	/*
	 * The little that the reader does must not wait behind what it traces: on a full machine
	 * the rings would overflow. Without the privilege it goes on as it is.
	 */
	setpriority(PRIO_PROCESS, 0, READER_NICE);
	t->ctl = st_tracer__ctl(t->tracer);
	t->own.tracer = t->tracer;
	t->own.who = t->who;
	return st_tracer__watch(t->tracer, t->epoll_fd);
}

static int make_pipeline(struct trace *t)
{
	struct st_item_start start = {.abi = ST_ABI_VERSION};

	t->epoch_off_ns = st_clock__epoch_offset_ns();
	start.epoch_off_ns = t->epoch_off_ns;
	memcpy(start.id_key, t->id_key, sizeof(start.id_key));
	st_tracer__slots(t->tracer, &start.max_conns);
	return st_pipeline__new(t->cfg, &start, t->tracer, &t->pipe);
}

static void say_hello(struct trace *t)
{
	char who[128], out[256];

	st_who__describe(t->who, who, sizeof(who));
	st_outputs__describe(st_pipeline__outputs(t->pipe), out, sizeof(out));
	st_info("%s, hooks: %s; sending to %s. Ctrl-C ends.", who, st_tracer__rungs(t->tracer),
		out);
}

/* The real-time clock may be set while we run: spans that begin from now on follow it. */
static void check_clock(struct trace *t)
{
	int64_t off = st_clock__epoch_offset_ns(), diff = off - t->epoch_off_ns;

	if (diff < (int64_t)CLOCK_STEP_NS && diff > -(int64_t)CLOCK_STEP_NS)
		return;
	t->epoch_off_ns = off;
	st_pipeline__set_clock(t->pipe, off);
}

static void every_second(struct trace *t, uint64_t now_ns)
{
	if (now_ns < t->next_second_ns)
		return;
	t->next_second_ns = now_ns + ST_NSEC_PER_SEC;
	check_clock(t);
	st_report__open(st_pipeline__core(t->pipe), now_ns, OPEN_AFTER_NS, true);
	st_sweep__run(t->pipe, t->tracer, false);
	if (st_who__all_gone(t->who)) {
		st_info("the traced processes have ended");
		t->stop = true;
	}
	/* A command of ours is waited for all the same: its exit code is ours. */
	if (!t->cfg->record && !t->cfg->argv && st_outputs__gone(st_pipeline__outputs(t->pipe)))
		t->stop = true;
}

static void wait_until(struct trace *t, uint64_t until_ns, uint32_t how)
{
	struct epoll_event ev[4];
	uint64_t now_ns = st_clock__mono_ns();
	int timeout = -1, n;

	if (until_ns != UINT64_MAX)
		timeout = until_ns > now_ns ? (int)((until_ns - now_ns) / ST_NSEC_PER_MSEC) + 1 : 0;
	/*
	 * The kernel wakes whoever it finds asleep. Said first, then looked once more: a record
	 * that came in between is seen here, a later one wakes.
	 */
	__atomic_store_n(&t->ctl->sleeping, how, __ATOMIC_SEQ_CST);
	if (how == ST_SLEEP_DEEP && st_rings__pending(st_tracer__rings(t->tracer)))
		timeout = 0;
	n = epoll_wait(t->epoll_fd, ev, 4, timeout);
	__atomic_store_n(&t->ctl->sleeping, ST_SLEEP_NOT, __ATOMIC_SEQ_CST);
	for (int i = 0; i < n; i++)
		if (ev[i].data.u32 == FROM_SIGNAL)
			on_signal(t);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool may_hold(struct trace *t)
{
	uint64_t now_ns = st_clock__mono_ns();

	if (!t->full_ns)
		t->full_ns = now_ns;
	return now_ns - t->full_ns < HOLD_NS &&
	       st_rings__fill(st_tracer__rings(t->tracer)) < HOLD_PERCENT;
}

/* A record makes one span, as a rule; those that are ready come first. */
static uint64_t free_room(const struct trace *t)
{
	uint64_t n = st_outputs__room(st_pipeline__outputs(t->pipe));
	uint64_t ready = st_core__ready(st_pipeline__core(t->pipe));

	return n > ready ? n - ready : 0;
}

/* Of records; an output that is full and can write does so first. */
static uint64_t room(struct trace *t)
{
	uint64_t n = free_room(t);

	if (n >= ROOM_MIN)
		return n;
	st_pipeline__tick(t->pipe, st_clock__mono_ns());
	return free_room(t);
}

/*
 * Reads what the outputs have room for. When they have none, the rings keep the records for a
 * while; a ring about to overflow is read all the same, since a span that is dropped behind it is
 * counted as exactly as one before.
 */
static uint64_t read_rings(struct trace *t)
{
	struct st_rings *rings = st_tracer__rings(t->tracer);
	uint64_t n = 0, got, max;

	t->held = false;
	do {
		max = room(t);
		if (max < ROOM_MIN) {
			t->held = may_hold(t);
			if (t->held)
				return n + 1; /* not idle: look again soon */
			max = ROOM_MIN;
		} else {
			t->full_ns = 0;
		}
		got = st_rings__drain(rings, max, on_record, t);
		st_pipeline__settle(t->pipe);
		n += got;
		if (got == max)
			st_pipeline__tick(t->pipe, st_clock__mono_ns());
	} while (got == max);
	return n;
}

static void answer(struct trace *t)
{
	if (t->asked)
		st_report__full(st_pipeline__core(t->pipe), st_pipeline__outputs(t->pipe), &t->own);
	t->asked = false;
}

static uint64_t look_for_overflow(struct trace *t, uint64_t now_ns, uint64_t every_ns)
{
	return st_overflow__run(t->overflow, t->pipe, t->who, t->tracer, now_ns, every_ns);
}

/* What is held back wakes nobody, so that it is looked at often. */
static uint64_t nap(const struct trace *t, uint64_t records)
{
	if (t->held)
		return NAP_FIRST_NS;
	return records > BUSY_RECORDS ? NAP_BUSY_NS : t->nap_ns;
}

/* One round: read what is there, pass time on, then sleep as deep as the traffic allows. */
static void round_once(struct trace *t)
{
	uint64_t n = read_rings(t), now_ns, next;

	answer(t);
	now_ns = st_clock__mono_ns();
	next = min_u64(st_pipeline__tick(t->pipe, now_ns), t->end_ns);
	every_second(t, now_ns);
	next = min_u64(next, st_sweep__unix(t->pipe, t->tracer, t->own.timing, now_ns));
	if (t->own.timing)
		next = min_u64(next, st_timing__run(t->own.timing, now_ns));
	t->empty_naps = n ? 0 : t->empty_naps + 1;
	next = min_u64(next, look_for_overflow(t, now_ns,
					       t->empty_naps < EMPTY_NAPS ? ST_OVERFLOW_EVERY_NS
									  : ST_OVERFLOW_ASLEEP_NS));
	if (now_ns >= t->end_ns)
		t->stop = true;
	if (t->stop)
		return;
	if (t->empty_naps < EMPTY_NAPS) {
		t->nap_ns = min_u64(NAP_NS, t->nap_ns * 2);
		wait_until(t, min_u64(next, now_ns + nap(t, n)),
			   t->held ? ST_SLEEP_NOT : ST_SLEEP_NAP);
		return;
	}
	if (st_report__has_open(st_pipeline__core(t->pipe)) || !st_who__is_open_ended(t->who))
		next = min_u64(next, t->next_second_ns);
	t->nap_ns = NAP_FIRST_NS / 2;
	wait_until(t, next, ST_SLEEP_DEEP);
}

/* Until the rings are empty or the outputs have had their time to catch up. */
static void read_to_end(struct trace *t)
{
	uint64_t until_ns = st_clock__mono_ns() + FLUSH_NS;

	while (read_rings(t) && st_clock__mono_ns() < until_ns)
		if (st_outputs__room(st_pipeline__outputs(t->pipe)) < ROOM_MIN)
			usleep(1000);
	st_rings__drain(st_tracer__rings(t->tracer), UINT64_MAX, on_record, t);
	st_pipeline__settle(t->pipe);
}

/* No more records are made; those that were are read, and the requests still open are ended. */
static void finish(struct trace *t)
{
	struct st_core *core = st_pipeline__core(t->pipe);
	struct st_outputs *outputs = st_pipeline__outputs(t->pipe);

	t->ctl->stopping = 1;
	read_to_end(t);
	look_for_overflow(t, st_clock__mono_ns(), 0);
	st_tracer__detach(t->tracer);
	st_propagation__detach(t->wire);
	st_sweep__run(t->pipe, t->tracer, true);
	st_pipeline__end(t->pipe, st_clock__mono_ns());
	st_pipeline__tick(t->pipe, st_clock__mono_ns());
	st_outputs__flush(outputs, st_clock__mono_ns() + FLUSH_NS);
	if (t->own.timing)
		st_report__latency(&t->own);
	st_report__closing(core, outputs, &t->own);
}

static int make_timing(struct trace *t)
{
	if (!t->timing_only)
		return 0;
	t->own.timing = st_timing__new(t->tracer, st_pipeline__registry(t->pipe), t->who);
	return t->own.timing ? 0 : -ENOMEM;
}

static void follow_soon(void *ctx, uint32_t tgid)
{
	st_follower__soon(((struct trace *)ctx)->follow, tgid);
}

static void follow_one(void *ctx, uint32_t tgid)
{
	struct trace *t = ctx;

	st_follower__now(t->follow, tgid);
	/* A proxy has a rule of its own. */
	if (!st_who__is_proxy(tgid))
		st_pipeline__watch_waits(t->pipe);
}

/* Whose a call is must be known as it leaves: whether a thread waits for several things is seen at once. */
static int propagate(struct trace *t)
{
	const struct st_config *cfg = t->cfg;
	struct st_wire_header header = {0};
	struct st_propagation_config pc = {
		.ways = cfg->propagate,
		.rules = cfg->wire_rules,
		.rule_cnt = (uint32_t)cfg->wire_rule_cnt,
		.header = &header,
	};
	int err;

	if (!cfg->propagate)
		return 0;
	if (cfg->propagate & ST_PROPAGATE_HEADER &&
	    st_propagate__template(&cfg->propagators, &header)) {
		st_error(
			"--propagate=header: OTEL_PROPAGATORS names no format to write; add tracecontext");
		return -EINVAL;
	}
	err = st_propagation__open(t->tracer, &pc, &t->wire);
	if (err)
		return err;
	t->own.wire = t->wire;
	st_pipeline__watch_waits(t->pipe);
	return 0;
}

static void enroll_old(struct trace *t)
{
	int err = st_propagation__enroll_old(t->wire);

	if (err)
		st_info("--propagate: connections that are there already do not tell: %s",
			strerror(-err));
}

static int start(struct trace *t)
{
	int err = block_signals(t);

	if (!err)
		err = st_who__new(t->cfg, &t->who);
	if (!err)
		err = attach(t);
	if (!err)
		err = make_pipeline(t);
	if (!err)
		err = make_timing(t);
	if (!err)
		err = propagate(t);
	if (!err && !t->timing_only && !(t->follow = st_follower__new(t->tracer)))
		err = -ENOMEM;
	if (!err && t->follow)
		st_pipeline__on_calls(t->pipe, follow_soon, t);
	if (!err && t->follow)
		st_who__on_chosen(t->who, follow_one, t);
	if (!err)
		err = st_who__begin(t->who, t->tracer);
	if (!err && t->wire)
		enroll_old(t);
	if (!err && !(t->overflow = st_overflow__new(t->cfg)))
		err = -ENOMEM;
	return err;
}

int st_trace__run(const struct st_config *cfg)
{
	struct trace t = {
		.cfg = cfg,
		.epoll_fd = -1,
		.nap_ns = NAP_FIRST_NS / 2,
		.signal_fd = -1,
		.own = {.started_ns = st_clock__mono_ns(), .cpu_at_start_ns = 0},
	};
	int err = start(&t), code;

	t.end_ns = cfg->duration_ns ? st_clock__mono_ns() + cfg->duration_ns : UINT64_MAX;
	if (!err) {
		say_hello(&t);
		st_memory__shed();
		while (!t.stop)
			round_once(&t);
		finish(&t);
	}
	code = t.who ? st_who__reap(t.who) : -1;
	st_timing__free(t.own.timing);
	st_pipeline__free(t.pipe, st_clock__mono_ns(), st_clock__mono_ns() + FLUSH_NS);
	st_overflow__free(t.overflow);
	st_follower__free(t.follow);
	st_propagation__close(t.wire);
	st_tracer__close(t.tracer);
	st_who__free(t.who);
	close(t.signal_fd);
	close(t.epoll_fd);
	if (err)
		return err == -EINVAL ? ST_EXIT_USAGE : ST_EXIT_FAILED;
	return code >= 0 ? code : ST_EXIT_OK;
}
