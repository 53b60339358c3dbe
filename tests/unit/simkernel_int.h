/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Inside the simulated kernel: sockets and their calls (simkernel.c), turns (simturn.c). */
#ifndef ST_TEST_SIMKERNEL_INT_H
#define ST_TEST_SIMKERNEL_INT_H

#include "simkernel.h"

/* One call that moves bytes: struct st_call with its buffers. */
struct sim_call {
	struct sim_sock *k;
	struct st_slot *s;
	const uint8_t *seg[SIM_SEGS_MAX];
	size_t seg_len[SIM_SEGS_MAX];
	uint32_t segs;
	uint64_t pos;
	uint64_t now;
	uint32_t bytes, off;
	uint16_t flags;
	uint8_t dir;
	bool more, turn;
};

/* simkernel.c; NULL when the ring refuses. */
struct st_rec *sim__reserve(struct sim_sock *k, struct sim *s, uint8_t kind, uint32_t payload_sz);
void sim__rec_task(struct st_rec *r, const struct sim_sock *k);
uint64_t sim__pos_extend(uint64_t known, uint32_t low);

/* simturn.c */
void sim__missed_over(struct sim *s, struct st_slot *sl);
void sim__open_send(struct sim_sock *k, struct st_slot *sl, uint8_t kind, uint16_t err,
		    uint64_t took);
void sim__send_enter(struct sim_call *c, size_t left);
void sim__moved(struct sim_call *c, uint32_t bytes);
void sim__accepted_to(struct sim_sock *k, struct st_slot *sl, uint8_t dir, uint64_t end);

#endif
