/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Exits of functions written for it in assembly, of CPython's, and what has to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "kern/code.h"
#include "kern/ehframe.h"
#include "kern/elfsym.h"
#include "kern/pymethod.h"
#include "kern/retsites.h"
#include "pythons.h"

#define FN(name, body)                                                                             \
	__asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name          \
		":\n.cfi_startproc\n" body "\n.cfi_endproc\n.size " #name ", . - " #name "\n")

#if defined(__x86_64__)
FN(fx_plain, "push %rbp\n mov %rsp, %rbp\n pop %rbp\n ret");
FN(fx_two, "endbr64\n push %rbx\n test %edi, %edi\n je 1f\n pop %rbx\n ret\n"
	   "1: pop %rbx\n rep ret");
/* A byte that looks like a return lies inside an instruction. */
FN(fx_bytes, "mov $0xc3c3c3c3, %eax\n ret");
FN(fx_tail, "sub $8, %rsp\n add $8, %rsp\n jmp fx_plain");
FN(fx_tail_if, "test %edi, %edi\n jne fx_plain\n xor %eax, %eax\n ret $8");
FN(fx_method, "mov 8(%rdi), %rax\n jmp *16(%rax)");
FN(fx_pointer, "mov 8(%rdi), %rax\n mov $1, %esi\n jmp *%rax");
FN(fx_table, "lea fx_plain(%rip), %rdx\n movslq (%rdx,%rdi,4), %rax\n add %rdx, %rax\n jmp *%rax");
FN(fx_table_framed, "push %rbx\n.cfi_adjust_cfa_offset 8\n add %rdx, %rax\n jmp *%rax\n"
		    "pop %rbx\n.cfi_adjust_cfa_offset -8\n ret");
FN(fx_notrack, "add %rdx, %rax\n notrack jmp *%rax\n ret");
FN(fx_never, "ud2");
FN(fx_on, "push %rbx\n nop\n xor %eax, %eax");
FN(fx_undecodable, "xor %eax, %eax\n .byte 0x06\n ret");
/* A jump into the middle of an instruction. */
FN(fx_out_of_step, "jmp . + 3\n mov $0xc390, %eax\n ret");
FN(fx_far, "lretq");
/* A cold part: entered with a frame, comes back. */
FN(fx_framed, "push %rbx\n.cfi_adjust_cfa_offset 8\n test %edi, %edi\n jne fx_framed_cold\n"
	      ".globl fx_framed_back\nfx_framed_back: pop %rbx\n.cfi_adjust_cfa_offset -8\n ret");
FN(fx_framed_cold, ".cfi_adjust_cfa_offset 8\n nop\n je 1f\n jmp fx_framed_back\n"
		   "1: pop %rbx\n.cfi_adjust_cfa_offset -8\n ret");
/* Without a frame, known by its coming back; and one that does not: another function. */
FN(fx_leaf, "test %edi, %edi\n jne fx_leaf_cold\n.globl fx_leaf_back\nfx_leaf_back: ret");
FN(fx_leaf_cold, "mov $1, %eax\n jmp fx_leaf_back");
FN(fx_circle, "test %edi, %edi\n jne fx_circle_on\n ret");
FN(fx_circle_on, "jmp fx_circle");
FN(fx_middle, "jmp fx_plain + 1");
#endif

static struct st_elf *own(void)
{
	struct st_elf *e;

	assert_int_equal(st_elf__open("/proc/self/exe", &e), 0);
	return e;
}

static int exits(struct st_elf *e, const char *name, struct st_retsites *r)
{
	struct st_sym s;

	assert_int_equal(st_elf__symbol(e, name, &s), 0);
	return st_retsites__find(e, s.addr, r);
}

/* "r+4 t+8": kinds and offsets from the start; entry: bytes from there to the entry's site. */
static void expect(struct st_elf *e, const char *name, const char *want, uint32_t entry)
{
	static const char kinds[] = {'r', 't', 'c'};
	struct st_retsites r;
	struct st_sym s;
	char got[256] = "";
	int err = exits(e, name, &r);

	if (err)
		fail_msg("%s: %s (%s)", name, r.why, strerror(-err));
	assert_int_equal(st_elf__symbol(e, name, &s), 0);
	for (uint32_t i = 0; i < r.cnt; i++) {
		size_t n = strlen(got);

		snprintf(got + n, sizeof(got) - n, "%s%c%+d", n ? " " : "", kinds[r.v[i].kind],
			 (int)(r.v[i].addr - s.addr));
		assert_int_equal(r.v[i].off - s.off, r.v[i].addr - s.addr);
	}
	assert_string_equal(got, want);
	assert_int_equal(r.entry_off - s.off, entry);
}

