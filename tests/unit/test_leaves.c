/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Cheap ways out of functions written for it in assembly; test_uprobes.c runs those of CPython. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kern/code.h"
#include "kern/elfsym.h"
#include "kern/leaves.h"

#define FN(name, body)                                                                             \
	__asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name          \
		":\n.cfi_startproc\n" body "\n.cfi_endproc\n.size " #name ", . - " #name "\n")

#if defined(__x86_64__)
FN(lv_other, "xor %eax, %eax\n ret");
/* As context_run ends: the last reference goes by a call, which comes back by a jump. */
FN(lv_drop, "call *%rsi\n subq $1, (%rdi)\n je 2f\n1: mov %rbx, %rax\n pop %rbx\n ret\n"
	    "2: call lv_other\n jmp 1b");
/* Both ways of the jump lead out: one site for both. NULL is returned as such. */
FN(lv_null, "call *%rsi\n mov %rax, %rbx\n test %rax, %rax\n je 1f\n incq (%rbx)\n"
	    " mov %rbx, %rax\n ret\n1: xor %eax, %eax\n ret");
/* Different values on the two ways. */
FN(lv_two, "call *%rsi\n test %edi, %edi\n jne 1f\n mov %rbx, %rax\n ret\n"
	   "1: mov %rcx, %rax\n ret");
/* Nothing cheap behind the call. */
FN(lv_stepped, "call *%rsi\n add $8, %rsp\n ret");
/* Other ways come in behind a call. */
FN(lv_join, "test %edi, %edi\n jne 1f\n call *%rsi\n1: mov %rbx, %rax\n ret");
/* A loop before the end is left by its jump. */
FN(lv_loop, "1: dec %rdi\n jne 1b\n ret");
FN(lv_tls, "call *%rsi\n test %eax, %eax\n je 1f\n"
	   " .byte 0x66, 0x66, 0x48\n call lv_other\n1: mov %r13, %rax\n ret");
FN(lv_tail, "test %edi, %edi\n jne 1f\n mov %rsi, %rax\n ret\n1: jmp lv_stepped");
/* The value is there before the last call; in a register that the call changes; indirect. */
FN(lv_early, "call *%rsi\n mov %rax, %rbx\n call lv_other\n mov %rbx, %rax\n ret");
FN(lv_late, "mov %rcx, %r8\n call lv_other\n mov %r8, %rax\n ret");
FN(lv_early_join, "test %edi, %edi\n jne 1f\n call lv_other\n1: mov %rbx, %rax\n ret");
FN(lv_switch, "jmp *(%rdx,%rax,8)\n ret");
FN(lv_rcx, "call *%rsi\n jrcxz 1f\n call *%rsi\n2: jmp 2b\n1: ret");
#endif

static void expect(struct st_elf *e, const char *name, bool early, const char *want)
{
	struct st_leaves l;
	struct st_sym s;
	char got[256] = "";
	int err;

	assert_int_equal(st_elf__symbol(e, name, &s), 0);
	err = st_leaves__find(e, s.addr, early, &l);
	if (err)
		snprintf(got, sizeof(got), "%s", l.why);
	for (uint32_t i = 0; !err && i < l.cnt; i++) {
		size_t n = strlen(got);

		snprintf(got + n, sizeof(got) - n, "%s%c%d+%d=%d", n ? " " : "",
			 l.v[i].cost == ST_SITE_EMULATED ? 'e' : 's', l.v[i].cond,
			 (int)(l.v[i].shared ? 0 : l.v[i].addr - s.addr), l.v[i].value);
	}
	if (strcmp(got, want))
		fail_msg("%s: \"%s\", not \"%s\"", name, got, want);
}

/* Cost, condition (16: always), place, register of the value (16: 0, 17: not known). */
static void test_leaves(void **state)
{
	struct st_elf *e;

	(void)state;
	assert_int_equal(st_elf__open("/proc/self/exe", &e), 0);
	expect(e, "lv_drop", false, "e5+6=3 e16+18=3");
	expect(e, "lv_null", false, "e16+8=3");
	expect(e, "lv_two", false, "e16+4=17");
	expect(e, "lv_stepped", false, "s16+2=0");
	expect(e, "lv_join", false, "s16+6=3");
	expect(e, "lv_loop", false, "e4+3=0");
	expect(e, "lv_tls", false, "e16+4=13");
	expect(e, "lv_tail", false, "e4+2=6 s16+0=0");
	expect(e, "lv_switch", false, "it has a switch");
	expect(e, "lv_rcx", false, "a way out of it begins with a loop");
	expect(e, "lv_other", false, "s16+0=16");
	expect(e, "lv_early", false, "s16+10=3");
	expect(e, "lv_early", true, "e16+5=3");
	expect(e, "lv_late", true, "s16+8=8");
	expect(e, "lv_stepped", true, "s16+2=0");
	expect(e, "lv_join", true, "s16+6=3");
	expect(e, "lv_early_join", false, "s16+9=3");
	expect(e, "lv_early_join", true, "e5+2=3 e16+4=3");
	expect(e, "lv_drop", true, "e5+6=3 e16+18=3");
	st_elf__close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
