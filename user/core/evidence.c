/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/evidence.h"

const struct st_evidence_ops *const st_evidence_rungs[ST_ROW_CNT] = {
	[ST_ROW_SEQ] = &st_ev_seq,	 [ST_ROW_OPTION] = &st_ev_option,
	[ST_ROW_HEADER] = &st_ev_header, [ST_ROW_REQUEST_ID] = &st_ev_request_id,
	[ST_ROW_TASK] = &st_ev_task,	 [ST_ROW_SCOPE] = &st_ev_scope,
	[ST_ROW_POOL] = &st_ev_pool,	 [ST_ROW_THREAD] = &st_ev_thread,
	[ST_ROW_GROUP] = &st_ev_group,	 [ST_ROW_ECHO] = &st_ev_echo,
};

struct st_str st_evidence__name(uint8_t evidence)
{
	static const struct st_str names[ST_EV_CNT] = {
		[ST_EV_HEADER] = {"header", 6},	      [ST_EV_SEQ] = {"seq", 3},
		[ST_EV_OPTION] = {"option", 6},	      [ST_EV_REQUEST_ID] = {"request_id", 10},
		[ST_EV_GOROUTINE] = {"goroutine", 9}, [ST_EV_TASK] = {"task", 4},
		[ST_EV_THREAD] = {"thread", 6},	      [ST_EV_GROUP] = {"group", 5},
		[ST_EV_POOL] = {"pool", 4},
	};

	return evidence < ST_EV_CNT ? names[evidence] : (struct st_str){0};
}