static void refused(struct st_elf *e, const char *name, int err, const char *why)
{
	struct st_retsites r;

	if (exits(e, name, &r) != err || strcmp(r.why, why))
		fail_msg("%s: \"%s\", not \"%s\"", name, r.why, why);
}

static void test_exits(void **state)
{
	struct st_elf *e = own();
	struct st_retsites r;
	struct st_sym s;
	char want[64];

	(void)state;
	expect(e, "fx_plain", "r+5", 0);
	expect(e, "fx_two", "r+10 r+12", 4);
	expect(e, "fx_bytes", "r+5", 0);
	expect(e, "fx_tail", "t+8", 0);
	expect(e, "fx_tail_if", "c+2 r+6", 0);
	expect(e, "fx_method", "t+4", 0);
	expect(e, "fx_pointer", "t+9", 0);
	expect(e, "fx_table_framed", "r+7", 0);
	expect(e, "fx_notrack", "r+6", 0);
	expect(e, "fx_leaf", "r+4", 0);
	/* The cold part's return too. */
	assert_int_equal(st_elf__symbol(e, "fx_framed", &s), 0);
	assert_int_equal(exits(e, "fx_framed", &r), 0);
	assert_int_equal(r.ret_cnt, 2);
	snprintf(want, sizeof(want), "r+6 r%+d", (int)(r.v[1].addr - s.addr));
	expect(e, "fx_framed", want, 0);
	/* Where a tail call leads, as far as it is known. */
	assert_int_equal(exits(e, "fx_tail", &r), 0);
	assert_int_equal(st_elf__symbol(e, "fx_plain", &s), 0);
	assert_int_equal(r.v[0].target, s.addr);
	assert_int_equal(exits(e, "fx_method", &r), 0);
	assert_int_equal(r.v[0].target, 0);
	st_elf__close(e);
}

/* Tail calls, one after the other, in a circle, out of the file. */
static void test_follow(void **state)
{
	struct st_elf *e = own();
	struct st_retsites r;
	struct st_sym s, plain;

	(void)state;
	assert_int_equal(st_elf__symbol(e, "fx_plain", &plain), 0);
	assert_int_equal(st_elf__symbol(e, "fx_tail_if", &s), 0);
	assert_int_equal(st_retsites__follow(e, s.addr, &r), 0);
	assert_int_equal(r.cnt, 2);
	assert_int_equal(r.ret_cnt, 2);
	assert_int_equal(r.v[1].addr, plain.addr + 5);
	assert_true(r.v[1].shared && !r.v[0].shared);
	assert_int_equal(st_elf__symbol(e, "fx_circle", &s), 0);
	assert_int_equal(st_retsites__follow(e, s.addr, &r), 0);
	assert_int_equal(r.cnt, 1);
	assert_int_equal(st_elf__symbol(e, "fx_method", &s), 0);
	assert_int_equal(st_retsites__follow(e, s.addr, &r), -ENOENT);
	assert_string_equal(r.why, "a tail call: where to is not known");
	st_elf__close(e);
}

static void test_refusals(void **state)
{
	struct st_elf *e = own();
	struct st_retsites r;

	(void)state;
	refused(e, "fx_table", -EINVAL, "the jump at +0xe goes by a register: a switch or a call");
	refused(e, "fx_never", -ENOENT, "it never returns");
	refused(e, "fx_on", -EILSEQ, "it runs on beyond its end");
	refused(e, "fx_undecodable", -EILSEQ, "it does not decode at +0x2");
	refused(e, "fx_out_of_step", -EILSEQ, "the jump at +0x0 meets no instruction");
	refused(e, "fx_far", -EINVAL, "it has a far return or jump");
	refused(e, "fx_middle", -EINVAL, "the jump at +0x0 leads nobody knows where");
	assert_true(st_retsites__find(e, 64, &r) < 0);
	assert_true(r.why[0]);
	st_elf__close(e);
}

