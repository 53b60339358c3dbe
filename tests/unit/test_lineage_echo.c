/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Proxies that copy: an upstream exchange is the request's that is answered with the same bytes. */
#include "lineage_bed.h"

static void put_response(struct stage *g, struct sim_sock *k, const char *body)
{
	char z[512];

	snprintf(z, sizeof(z), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
		 body);
	sim_puts(k, z);
	bed_step(&g->b, MS);
}

/* The response of an upstream, received by the proxy. */
static void brings(struct stage *g, int out, const char *body)
{
	g->out[out].c.tid = 7;
	put_response(g, &g->out[out].s, body);
	sim_recv_all(&g->out[out].c);
	bed_step(&g->b, MS);
}

static void says(struct stage *g, int in, const char *body)
{
	g->in[in].s.tid = 7;
	put_response(g, &g->in[in].s, body);
	sim_recv_all(&g->in[in].c);
	bed_step(&g->b, MS);
}

static void begin(struct stage *g)
{
	runs_program(g, "envoy");
	for (int i = 0; i < 2; i++)
		g->in[i].s.flags = ST_F_WATCHED | ST_F_WAITED;
	/* What was before the first response is not known. */
	reads(g, 0, 7, "/r0");
	calls(g, 0, 7, "/c0");
	brings(g, 0, "the very first");
	says(g, 0, "the very first");
	reads(g, 0, 7, "/r1");
	reads(g, 1, 7, "/r2");
	calls(g, 0, 7, "/c1");
	calls(g, 1, 7, "/c2");
}

static void same_bytes_script(struct stage *g)
{
	begin(g);
	brings(g, 1, "the second");
	brings(g, 0, "the first one");
	says(g, 0, "the first one");
	says(g, 1, "the second");
	over(&g->b);
	below(g, "/c1", "/r1", "group");
	below(g, "/c2", "/r2", "group");
}
PLAY(same_bytes)

/* What all responses look like tells nothing. */
static void all_alike_script(struct stage *g)
{
	begin(g);
	brings(g, 0, "{\"status\":\"fine\"}");
	brings(g, 1, "{\"status\":\"fine\"}");
	says(g, 1, "{\"status\":\"fine\"}");
	says(g, 0, "{\"status\":\"fine\"}");
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(all_alike)

/* One response for two answers, out of a cache. */
static void shared_script(struct stage *g)
{
	begin(g);
	brings(g, 0, "for both of them");
	says(g, 1, "for both of them");
	says(g, 0, "for both of them");
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(shared)

/* Too short to be one's own. */
static void too_short_script(struct stage *g)
{
	begin(g);
	brings(g, 0, "1");
	says(g, 0, "1");
	brings(g, 1, "2");
	says(g, 1, "2");
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(too_short)

/* The answer was there before the response. */
static void before_script(struct stage *g)
{
	begin(g);
	says(g, 0, "of the proxy's own");
	brings(g, 0, "of the proxy's own");
	says(g, 1, "something else");
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(before)

/* The first client leaves; what was fetched for it answers the second, out of a cache. */
static void left_script(struct stage *g)
{
	begin(g);
	sim_close(&g->in[0].s);
	bed_step(&g->b, MS);
	brings(g, 0, "what both asked for");
	says(g, 1, "what both asked for");
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(left)

/* Memory that is handed out again at once is no evidence: the answer is another response's. */
static void memory_script(struct stage *g)
{
	begin(g);
	brings(g, 0, "");
	sim_passed(&g->in[1].s, &g->out[0].c, 2);
	says(g, 1, "");
	says(g, 0, "");
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bytes), cmocka_unit_test(all_alike), cmocka_unit_test(shared),
		cmocka_unit_test(too_short),  cmocka_unit_test(before),	   cmocka_unit_test(left),
		cmocka_unit_test(memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
