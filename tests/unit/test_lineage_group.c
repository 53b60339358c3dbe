/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Proxies: an upstream exchange is the request's that is answered with the memory it was received in. */
#include "lineage_bed.h"

/* The one worker reads two, asks upstream for both. */
static void begin(struct stage *g)
{
	runs_program(g, "nginx");
	for (int i = 0; i < 2; i++)
		g->in[i].s.flags = ST_F_WATCHED | ST_F_WAITED;
	reads(g, 0, 7, "/r1");
	reads(g, 1, 7, "/r2");
	calls(g, 0, 7, "/c1");
	calls(g, 1, 7, "/c2");
}

/* in's answer comes from the memory where out's last bytes were received. */
static void passes(struct stage *g, int in, int out)
{
	sim_passed(&g->in[in].s, &g->out[out].c, 2);
	answers(g, in, 7);
}

static void two_upstreams_script(struct stage *g)
{
	begin(g);
	gets(g, 1, 7);
	gets(g, 0, 7);
	passes(g, 0, 0);
	passes(g, 1, 1);
	over(&g->b);
	below(g, "/c1", "/r1", "group");
	below(g, "/c2", "/r2", "group");
	assert_int_equal(g->b.calls_asked, 0);
}
PLAY(two_upstreams)

/* Order in time alone is no evidence. */
static void untold_script(struct stage *g)
{
	begin(g);
	gets(g, 0, 7);
	answers(g, 0, 7);
	gets(g, 1, 7);
	answers(g, 1, 7);
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(untold)

/* The upstream connection ended before its response was sent on. */
static void closed_before_script(struct stage *g)
{
	begin(g);
	gets(g, 0, 7);
	sim_passed(&g->in[0].s, &g->out[0].c, 2);
	sim_close(&g->out[0].s);
	sim_close(&g->out[0].c);
	bed_step(&g->b, MS);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/c1", "/r1", "group");
	alone(g, "/c2");
}
PLAY(closed_before)

static void closed_then_told_script(struct stage *g)
{
	begin(g);
	gets(g, 0, 7);
	sim_close(&g->out[0].s);
	sim_close(&g->out[0].c);
	g->out[0].c.conn_id = 0;
	bed_step(&g->b, MS);
	answers(g, 0, 7);
	gets(g, 1, 7);
	passes(g, 1, 1);
	over(&g->b);
	alone(g, "/c1");
	below(g, "/c2", "/r2", "group");
}
PLAY(closed_then_told)

/* What was received there before this response began: of another exchange, or of none. */
static void stale_place_script(struct stage *g)
{
	begin(g);
	gets(g, 0, 7);
	sim_passed(&g->in[0].s, &g->out[0].c, 100000);
	answers(g, 0, 7);
	gets(g, 1, 7);
	answers(g, 1, 7);
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(stale_place)

/* Kept upstream connection: the place is in an older response than the last one. */
static void older_response_script(struct stage *g)
{
	begin(g);
	gets(g, 0, 7);
	reads(g, 2, 7, "/r3");
	calls(g, 0, 7, "/c3");
	gets(g, 0, 7);
	sim_passed(&g->in[0].s, &g->out[0].c, 45); /* in the middle of the one before */
	answers(g, 0, 7);
	passes(g, 2, 0);
	gets(g, 1, 7);
	passes(g, 1, 1);
	over(&g->b);
	below(g, "/c1", "/r1", "group");
	below(g, "/c2", "/r2", "group");
	below(g, "/c3", "/r3", "group");
}
PLAY(older_response)

/* The place that a request without a call is answered from had been another one's. */
static void told_twice_script(struct stage *g)
{
	begin(g);
	gets(g, 0, 7);
	passes(g, 0, 0);
	sim_passed(&g->in[1].s, &g->out[0].c, 2);
	answers(g, 1, 7);
	over(&g->b);
	below(g, "/c1", "/r1", "group");
	alone(g, "/c2");
}
PLAY(told_twice)

/* Of two processes each is for itself. */
static void other_worker_script(struct stage *g)
{
	g->in[1].s.tgid = APP + 1;
	begin(g);
	gets(g, 0, 7);
	passes(g, 1, 0);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(other_worker)

/* Who is no known proxy passes nothing on. */
static void no_proxy_script(struct stage *g)
{
	begin(g);
	g->b.resource = NULL;
	gets(g, 0, 7);
	passes(g, 0, 0);
	answers(g, 1, 7);
	over(&g->b);
	alone(g, "/c1");
}

static void no_proxy(void **state)
{
	static struct stage g;

	(void)state;
	stage_init(&g, BED_LAZY); /* the process is looked up when the reader comes */
	no_proxy_script(&g);
	stage_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_upstreams), cmocka_unit_test(untold),
		cmocka_unit_test(closed_before), cmocka_unit_test(closed_then_told),
		cmocka_unit_test(stale_place),	 cmocka_unit_test(older_response),
		cmocka_unit_test(told_twice),	 cmocka_unit_test(other_worker),
		cmocka_unit_test(no_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
