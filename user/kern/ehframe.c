/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/ehframe.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kern/elfsym.h"
#include "spantap/bytes.h"

#define ENTRY_MAX   16384u /* bytes of one entry */
#define STATES	    16
#define REG_SP	    7u /* x86-64's number of rsp */

/* DW_EH_PE_*: the pointer's form, and what it is relative to. */
#define PE_UDATA4   0x03
#define PE_SDATA4   0x0b
#define PE_UDATA8   0x04
#define PE_SDATA8   0x0c
#define PE_ABSPTR   0x00
#define PE_FORM	    0x0f
#define PE_PCREL    0x10
#define PE_DATAREL  0x30
#define PE_RELATION 0x70

/* ---- reading; a cursor past its end gives zeros and `bad` ---- */

struct cur {
	struct st_bytes b;
	const uint8_t *begin;
	uint64_t addr; /* of begin */
	bool bad;
};

static uint64_t get(struct cur *c, size_t n)
{
	uint64_t v = 0;

	if (st_bytes_left(&c->b) < n) {
		c->bad = true;
		c->b.p = c->b.end;
		return 0;
	}
	memcpy(&v, c->b.p, n);
	c->b.p += n;
	return v;
}

static uint64_t uleb(struct cur *c)
{
	uint64_t v = 0, b = 0x80;

	for (unsigned int shift = 0; b & 0x80 && shift < 64 && !c->bad; shift += 7) {
		b = get(c, 1);
		v |= (b & 0x7f) << shift;
	}
	return v;
}

static int64_t sleb(struct cur *c)
{
	uint64_t v = 0, b = 0x80;
	unsigned int shift;

	for (shift = 0; b & 0x80 && shift < 64 && !c->bad; shift += 7) {
		b = get(c, 1);
		v |= (b & 0x7f) << shift;
	}
	if (b & 0x40 && shift < 64)
		v |= ~0ull << shift;
	return (int64_t)v;
}

static void skip(struct cur *c, uint64_t n)
{
	if (n > st_bytes_left(&c->b)) {
		c->bad = true;
		n = st_bytes_left(&c->b);
	}
	c->b.p += n;
}

static uint64_t fixed(struct cur *c, uint8_t form)
{
	switch (form) {
	case PE_UDATA4:
		return get(c, 4);
	case PE_SDATA4:
		return (uint64_t)(int64_t)(int32_t)get(c, 4);
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		return get(c, 8);
	}
	c->bad = true;
	return 0;
}

static uint64_t pointer(struct cur *c, uint8_t enc)
{
	uint64_t here = c->addr + (uint64_t)(c->b.p - c->begin);
	uint64_t v = fixed(c, enc & PE_FORM);

	if ((enc & PE_RELATION) == PE_PCREL)
		return v + here;
	if (enc & PE_RELATION)
		c->bad = true;
	return v;
}

/* ---- entries ---- */

/* The common part of entries (CIE) and an entry (FDE), without what is not needed here. */
struct cie {
	uint8_t pointers; /* DW_EH_PE_* of FDE's addresses */
	bool has_aug;
	uint64_t code_align;
	int64_t data_align;
	struct cur insns;
};

/* The bytes of the entry at addr, from behind its length on. */
static int read_entry(struct st_elf *e, uint64_t addr, uint8_t *buf, struct cur *c)
{
	uint32_t len;
	int err = st_elf__read(e, addr, &len, sizeof(len));

	if (err)
		return err;
	/* Lengths of 64 bits are for sections above 4 GiB. */
	if (len < 4 || len > ENTRY_MAX)
		return -ENOTSUP;
	err = st_elf__read(e, addr + 4, buf, len);
	*c = (struct cur){.b = st_bytes(buf, len), .begin = buf, .addr = addr + 4};
	return err;
}

static void cie_augmentation(struct cie *cie, struct cur *c, const char *aug)
{
	for (; *aug; aug++) {
		uint8_t enc;

		switch (*aug) {
		case 'R':
			cie->pointers = (uint8_t)get(c, 1);
			break;
		case 'P':
			enc = (uint8_t)get(c, 1);
			fixed(c, enc & PE_FORM);
			break;
		case 'L':
			get(c, 1);
			break;
		}
	}
}

