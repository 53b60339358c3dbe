/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/code.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/ehframe.h"
#include "kern/elfsym.h"

#define PART_MAX     (1u << 20) /* bytes */
#define CALLER_SAVED 0x0fc7	/* rax, rcx, rdx, rsi, rdi, r8 to r11 */

struct reader {
	struct st_elf *e;
	struct st_code *c;
	size_t cap;
	csh cs;
	bool only;	 /* a jump out of the part is a tail call, no cold part is looked for */
	uint16_t loaded; /* registers that were last filled from memory, not by an index */
	char *why;
	size_t why_sz;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct reader *r, int err,
							const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->why_sz, fmt, ap);
	va_end(ap);
	return err;
}

int st_code__range(struct st_elf *e, uint64_t addr, struct st_part *out)
{
	struct st_fde fde;
	struct st_sym sym;
	uint64_t end;

	*out = (struct st_part){.start = addr};
	if (!st_ehframe__find(e, addr, &fde) && fde.start == addr) {
		out->end = fde.end;
		return 0;
	}
	if (!st_elf__symbol_at(e, addr, &sym) && sym.size) {
		out->end = addr + sym.size;
		return 0;
	}
	if (!st_elf__symbol_above(e, addr, &out->end) &&
	    (st_elf__section_end(e, addr, &end) || out->end <= end))
		return 0;
	return -ENOENT;
}

static bool inside(const struct st_code *c, uint64_t addr)
{
	for (int i = 0; i < c->part_cnt; i++)
		if (addr >= c->part[i].start && addr < c->part[i].end)
			return true;
	return false;
}

/* Index behind a part's last instruction. */
static size_t part_end(const struct st_code *c, int p)
{
	return p + 1 < c->part_cnt ? c->from[p + 1] : c->cnt;
}

/* ---- one instruction ---- */

static bool is_loop(unsigned int id)
{
	return id == X86_INS_LOOP || id == X86_INS_LOOPE || id == X86_INS_LOOPNE ||
	       id == X86_INS_JCXZ || id == X86_INS_JECXZ || id == X86_INS_JRCXZ;
}

static bool is_trap(unsigned int id)
{
	return id == X86_INS_UD2 || id == X86_INS_HLT || id == X86_INS_INT3 || id == X86_INS_INT1;
}

/*
 * `data16 data16 rex.W call __tls_get_addr`: the form that the ABI prescribes (ELF Handling for
 * Thread-Local Storage, 4.4.6). It comes back and runs nobody's code: as good as a load.
 */
static bool is_tls_call(const cs_insn *i)
{
	return i->size == 8 && !memcmp(i->bytes, "\x66\x66\x48\xe8", 4);
}

/* Kinds of jumps out are settled once all parts are known. */
static uint8_t kind_of(csh cs, const cs_insn *i)
{
	if (i->id == X86_INS_RET)
		return ST_INSN_RET;
	if (is_tls_call(i))
		return ST_INSN_PLAIN;
	if (cs_insn_group(cs, i, CS_GRP_CALL))
		return ST_INSN_CALL;
	if (i->id == X86_INS_JMP)
		return ST_INSN_JUMP;
	if (cs_insn_group(cs, i, CS_GRP_JUMP) || is_loop(i->id))
		return ST_INSN_BRANCH;
	if (is_trap(i->id))
		return ST_INSN_TRAP;
	return i->id == X86_INS_NOP ? ST_INSN_NOP : ST_INSN_PLAIN;
}

/* `jmp *8(%rax)` calls a method; `jmp *table(,%rax,8)` and a marked one switch. */
static bool is_pointer_call(const cs_insn *i)
{
	const cs_x86_op *op = &i->detail->x86.operands[0];

	return op->type == X86_OP_MEM && op->mem.index == X86_REG_INVALID;
}

static bool is_surely_switch(const cs_insn *i)
{
	const cs_x86_op *op = &i->detail->x86.operands[0];

	return (op->type == X86_OP_MEM && op->mem.index != X86_REG_INVALID) ||
	       i->bytes[0] == 0x3e; /* notrack */
}

