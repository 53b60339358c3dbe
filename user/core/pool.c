/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/pool.h"

#include <stdlib.h>

#include "core/conn.h"

#define HOME_MIN 2u /* sleeps at home before it is one */
#define HOME_MAX 16u

/* ---- the table ---- */

static struct st_mate **bucket_of(struct st_pool *pool, uint32_t tid)
{
	return &pool->mate[(tid * 0x9e3779b1u >> 12) % ST_POOL_BUCKETS];
}

static void forget_all(struct st_pool *pool)
{
	for (uint32_t i = 0; i < ST_POOL_BUCKETS; i++) {
		struct st_mate *m = pool->mate[i], *next;

		for (; m; m = next) {
			next = m->next;
			free(m);
		}
		pool->mate[i] = NULL;
	}
	pool->cnt = 0;
}

struct st_pool *st_pool__get(struct st_core *c, struct st_proc *p)
{
	if (!p->pool) {
		p->pool = calloc(1, sizeof(*p->pool));
		if (!p->pool)
			return NULL;
		p->pool->refused = c->refused;
	}
	if (p->pool->refused != c->refused || p->pool->cnt >= ST_POOL_MATES_MAX) {
		forget_all(p->pool);
		p->pool->refused = c->refused;
	}
	return p->pool;
}

void st_pool__free(struct st_pool *pool)
{
	if (pool)
		forget_all(pool);
	free(pool);
}

struct st_mate *st_mate__find(struct st_pool *pool, uint32_t tid)
{
	struct st_mate *m = pool ? *bucket_of(pool, tid) : NULL;

	while (m && m->tid != tid)
		m = m->next;
	return m;
}

struct st_mate *st_mate__get(struct st_pool *pool, uint32_t tid)
{
	struct st_mate *m = st_mate__find(pool, tid);

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->tid = tid;
	m->run = ++pool->runs;
	m->next = *bucket_of(pool, tid);
	*bucket_of(pool, tid) = m;
	pool->cnt++;
	return m;
}

void st_mate__drop(struct st_pool *pool, uint32_t tid)
{
	struct st_mate **at = bucket_of(pool, tid), *m;

	while (*at && (*at)->tid != tid)
		at = &(*at)->next;
	m = *at;
	if (!m)
		return;
	*at = m->next;
	pool->cnt--;
	free(m);
}

/* ---- sleep ---- */

/* A condition variable has two words to wait on, by turns. */
static bool is_same_place(uint64_t a, uint64_t b)
{
	return a - b + 4 <= 8;
}

/* The majority of its sleeps (Boyer and Moore). */
static void note_home(struct st_mate *m)
{
	if (is_same_place(m->addr, m->home)) {
		if (m->home_cnt < HOME_MAX)
			m->home_cnt++;
	} else if (m->home_cnt) {
		m->home_cnt--;
	} else {
		m->home = m->addr;
		m->home_cnt = 1;
	}
}

static void begin_run(struct st_pool *pool, struct st_mate *m, const struct st_rec *rec)
{
	memcpy(m->name, &rec->opp_pos, 8);
	memcpy(m->name + 8, &rec->opp_time_ns, 8);
	m->since_ns = m->acted_ns = rec->time_ns;
	m->run = ++pool->runs;
	m->up_no = m->woke_no = 0;
	m->called = false;
	m->by = 0;
}

void st_mate__sleeps(struct st_pool *pool, struct st_mate *m, const struct st_rec *rec)
{
	if (m->early) {
		m->early = false;
		return;
	}
	begin_run(pool, m, rec);
	m->asleep = true;
	m->addr = rec->pos;
	note_home(m);
}

void st_mate__wakes(struct st_pool *pool, struct st_mate *m, const struct st_rec *rec)
{
	if (m->works && st_mate__is_idle(m))
		pool->puts++;
	m->early = !m->asleep && rec->flags & ST_F_EARLY;
	begin_run(pool, m, rec);
	m->asleep = false;
	m->addr = rec->pos;
	if (!m->home_cnt)
		m->home = m->addr;
	if (rec->what == ST_WAIT_WOKEN)
		m->by = rec->call_len;
}

/* ---- pools ---- */

bool st_mate__is_idle(const struct st_mate *m)
{
	return m->asleep && m->home_cnt >= HOME_MIN && is_same_place(m->addr, m->home);
}

/*
 * "pool-3-thread-7": each pool of Java has a number, unless its maker named the threads (Executors.
 * defaultThreadFactory). How long "pool-3-thread" is; 0: it is not called so. Any other name may be
 * that of threads with a queue each.
 */
static size_t java_pool(const struct st_mate *m)
{
	const char *p = m->name + 5;

	if (memcmp(m->name, "pool-", 5))
		return 0;
	while (*p >= '0' && *p <= '9' && p < m->name + 9)
		p++;
	return p > m->name + 5 && !memcmp(p, "-thread", 7) ? (size_t)(p + 7 - m->name) : 0;
}

/* Do they wait at one place, or each at its own and are called so? */
static bool is_same_pool(const struct st_mate *a, const struct st_mate *b)
{
	size_t n;

	if (is_same_place(a->home, b->home))
		return true;
	n = java_pool(a);
	return n && n == java_pool(b) && !memcmp(a->name, b->name, n);
}

bool st_pool__has_idle(const struct st_pool *pool, const struct st_mate *m)
{
	for (uint32_t i = 0; i < ST_POOL_BUCKETS; i++)
		for (const struct st_mate *o = pool->mate[i]; o; o = o->next)
			if (o != m && o->works && st_mate__is_idle(o) && is_same_pool(o, m))
				return true;
	return false;
}

bool st_pool__has_dozing(const struct st_pool *pool, const struct st_mate *m, uint64_t before_ns)
{
	for (uint32_t i = 0; i < ST_POOL_BUCKETS; i++)
		for (const struct st_mate *o = pool->mate[i]; o; o = o->next)
			if (o != m && !o->asleep && !o->called && o->acted_ns == o->since_ns &&
			    o->since_ns < before_ns && is_same_pool(o, m))
				return true;
	return false;
}