static int parse_cie(struct cie *cie, struct cur c)
{
	char aug[8] = "";
	uint64_t version, n;

	*cie = (struct cie){.pointers = PE_ABSPTR};
	if (get(&c, 4) != 0)
		return -ENOTSUP;
	version = get(&c, 1);
	for (size_t i = 0; i < sizeof(aug); i++) {
		aug[i] = (char)get(&c, 1);
		if (!aug[i])
			break;
	}
	if ((version != 1 && version != 3) || aug[sizeof(aug) - 1] || (*aug && *aug != 'z'))
		return -ENOTSUP;
	cie->code_align = uleb(&c);
	cie->data_align = sleb(&c);
	if (version == 1)
		get(&c, 1);
	else
		uleb(&c);
	if (*aug == 'z') {
		struct cur in;

		cie->has_aug = true;
		n = uleb(&c);
		in = c;
		cie_augmentation(cie, &in, aug + 1);
		c.bad |= in.bad;
		skip(&c, n);
	}
	cie->insns = c;
	return c.bad ? -ENOTSUP : 0;
}

/* Both parts of the entry at addr; the cursors are at the instructions. */
static int parse(struct st_elf *e, uint64_t addr, struct st_fde *out, struct cie *cie,
		 uint8_t *cie_buf, struct cur *insns, uint8_t *fde_buf)
{
	struct cur c, common;
	uint64_t back;
	int err = read_entry(e, addr, fde_buf, &c);

	if (err)
		return err;
	back = get(&c, 4);
	if (!back)
		return -ENOTSUP;
	err = read_entry(e, addr + 4 - back, cie_buf, &common);
	if (!err)
		err = parse_cie(cie, common);
	if (err)
		return err;
	out->addr = addr;
	out->start = pointer(&c, cie->pointers);
	out->end = out->start + fixed(&c, cie->pointers & PE_FORM);
	if (cie->has_aug)
		skip(&c, uleb(&c));
	*insns = c;
	return c.bad || out->end < out->start ? -ENOTSUP : 0;
}

