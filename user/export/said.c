/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/said.h"

#define AGAIN_NS 60000000000ull

static uint32_t reason_hash(const char *p)
{
	uint32_t h = 2166136261u;

	for (; *p; p++)
		if (*p < '0' || *p > '9')
			h = (h ^ (uint8_t)*p) * 16777619u;
	return h;
}

bool st_said__may(struct st_said *s, const char *reason, uint64_t now_ns, uint32_t *unsaid)
{
	uint32_t hash = reason_hash(reason);
	unsigned int at = 0;

	for (unsigned int i = 0; i < ST_SAID_CNT; i++) {
		if (s->v[i].at_ns && s->v[i].hash == hash) {
			at = i;
			break;
		}
		/* Else over the oldest. */
		if (s->v[i].at_ns < s->v[at].at_ns)
			at = i;
	}
	*unsaid = 0;
	if (s->v[at].at_ns && s->v[at].hash == hash) {
		if (now_ns - s->v[at].at_ns < AGAIN_NS) {
			s->v[at].unsaid++;
			return false;
		}
		*unsaid = s->v[at].unsaid;
	}
	s->v[at].hash = hash;
	s->v[at].unsaid = 0;
	s->v[at].at_ns = now_ns;
	return true;
}
