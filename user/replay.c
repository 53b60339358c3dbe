/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "core/recording.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "pipeline.h"
#include "report.h"

#define FLUSH_NS     (10 * ST_NSEC_PER_SEC)
#define TICK_RECORDS 256u
#define WAIT_NS	     ST_NSEC_PER_MSEC

struct replay {
	const struct st_config *cfg;
	struct st_pipeline *pipe;
	struct st_rec *room;
	uint64_t now_ns;       /* of the recording */
	uint64_t next_tick_ns; /* of the recording */
	uint32_t records;
	uint32_t capacity; /* of the outputs when empty */
	bool said;	   /* what made it fail, by who found it */
};

/* Outputs live by the clock of this machine, what is known of processes by the recording's. */
static void pass_time(struct replay *r)
{
	st_outputs__tick(st_pipeline__outputs(r->pipe), st_clock__mono_ns());
	if (r->now_ns < r->next_tick_ns)
		return;
	st_registry__tick(st_pipeline__registry(r->pipe), r->now_ns);
	r->next_tick_ns = r->now_ns + ST_NSEC_PER_SEC;
}

/* A file is read faster than any output takes spans: it waits instead of losing some. */
static void await_room(struct replay *r, uint64_t spans)
{
	const struct timespec nap = {.tv_nsec = WAIT_NS};
	uint64_t need = spans < r->capacity ? spans : r->capacity;

	while (st_outputs__room(st_pipeline__outputs(r->pipe)) < need) {
		pass_time(r);
		if (st_outputs__room(st_pipeline__outputs(r->pipe)) >= need)
			return;
		nanosleep(&nap, NULL);
	}
}

static int on_start(struct replay *r, const struct st_item *item)
{
	const struct st_item_start *s = (const struct st_item_start *)item->data.p;
	int err;

	if (r->pipe || item->data.len < sizeof(*s) || !s->max_conns || s->max_conns > 1u << 22)
		return -EBADMSG;
	err = st_pipeline__new(r->cfg, s, NULL, &r->pipe);
	r->said = err;
	if (!err)
		r->capacity = st_outputs__room(st_pipeline__outputs(r->pipe));
	return err;
}

static int on_resource(struct replay *r, const struct st_item *item)
{
	const uint32_t *head = (const uint32_t *)item->data.p;

	if (item->data.len < 8)
		return -EBADMSG;
	return st_registry__put(st_pipeline__registry(r->pipe), (int)head[0],
				st_str(item->data.p + 8, item->data.len - 8));
}

/* A record ends no more exchanges than are open, or one connect that failed. */
static uint64_t open_cnt(const struct replay *r)
{
	struct st_core_stats stats;

	st_core__stats(st_pipeline__core(r->pipe), &stats);
	return stats.open;
}

static int on_record(struct replay *r, const struct st_item *item)
{
	int err = st_recording__record(item, r->room);

	if (err)
		return err;
	/* Ends that the slots told carry their own time, which has passed. */
	if (r->room->time_ns > r->now_ns)
		r->now_ns = r->room->time_ns;
	if (++r->records % TICK_RECORDS == 0)
		pass_time(r);
	await_room(r, open_cnt(r) + 1);
	st_pipeline__record(r->pipe, r->room);
	st_pipeline__settle(r->pipe);
	return 0;
}

static int on_tick(struct replay *r, const struct st_item *item)
{
	if (item->data.len < 8)
		return -EBADMSG;
	await_room(r, open_cnt(r));
	st_pipeline__pass_time(r->pipe, *(const uint64_t *)item->data.p);
	return 0;
}

static int on_item(struct replay *r, const struct st_item *item)
{
	if (item->type == ST_ITEM_START)
		return on_start(r, item);
	if (!r->pipe)
		return -EBADMSG;
	switch (item->type) {
	case ST_ITEM_RECORD:
		return on_record(r, item);
	case ST_ITEM_RESOURCE:
		return on_resource(r, item);
	case ST_ITEM_CLOCK:
		if (item->data.len < 8)
			return -EBADMSG;
		st_pipeline__set_clock(r->pipe, *(const int64_t *)item->data.p);
		return 0;
	case ST_ITEM_TICK:
		return on_tick(r, item);
	case ST_ITEM_END:
		if (item->data.len < 8)
			return -EBADMSG;
		r->now_ns = *(const uint64_t *)item->data.p;
		return 0;
	}
	return 0; /* a later version's item */
}

static int run_all(struct replay *r, const void *p, size_t len)
{
	struct st_recording rec;
	struct st_item item;
	int rc = st_recording__open(&rec, p, len);

	if (rc) {
		st_error("replay %s: %s", r->cfg->replay,
			 rc == -ENOTSUP ? "a recording of another version of spantap"
					: "not a recording of spantap (--record makes one)");
		return rc;
	}
	while ((rc = st_recording__next(&rec, &item)) == 1) {
		rc = on_item(r, &item);
		if (r->said)
			return rc;
		if (rc)
			rec.off = item.off;
		if (rc)
			break;
	}
	if (rc)
		st_error("replay %s: broken at byte %zu; what lies before it was replayed",
			 r->cfg->replay, rec.off);
	else if (rec.truncated)
		st_warn("replay %s: the last block is cut at byte %zu (the tracer was killed, or its disk full)",
			r->cfg->replay, rec.off);
	return rc;
}

/* -ENODEV, as mmap(2) has it, for what is no file. */
static int map_file(const char *path, const void **p, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -ENODEV;
	*len = err ? 0 : (size_t)st.st_size;
	*p = "";
	if (*len) {
		*p = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (*p == MAP_FAILED)
			err = -errno;
	}
	close(fd);
	return err;
}

static void finish(struct replay *r)
{
	await_room(r, open_cnt(r));
	st_pipeline__end(r->pipe, r->now_ns);
	pass_time(r);
	st_outputs__flush(st_pipeline__outputs(r->pipe), st_clock__mono_ns() + FLUSH_NS);
	st_report__closing(st_pipeline__core(r->pipe), st_pipeline__outputs(r->pipe), NULL);
}

int st_replay__run(const struct st_config *cfg)
{
	struct replay r = {.cfg = cfg, .room = malloc(ST_RECORD_ROOM)};
	const void *p = "";
	size_t len = 0;
	int err = r.room ? map_file(cfg->replay, &p, &len) : -ENOMEM;

	if (err) {
		st_error("replay %s: %s", cfg->replay,
			 err == -ENODEV ? "not a file; write what comes from a pipe to one first"
					: strerror(-err));
		free(r.room);
		return ST_EXIT_FAILED;
	}
	err = run_all(&r, p, len);
	if (r.pipe)
		finish(&r);
	st_pipeline__free(r.pipe, r.now_ns, st_clock__mono_ns() + FLUSH_NS);
	if (len)
		munmap((void *)(uintptr_t)p, len);
	free(r.room);
	return err ? ST_EXIT_FAILED : ST_EXIT_OK;
}
