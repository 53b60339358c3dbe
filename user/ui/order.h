/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The order in which a trace's rows are shown. */
#ifndef ST_UI_ORDER_H
#define ST_UI_ORDER_H

#include "ui/waterfall.h"

struct st_order {
	uint16_t at[ST_WATERFALL_MAX];	 /* index of the row in each line */
	uint8_t depth[ST_WATERFALL_MAX]; /* of each line; 0: no parent among the rows */
	uint32_t cnt;
};

/*
 * Sorts rows by start (stable) and puts each below its parent. Every row comes once, whatever the
 * ids say: equal ids, and rings of parents, which a peer's header can make.
 */
void st_order__make(struct st_order *o, const struct st_row **rows, uint32_t cnt);

#endif
