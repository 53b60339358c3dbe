/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/encode.h"

#include <stdlib.h>

/* A key's name is at most a header's name; 64 KiB is far above. */
#define PIECE_MAX (1u << 16)

void st_enc__init(struct st_enc *enc, const struct st_format *f, const struct st_limits *lim)
{
	*enc = (struct st_enc){.format = f, .lim = *lim};
}

void st_enc__free(struct st_enc *enc)
{
	for (unsigned int i = 0; i < ST_KEY_MAX; i++) {
		free(enc->keys[i].p);
		enc->keys[i].p = NULL;
	}
	free(enc->tmpls);
	enc->tmpls = NULL;
}

const struct st_piece *st_enc__make_key(struct st_enc *enc, const struct st_key *key)
{
	struct st_buf b = st_buf__init(PIECE_MAX);
	struct st_piece *k = &enc->keys[key->index];

	if (!enc->format->key(&b, key->name)) {
		st_buf__free(&b);
		return NULL;
	}
	memcpy(k->pad, b.p, st_min_u32(ST_PIECE_PAD, (uint32_t)b.len));
	k->len = (uint32_t)b.len;
	k->p = b.p;
	if (enc->format->fast_end)
		k->fast_end = enc->format->fast_end(&enc->lim, k->len);
	return k;
}