static void test_costs(void **state)
{
	static const struct {
		const char *code;
		size_t n;
		enum st_site_cost cost;
	} cases[] = {
		{"\x55", 1, ST_SITE_EMULATED},			  /* push %rbp */
		{"\x41\x54", 2, ST_SITE_EMULATED},		  /* push %r12 */
		{"\x48\x55", 2, ST_SITE_STEPPED},		  /* an odd one */
		{"\x90", 1, ST_SITE_EMULATED},			  /* nop */
		{"\x66\x90", 2, ST_SITE_EMULATED},		  /* xchg %ax, %ax */
		{"\x41\x90", 2, ST_SITE_STEPPED},		  /* xchg %r8d, %eax */
		{"\xe8\0\0\0\0", 5, ST_SITE_EMULATED},		  /* call */
		{"\xeb\x10", 2, ST_SITE_EMULATED},		  /* jmp */
		{"\x74\x10", 2, ST_SITE_EMULATED},		  /* je */
		{"\x0f\x84\0\0\0\0", 6, ST_SITE_EMULATED},	  /* je */
		{"\x66\x66\x48\xe8\0\0\0\0", 8, ST_SITE_REFUSED}, /* call __tls_get_addr */
		{"\x3e\xff\xe0", 3, ST_SITE_REFUSED},		  /* notrack jmp */
		{"\xf0\x48\xff\x07", 4, ST_SITE_REFUSED},	  /* lock incq */
		{"\xcc", 1, ST_SITE_REFUSED},			  /* int3 */
		{"\xc3", 1, ST_SITE_STEPPED},			  /* ret */
		{"\xf3\x0f\x1e\xfa", 4, ST_SITE_STEPPED},	  /* endbr64 */
		{"\x0f\x1f\x44\0\0", 5, ST_SITE_STEPPED},	  /* nop of 5 bytes */
		{"\x48\x83\xec\x08", 4, ST_SITE_STEPPED},	  /* sub $8, %rsp */
		{"\x66", 1, ST_SITE_REFUSED},			  /* cut off */
		{"", 0, ST_SITE_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (st_insn__cost((const uint8_t *)cases[i].code, cases[i].n) != cases[i].cost)
			fail_msg("case %zu", i);
	assert_string_equal(st_site_cost__name(ST_SITE_STEPPED), "stepped");
}

static void test_unwind(void **state)
{
	struct st_elf *e = own();
	struct st_sym s;
	struct st_fde f;

	(void)state;
	assert_int_equal(st_elf__symbol(e, "fx_framed", &s), 0);
	assert_int_equal(st_ehframe__find(e, s.addr + 5, &f), 0);
	assert_int_equal(f.start, s.addr);
	assert_int_equal(f.end, s.addr + s.size);
	assert_int_equal(st_ehframe__as_on_entry(e, &f, s.addr), 1);
	assert_int_equal(st_ehframe__as_on_entry(e, &f, s.addr + 1), 0);
	assert_int_equal(st_ehframe__as_on_entry(e, &f, s.addr + s.size - 1), 1);
	assert_int_equal(st_ehframe__find(e, 16, &f), -ENOENT);
	st_elf__close(e);
}

/* ---- CPython ---- */

static void check_exits(struct st_elf *e, const char *file, const char *name, uint64_t addr)
{
	struct st_retsites r;
	uint8_t byte;
	int err = st_retsites__follow(e, addr, &r);

	if (err)
		fail_msg("%s: %s: %s", file, name, r.why);
	assert_true(r.cnt && r.cnt == r.ret_cnt);
	for (uint32_t i = 0; i < r.cnt; i++) {
		assert_int_equal(st_elf__read(e, r.v[i].addr, &byte, 1), 0);
		assert_int_equal(byte, 0xc3);
	}
}

/* What asyncio needs; in builds with and without symbols, optimised apart and together. */
static void test_pythons(void **state)
{
	static const char *const exported[] = {"PyContext_CopyCurrent", "PyContext_Copy",
					       "PyContext_New"};
	struct python all[PYTHONS_MAX];
	int n = pythons_find(all);

	(void)state;
	if (!n) {
		print_message("no CPython was found\n");
		skip();
	}
	for (int i = 0; i < n; i++) {
		struct st_pymethod run;
		struct st_elf *e;
		struct st_sym s;

		assert_int_equal(st_elf__open(all[i].core, &e), 0);
		assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "run", &run), 0);
		check_exits(e, all[i].core, "context_run", run.addr);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(st_elf__symbol(e, exported[k], &s), 0);
			check_exits(e, all[i].core, exported[k], s.addr);
		}
		st_elf__close(e);
	}
	print_message("%d files\n", n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exits),	 cmocka_unit_test(test_follow),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_costs),
		cmocka_unit_test(test_unwind),	 cmocka_unit_test(test_pythons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