/* The general registers by their numbers, each with the names of its parts. */
static const uint16_t registers[ST_REG_CNT][5] = {
	{X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
	{X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
	{X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
	{X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
	{X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
	{X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
	{X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
	{X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
	{X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
	{X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
	{X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
	{X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
	{X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
	{X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
	{X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
	{X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};

/* Number of the register that this is (a part of); ST_REG_NONE. */
static uint8_t number_of(unsigned int reg)
{
	for (uint8_t i = 0; i < ST_REG_CNT; i++)
		for (int k = 0; reg && k < 5; k++)
			if (registers[i][k] == reg)
				return i;
	return ST_REG_NONE;
}

static uint16_t written(csh cs, const cs_insn *i)
{
	cs_regs read, write;
	uint8_t read_cnt, write_cnt = 0;
	uint16_t mask = 0;

	if (is_tls_call(i))
		return CALLER_SAVED;
	if (cs_regs_access(cs, i, read, &read_cnt, write, &write_cnt))
		return UINT16_MAX;
	for (uint8_t k = 0; k < write_cnt; k++)
		if (number_of(write[k]) != ST_REG_NONE)
			mask |= (uint16_t)(1u << number_of(write[k]));
	return mask;
}

/* `mov %rbx, %rax`, `xor %eax, %eax`. */
static uint8_t copied(const cs_insn *i)
{
	const cs_x86_op *op = i->detail->x86.operands;

	if (i->detail->x86.op_count != 2 || op[0].type != X86_OP_REG || op[1].type != X86_OP_REG)
		return ST_REG_NONE;
	if (i->id == X86_INS_MOV && op[0].size == 8)
		return number_of(op[1].reg);
	return i->id == X86_INS_XOR && op[0].reg == op[1].reg && op[0].size >= 4 ? ST_REG_ZERO
										 : ST_REG_NONE;
}

/* Remembers which registers hold what a plain load gave them; a switch's target is indexed. */
static void note_loads(struct reader *r, const cs_insn *i, uint16_t writes)
{
	const cs_x86_op *op = i->detail->x86.operands;
	uint16_t mask = cs_insn_group(r->cs, i, CS_GRP_CALL) ? UINT16_MAX : writes;
	uint8_t to = number_of(op[0].reg);

	r->loaded &= (uint16_t)~mask;
	if (i->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[0].size == 8 &&
	    op[1].type == X86_OP_MEM && op[1].mem.index == X86_REG_INVALID && to != ST_REG_NONE)
		r->loaded |= (uint16_t)(1u << to);
}

static bool is_loaded(const struct reader *r, const cs_x86_op *op)
{
	uint8_t n = op->type == X86_OP_REG ? number_of(op->reg) : ST_REG_NONE;

	return n != ST_REG_NONE && r->loaded & 1u << n;
}

/*
 * By a register: a table's jump or a tail call. Where the stack is not as on entry it is no tail
 * call; where the register was filled by a plain load it is no table.
 */
static int indirect(const struct reader *r, const cs_insn *i, struct st_insn *out)
{
	const cs_x86_op *op = &i->detail->x86.operands[0];
	struct st_fde fde;
	int same;

	if (is_surely_switch(i)) {
		out->kind = ST_INSN_SWITCH;
		return 0;
	}
	if (is_pointer_call(i)) {
		out->kind = ST_INSN_TAIL;
		return 0;
	}
	same = st_ehframe__find(r->e, i->address, &fde)
		       ? -ENOENT
		       : st_ehframe__as_on_entry(r->e, &fde, i->address);
	if (same && is_loaded(r, op))
		out->kind = ST_INSN_TAIL;
	else if (same)
		return refuse(r, -EINVAL,
			      "the jump at +0x%" PRIx64 " goes by a register: a switch or a call",
			      i->address - r->c->part[0].start);
	else
		out->kind = ST_INSN_SWITCH;
	return 0;
}

/* `mov 152(%r14), %rcx`: 152. A field's offset, as a compiler wrote it. */
static int32_t displacement(const cs_x86 *x)
{
	for (uint8_t k = 0; k < x->op_count; k++) {
		const x86_op_mem *m = &x->operands[k].mem;

		if (x->operands[k].type == X86_OP_MEM && m->base != X86_REG_INVALID &&
		    m->base != X86_REG_RIP && m->base != X86_REG_RSP && m->disp >= 0 &&
		    m->disp <= INT32_MAX)
			return (int32_t)m->disp;
	}
	return -1;
}

static int convert(const struct reader *r, const cs_insn *i, struct st_insn *out)
{
	const cs_x86 *x = &i->detail->x86;

	*out = (struct st_insn){.addr = i->address,
				.disp = displacement(x),
				.writes = written(r->cs, i),
				.from = copied(i),
				.size = (uint8_t)i->size,
				.kind = kind_of(r->cs, i)};
	memcpy(out->bytes, i->bytes, i->size < sizeof(out->bytes) ? i->size : sizeof(out->bytes));
	if (cs_insn_group(r->cs, i, CS_GRP_IRET) || i->id == X86_INS_RETF ||
	    i->id == X86_INS_RETFQ || i->id == X86_INS_LJMP)
		return refuse(r, -EINVAL, "it has a far return or jump");
	if (out->kind != ST_INSN_CALL && out->kind != ST_INSN_JUMP && out->kind != ST_INSN_BRANCH)
		return 0;
	if (x->op_count == 1 && x->operands[0].type == X86_OP_IMM)
		out->target = (uint64_t)x->operands[0].imm;
	else if (out->kind != ST_INSN_CALL)
		return indirect(r, i, out);
	return 0;
}

static int append(struct reader *r, const struct st_insn *i)
{
	if (r->c->cnt == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 128;
		struct st_insn *v = realloc(r->c->v, cap * sizeof(*v));

		if (!v)
			return refuse(r, -ENOMEM, "out of memory");
		r->c->v = v;
		r->cap = cap;
	}
	r->c->v[r->c->cnt++] = *i;
	return 0;
}

/* ---- a part ---- */

static int decode(struct reader *r, const uint8_t *code, const struct st_part *p)
{
	size_t left = p->end - p->start;
	uint64_t addr = p->start;
	cs_insn *one = cs_malloc(r->cs);
	struct st_insn i;
	int err = one ? 0 : -ENOMEM;

	while (!err && left && cs_disasm_iter(r->cs, &code, &left, &addr, one)) {
		err = convert(r, one, &i);
		if (!err)
			err = append(r, &i);
		note_loads(r, one, i.writes);
	}
	if (one)
		cs_free(one, 1);
	if (!err && left)
		return refuse(r, -EILSEQ, "it does not decode at +0x%" PRIx64,
			      addr - r->c->part[0].start);
	return err;
}

static int read_part(struct reader *r, const struct st_part *p)
{
	uint64_t size = p->end - p->start;
	uint8_t *code;
	int err;

	if (r->c->part_cnt == ST_PARTS_MAX)
		return refuse(r, -E2BIG, "it has too many parts");
	if (p->end <= p->start || size > PART_MAX)
		return refuse(r, -E2BIG, "it has %" PRIu64 " bytes", size);
	r->c->from[r->c->part_cnt] = r->c->cnt;
	r->c->part[r->c->part_cnt++] = *p;
	r->loaded = 0;
	code = malloc(size);
	if (!code)
		return refuse(r, -ENOMEM, "out of memory");
	err = st_elf__is_code(r->e, p->start) ? st_elf__read(r->e, p->start, code, size) : -ERANGE;
	if (err)
		refuse(r, err, "its bytes cannot be read: %s", strerror(-err));
	else
		err = decode(r, code, p);
	free(code);
	return err;
}

/* Does the code there jump back into the middle of what has been read? Then it is a part of it. */
static bool comes_back(const struct reader *r, const struct st_part *p)
{
	struct st_code c;
	char why[96];
	bool back = false;

	if (st_code__read_part(r->e, p, &c, why, sizeof(why))) {
		st_code__free(&c);
		return false;
	}
	for (size_t i = 0; i < c.cnt; i++)
		back |= (c.v[i].kind == ST_INSN_TAIL || c.v[i].kind == ST_INSN_TAIL_IF) &&
			inside(r->c, c.v[i].target) && c.v[i].target != r->c->part[0].start;
	st_code__free(&c);
	return back;
}

/*
 * Where a jump out leads: to another function's entry (0: a tail call), or into the cold part (1),
 * which has an unwind entry of its own. It does not begin as functions do, or it comes back.
 */
static int is_cold_part(const struct reader *r, uint64_t target, struct st_part *out)
{
	uint64_t its_end = 0, own_end = 0;
	struct st_fde fde;
	int same;

	/* Another section: .plt, by which another file's functions are reached. */
	st_elf__section_end(r->e, target, &its_end);
	st_elf__section_end(r->e, r->c->part[0].start, &own_end);
	if (its_end != own_end || st_ehframe__find(r->e, target, &fde))
		return 0;
	*out = (struct st_part){fde.start, fde.end};
	same = st_ehframe__as_on_entry(r->e, &fde, fde.start);
	if (same < 0)
		return same;
	if (!same || comes_back(r, out))
		return 1;
	return target == fde.start ? 0 : -EINVAL;
}

static int settle_jump(struct reader *r, size_t at)
{
	struct st_insn *i = &r->c->v[at];
	struct st_part p;
	int cold;

	if ((i->kind != ST_INSN_JUMP && i->kind != ST_INSN_BRANCH) || inside(r->c, i->target))
		return 0;
	cold = r->only ? 0 : is_cold_part(r, i->target, &p);
	if (cold < 0)
		return refuse(r, cold, "the jump at +0x%" PRIx64 " leads nobody knows where",
			      i->addr - r->c->part[0].start);
	if (cold)
		return read_part(r, &p);
	i->kind = i->kind == ST_INSN_JUMP ? ST_INSN_TAIL : ST_INSN_TAIL_IF;
	return 0;
}

/* ---- the whole ---- */

static bool ends_well(const struct st_insn *i)
{
	return i->kind != ST_INSN_PLAIN && i->kind != ST_INSN_BRANCH && i->kind != ST_INSN_TAIL_IF;
}

/* Jumps that meet no instruction, or a part that runs on into what follows: decoded out of step. */
static int check(struct reader *r)
{
	for (size_t k = 0; k < r->c->cnt; k++) {
		const struct st_insn *i = &r->c->v[k];
		bool in = i->kind == ST_INSN_JUMP || i->kind == ST_INSN_BRANCH;

		if ((in || (i->kind == ST_INSN_CALL && inside(r->c, i->target))) &&
		    st_code__index(r->c, i->target) < 0)
			return refuse(r, -EILSEQ, "the jump at +0x%" PRIx64 " meets no instruction",
				      i->addr - r->c->part[0].start);
	}
	for (int k = 0; k < r->c->part_cnt; k++) {
		size_t end = part_end(r->c, k);

		if (end == r->c->from[k] || !ends_well(&r->c->v[end - 1]))
			return refuse(r, -EILSEQ, "it runs on beyond its end");
	}
	return 0;
}

static int read_all(struct reader *r, const struct st_part *first)
{
	int err;

	if (st_elf__machine(r->e) != EM_X86_64)
		return refuse(r, -ENOTSUP, "it is not x86-64");
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &r->cs) != CS_ERR_OK)
		return refuse(r, -ENOTSUP, "libcapstone knows no x86-64");
	cs_option(r->cs, CS_OPT_DETAIL, CS_OPT_ON);
	err = read_part(r, first);
	/* Grows while cold parts are found. */
	for (size_t i = 0; !err && i < r->c->cnt; i++)
		err = settle_jump(r, i);
	if (!err)
		err = check(r);
	cs_close(&r->cs);
	return err;
}

int st_code__read(struct st_elf *e, uint64_t addr, struct st_code *out, char *why, size_t why_sz)
{
	struct reader r = {.e = e, .c = out, .why = why, .why_sz = why_sz};
	struct st_part first;

	*out = (struct st_code){0};
	*why = '\0';
	if (st_code__range(e, addr, &first))
		return refuse(&r, -ENOENT, "nothing says where it ends");
	return read_all(&r, &first);
}

int st_code__read_part(struct st_elf *e, const struct st_part *part, struct st_code *out, char *why,
		       size_t why_sz)
{
	struct reader r = {.e = e, .c = out, .only = true, .why = why, .why_sz = why_sz};

	*out = (struct st_code){0};
	*why = '\0';
	return read_all(&r, part);
}

void st_code__free(struct st_code *c)
{
	free(c->v);
	*c = (struct st_code){0};
}

static long index_in(const struct st_code *c, size_t lo, size_t hi, uint64_t addr)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->v[mid].addr == addr)
			return (long)mid;
		if (c->v[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

long st_code__index(const struct st_code *c, uint64_t addr)
{
	for (int p = 0; p < c->part_cnt; p++)
		if (addr >= c->part[p].start && addr < c->part[p].end)
			return index_in(c, c->from[p], part_end(c, p), addr);
	return -1;
}