/* The last row of the sorted table that begins at or below addr. */
static int search(struct st_elf *e, uint64_t hdr, uint64_t addr, uint64_t *entry)
{
	uint8_t head[12];
	uint32_t cnt, lo = 0, hi;
	int err = st_elf__read(e, hdr, head, sizeof(head));

	if (err)
		return err;
	/* Linkers write: a pointer of 4 bytes, the count, rows of two offsets from here. */
	if (head[0] != 1 || (head[1] & PE_FORM) != PE_SDATA4 || head[2] != PE_UDATA4 ||
	    head[3] != (PE_DATAREL | PE_SDATA4))
		return -ENOTSUP;
	memcpy(&cnt, head + 8, 4);
	for (hi = cnt; lo < hi;) {
		uint32_t mid = lo + (hi - lo) / 2;
		int32_t row[2];

		err = st_elf__read(e, hdr + 12 + 8ull * mid, row, sizeof(row));
		if (err)
			return err;
		if (hdr + (uint64_t)(int64_t)row[0] <= addr) {
			*entry = hdr + (uint64_t)(int64_t)row[1];
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo ? 0 : -ENOENT;
}

int st_ehframe__find(struct st_elf *e, uint64_t addr, struct st_fde *out)
{
	uint8_t fde[ENTRY_MAX], common[ENTRY_MAX];
	uint64_t hdr, entry = 0;
	struct cur insns;
	struct cie cie;
	int err = st_elf__eh_frame_hdr(e, &hdr);

	if (!err)
		err = search(e, hdr, addr, &entry);
	if (!err)
		err = parse(e, entry, out, &cie, common, &insns, fde);
	if (err)
		return err;
	return addr >= out->start && addr < out->end ? 0 : -ENOENT;
}

/* ---- the canonical frame address ---- */

struct state {
	uint64_t reg;
	uint64_t off;
	bool other; /* an expression */
};

struct machine {
	const struct cie *cie;
	uint64_t at, until;
	struct state now, kept[STATES];
	int kept_cnt;
	bool done;
};

static void advance(struct machine *m, uint64_t delta)
{
	m->at += delta * m->cie->code_align;
	m->done = m->at > m->until;
}

static void keep(struct machine *m, struct cur *c)
{
	if (m->kept_cnt == STATES)
		c->bad = true;
	else
		m->kept[m->kept_cnt++] = m->now;
}

static void restore(struct machine *m, struct cur *c)
{
	if (!m->kept_cnt)
		c->bad = true;
	else
		m->now = m->kept[--m->kept_cnt];
}

/* DW_CFA_* that say where the frame is; false: another one. */
static bool define(struct machine *m, struct cur *c, uint8_t op)
{
	switch (op) {
	case 0x0c: /* def_cfa */
		m->now = (struct state){.reg = uleb(c)};
		m->now.off = uleb(c);
		return true;
	case 0x12: /* def_cfa_sf */
		m->now = (struct state){.reg = uleb(c)};
		m->now.off = (uint64_t)(sleb(c) * m->cie->data_align);
		return true;
	case 0x0d: /* def_cfa_register */
		m->now.reg = uleb(c);
		return true;
	case 0x0e: /* def_cfa_offset */
		m->now.off = uleb(c);
		return true;
	case 0x13: /* def_cfa_offset_sf */
		m->now.off = (uint64_t)(sleb(c) * m->cie->data_align);
		return true;
	case 0x0f: /* def_cfa_expression */
		m->now.other = true;
		skip(c, uleb(c));
		return true;
	}
	return false;
}

/* Those that say where registers are, which nobody asks here: their operands only. */
static void pass(struct cur *c, uint8_t op)
{
	switch (op) {
	case 0x00: /* nop */
		break;
	case 0x06: /* restore_extended, undefined, same_value, GNU_args_size */
	case 0x07:
	case 0x08:
	case 0x2e:
		uleb(c);
		break;
	case 0x05: /* offset_extended, register, val_offset */
	case 0x09:
	case 0x14:
		uleb(c);
		uleb(c);
		break;
	case 0x11: /* offset_extended_sf, val_offset_sf */
	case 0x15:
		uleb(c);
		sleb(c);
		break;
	case 0x10: /* expression, val_expression */
	case 0x16:
		uleb(c);
		skip(c, uleb(c));
		break;
	default:
		c->bad = true;
	}
}

static void step(struct machine *m, struct cur *c)
{
	uint8_t op = (uint8_t)get(c, 1);

	switch (op >> 6) {
	case 1: /* advance_loc */
		advance(m, op & 0x3f);
		return;
	case 2: /* offset */
		uleb(c);
		return;
	case 3: /* restore */
		return;
	}
	switch (op) {
	case 0x01: /* set_loc */
		m->at = pointer(c, m->cie->pointers);
		m->done = m->at > m->until;
		break;
	case 0x02:
		advance(m, get(c, 1));
		break;
	case 0x03:
		advance(m, get(c, 2));
		break;
	case 0x04:
		advance(m, get(c, 4));
		break;
	case 0x0a:
		keep(m, c);
		break;
	case 0x0b:
		restore(m, c);
		break;
	default:
		if (!define(m, c, op))
			pass(c, op);
	}
}

static int run(struct machine *m, struct cur c)
{
	while (!m->done && !c.bad && st_bytes_left(&c.b))
		step(m, &c);
	return c.bad ? -ENOTSUP : 0;
}

int st_ehframe__as_on_entry(struct st_elf *e, const struct st_fde *fde, uint64_t addr)
{
	uint8_t buf[ENTRY_MAX], common[ENTRY_MAX];
	struct st_fde again;
	struct cur insns;
	struct cie cie;
	struct machine m;
	int err = parse(e, fde->addr, &again, &cie, common, &insns, buf);

	if (err)
		return err;
	m = (struct machine){.cie = &cie, .at = fde->start, .until = addr};
	err = run(&m, cie.insns);
	m.done = false;
	if (!err)
		err = run(&m, insns);
	if (err || m.now.other)
		return err ? err : 0;
	return m.now.reg == REG_SP && m.now.off == 8;
}
