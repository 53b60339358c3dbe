/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * User probes on real processes, by each way that this kernel has: every hit is counted, none of
 * another process, and when the probes are gone the process is as it was. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "count.skel.h"
#include "kern/elfsym.h"
#include "kern/leaves.h"
#include "kern/pymethod.h"
#include "kern/retsites.h"
#include "kern/uprobe_multi.h"
#include "kern/uprobes.h"
#include "pythons.h"

#define THREADS		       4

/* Cookies of tests/bpf/count.bpf.c. */
#define COOKIE(key, cond, reg) ((uint64_t)(key) | (uint64_t)(cond) << 8 | (uint64_t)(reg) << 16)
#define ALWAYS		       COOKIE(0, ST_COND_ALWAYS, 0)

/* ---- what is probed: a function of this program, called by children ---- */

#if defined(__x86_64__)
/* Two returns; one way to the second. The last instruction takes no probe. */
__asm__(".text\n.globl st_probed\n.type st_probed, @function\nst_probed:\n.cfi_startproc\n"
	"push %rbx\n mov %edi, %eax\n test $1, %eax\n jne 1f\n pop %rbx\n ret\n"
	"1: add $1, %eax\n pop %rbx\n ret\n"
	".globl st_locked\nst_locked: lock incl (%rdi)\n ret\n"
	".cfi_endproc\n.size st_probed, . - st_probed\n");
#endif
int st_probed(int x);

static void *call_many(void *cnt)
{
	for (long i = 0; i < (long)cnt; i++)
		if (st_probed((int)i) != (int)(i | 1) - !(i & 1) + (i & 1))
			abort();
	return NULL;
}

static void call_in_threads(long cnt)
{
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, call_many, (void *)(cnt / THREADS)))
			abort();
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

struct child {
	pid_t pid;
	FILE *to, *from;
};

/* Answers each number with a line, after as many calls: in threads, and in a child of its own. */
static void serve(int in, int out)
{
	FILE *from = fdopen(in, "r");
	long cnt;

	while (from && fscanf(from, "%ld", &cnt) == 1) {
		pid_t pid;

		call_in_threads(cnt);
		pid = fork();
		if (!pid) {
			call_many((void *)100);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		if (write(out, "done\n", 5) != 5)
			break;
	}
	_exit(0);
}

/* argv NULL: a fork of this program that serves. */
static struct child start(char *const *argv)
{
	int to[2], from[2];
	struct child c;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (!c.pid) {
		/* Other children's pipes, links. */
		for (int fd = 3; fd < 256; fd++)
			if (fd != to[0] && fd != from[1])
				close(fd);
		if (!argv)
			serve(to[0], from[1]);
		dup2(to[0], 0);
		dup2(from[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	c.to = fdopen(to[1], "w");
	c.from = fdopen(from[0], "r");
	return c;
}

static void ask(struct child *c, long cnt)
{
	char line[32];

	fprintf(c->to, "%ld\n", cnt);
	fflush(c->to);
	if (!fgets(line, sizeof(line), c->from) || strcmp(line, "done\n"))
		fail_msg("the process that is probed does not answer");
}

/* It ends by itself and well. */
static void stop(struct child *c)
{
	int status;

	fclose(c->to);
	fclose(c->from);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* ---- the bed ---- */

struct bed {
	enum st_uprobe_way way;
	struct st_uprobes *set;
	struct st_count *obj;
	struct st_uprobe_site site[3];
	uint64_t addr; /* of st_probed in the file */
	char why[256];
};

static uint32_t prog_id(const struct bed *b)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(b->obj->progs.count), &info, &len),
			 0);
	return info.id;
}

/* Links of one program, whoever holds them. */
static int count_links(uint32_t prog)
{
	uint32_t id = 0;
	int n = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len))
			n += info.prog_id == prog;
		close(fd);
	}
	return n;
}

/* Some go a moment after they were closed. */
static void assert_no_links(uint32_t prog)
{
	for (int i = 0; count_links(prog) && i < 100; i++)
		usleep(20000);
	assert_int_equal(count_links(prog), 0);
}

static void find_sites(struct bed *b)
{
	struct st_retsites r;
	struct st_elf *e;
	struct st_sym s;

	assert_int_equal(st_elf__open("/proc/self/exe", &e), 0);
	assert_int_equal(st_elf__symbol(e, "st_locked", &s), 0);
	b->addr = s.off;
	assert_int_equal(st_elf__symbol(e, "st_probed", &s), 0);
	if (st_retsites__find(e, s.addr, &r))
		fail_msg("%s", r.why);
	assert_int_equal(r.ret_cnt, 3);
	b->site[0] = (struct st_uprobe_site){r.entry_off, 0 | ALWAYS};
	b->site[1] = (struct st_uprobe_site){r.v[0].off, 1 | ALWAYS};
	b->site[2] = (struct st_uprobe_site){r.v[1].off, 2 | ALWAYS};
	st_elf__close(e);
}

static struct bed make_bed(enum st_uprobe_way way)
{
	struct bed b = {.way = way};
	int err = st_uprobes__new(way, &b.set);

	if (err == -ENOTSUP) {
		print_message("this kernel has no working uprobe_multi links\n");
		skip();
	}
	assert_int_equal(err, 0);
	assert_int_equal(st_uprobes__way(b.set), way);
	b.obj = st_count__open();
	assert_non_null(b.obj);
	assert_int_equal(st_uprobes__prepare(b.set, b.obj->progs.count), 0);
	if (geteuid()) {
		print_message("needs root\n");
		skip();
	}
	assert_int_equal(st_count__load(b.obj), 0);
	find_sites(&b);
	return b;
}

static void free_bed(struct bed *b)
{
	st_uprobes__free(b->set);
	assert_no_links(prog_id(b));
	st_count__destroy(b->obj);
}

static uint64_t hits(const struct bed *b, uint32_t key)
{
	struct {
		uint64_t cnt, value;
	} h;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(b->obj->maps.hits), &key, &h), 0);
	return h.cnt;
}

static uint64_t value(const struct bed *b, uint32_t key)
{
	uint64_t h[2];

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(b->obj->maps.hits), &key, h), 0);
	return h[1];
}

static void attach(struct bed *b, const char *path, int pid)
{
	if (st_uprobes__attach(b->set, b->obj->progs.count, path, pid, b->site, 3, b->why,
			       sizeof(b->why)))
		fail_msg("%s", b->why);
}

/* ---- the tests, each by each way ---- */

/* st_probed's bytes in the process's memory: as in the file, no trap. */
static bool is_untouched(const struct bed *b, pid_t pid)
{
	uint8_t there[16];
	char path[64];
	int fd, same;

	(void)b;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, there, sizeof(there), (off_t)(uintptr_t)st_probed),
			 sizeof(there));
	same = !memchr(there, 0xcc, sizeof(there)) && there[0] == 0x53;
	close(fd);
	return same;
}

static void one_process(enum st_uprobe_way way)
{
	struct bed b = make_bed(way);
	struct child c = start(NULL), other = start(NULL);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", c.pid);
	attach(&b, path, c.pid);
	assert_int_equal(st_uprobes__cnt(b.set), 3);
	attach(&b, "/proc/self/exe", c.pid); /* the same file: nothing more */
	assert_int_equal(st_uprobes__cnt(b.set), 3);
	/* Threads count; other processes, the process's own children too, do not. */
	ask(&other, 400);
	call_many((void *)100);
	ask(&c, 1000);
	assert_int_equal(hits(&b, 0), 1000);
	assert_int_equal(hits(&b, 1), 500);
	assert_int_equal(hits(&b, 2), 500);
	/* What the function returned, at its return. */
	assert_int_equal(value(&b, 1) & 1, 0);
	assert_true(value(&b, 1) < 250);
	assert_false(is_untouched(&b, c.pid));
	st_uprobes__detach_pid(b.set, other.pid);
	assert_int_equal(st_uprobes__cnt(b.set), 3);
	st_uprobes__detach_pid(b.set, c.pid);
	assert_int_equal(st_uprobes__cnt(b.set), 0);
	assert_no_links(prog_id(&b));
	assert_true(is_untouched(&b, c.pid));
	ask(&c, 1000);
	assert_int_equal(hits(&b, 0), 1000);
	/* And again. */
	attach(&b, path, c.pid);
	ask(&c, 400);
	assert_int_equal(hits(&b, 0), 1400);
	free_bed(&b);
	ask(&c, 400);
	stop(&c);
	stop(&other);
}

static void all_processes(enum st_uprobe_way way)
{
	struct bed b = make_bed(way);
	struct child c = start(NULL), later;

	attach(&b, "/proc/self/exe", 0);
	attach(&b, "/proc/self/exe", 0);
	assert_int_equal(st_uprobes__cnt(b.set), 3);
	ask(&c, 1000);
	assert_int_equal(hits(&b, 0), 1100); /* with its child's 100 */
	later = start(NULL);
	ask(&later, 400);
	assert_int_equal(hits(&b, 0), 1600);
	st_uprobes__detach_pid(b.set, 0);
	assert_no_links(prog_id(&b));
	ask(&c, 1000);
	assert_int_equal(hits(&b, 0), 1600);
	free_bed(&b);
	stop(&c);
	stop(&later);
}

static void refused(struct bed *b, const char *path, int pid, uint32_t cnt, int err,
		    const char *why)
{
	int got = st_uprobes__attach(b->set, b->obj->progs.count, path, pid, b->site, cnt, b->why,
				     sizeof(b->why));

	if (got != err || !strstr(b->why, why))
		fail_msg("%d \"%s\", not %d \"%s\"", got, b->why, err, why);
	assert_int_equal(st_uprobes__cnt(b->set), 0);
	assert_no_links(prog_id(b));
}

static void refusals(enum st_uprobe_way way)
{
	struct bed b = make_bed(way);
	struct child c = start(NULL);
	int pid = c.pid;

	refused(&b, "/nonexistent", pid, 3, -ENOENT, "No such file");
	refused(&b, "/proc/self/exe", pid, 0, -EINVAL, "no site");
	refused(&b, "/proc/self/exe", -1, 3, -EINVAL, "no site");
	b.site[2].off = b.site[0].off;
	refused(&b, "/proc/self/exe", pid, 3, -EINVAL, "two sites in one place");
	/* The good ones before it are taken away as well. */
	b.site[2].off = b.addr;
	refused(&b, "/proc/self/exe", pid, 3, -ENOTSUP, "takes no probe");
	assert_true(is_untouched(&b, pid));
	stop(&c);
	refused(&b, "/proc/self/exe", pid, 2, -ESRCH, "no such process");
	free_bed(&b);
}

/* A tracer that is killed leaves nothing. */
static void killed(enum st_uprobe_way way)
{
	struct bed b = make_bed(way);
	struct child c = start(NULL);
	int ready[2];
	uint32_t prog;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		struct bed own = make_bed(way);

		attach(&own, "/proc/self/exe", c.pid);
		prog = prog_id(&own);
		if (write(ready[1], &prog, sizeof(prog)) == sizeof(prog))
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &prog, sizeof(prog)), sizeof(prog));
	assert_true(count_links(prog) > 0);
	assert_false(is_untouched(&b, c.pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_no_links(prog);
	for (int i = 0; !is_untouched(&b, c.pid) && i < 100; i++)
		usleep(20000);
	assert_true(is_untouched(&b, c.pid));
	ask(&c, 100);
	close(ready[0]);
	close(ready[1]);
	free_bed(&b);
	stop(&c);
}

/* Two containers of one image: two devices, one real file. In a mount namespace of its own. */
static const char overlay[] =
	"set -e; mkdir $0/lower $0/rest $0/a $0/b; cp /proc/$PPID/exe $0/lower/program;"
	"mount --make-rprivate /; mount -t tmpfs none $0/rest;"
	"for i in a b; do mkdir $0/rest/up$i $0/rest/work$i;"
	"mount -t overlay -o lowerdir=$0/lower,upperdir=$0/rest/up$i,workdir=$0/rest/work$i none $0/$i;"
	"done";

static int in_overlays(enum st_uprobe_way way, const char *dir)
{
	char command[1024], path[3][64];
	struct bed b;

	snprintf(command, sizeof(command), "exec sh -c '%s' %s", overlay, dir);
	if (unshare(CLONE_NEWNS) || system(command))
		return 77;
	b = make_bed(way);
	snprintf(path[0], sizeof(path[0]), "%s/a/program", dir);
	snprintf(path[1], sizeof(path[1]), "%s/b/program", dir);
	snprintf(path[2], sizeof(path[2]), "%s/lower/program", dir);
	for (int i = 0; i < 3; i++)
		attach(&b, path[i], 0);
	for (int i = 0; i < 3; i++) {
		snprintf(command, sizeof(command), "%s --call 100", path[i]);
		assert_int_equal(system(command), 0);
	}
	print_message("%u sites, %lu hits\n", st_uprobes__cnt(b.set), hits(&b, 0));
	return st_uprobes__cnt(b.set) == 3 && hits(&b, 0) == 300 ? 0 : 1;
}

static void overlays(enum st_uprobe_way way)
{
	char dir[] = "/tmp/spantap-overlay-XXXXXX", command[64];
	int status;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	pid = fork();
	if (!pid)
		_exit(in_overlays(way, dir));
	waitpid(pid, &status, 0);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("no overlay can be mounted here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- CPython: what asyncio needs ---- */

static const char script[] = "import sys, contextvars\n"
			     "c = contextvars.Context()\n"
			     "v = contextvars.ContextVar('v')\n"
			     "for line in sys.stdin:\n"
			     "    n = int(line)\n"
			     "    for i in range(n): c.run(v.set, i)\n"
			     "    for i in range(n): contextvars.copy_context()\n"
			     "    for i in range(n): c.copy()\n"
			     "    for i in range(n): contextvars.Context()\n"
			     "    try: c.run(c.run, v.set)\n"
			     "    except (RuntimeError, TypeError): pass\n"
			     "    x = contextvars.copy_context()\n"
			     "    print('done\\n%d' % id(x), flush=True)\n";

static uint32_t add(struct st_uprobe_site *site, uint32_t cnt, const struct st_retsites *r,
		    uint64_t cookie)
{
	for (uint32_t i = 0; i < r->cnt; i++) {
		bool known = false;

		for (uint32_t k = 0; k < cnt; k++)
			known |= site[k].off == r->v[i].off;
		if (!known)
			site[cnt++] = (struct st_uprobe_site){r->v[i].off, cookie | ALWAYS};
	}
	return cnt;
}

/* The cheap ways, or the returns where there are none. Counts those that are not cheap. */
static uint32_t add_leaves(struct st_uprobe_site *site, uint32_t cnt, struct st_elf *e,
			   uint64_t addr, uint64_t key)
{
	struct st_retsites r;
	struct st_leaves l;

	if (st_leaves__find(e, addr, key == 2, &l)) {
		assert_int_equal(st_retsites__follow(e, addr, &r), 0);
		return add(site, cnt, &r, key);
	}
	for (uint32_t i = 0; i < l.cnt; i++) {
		bool known = false;

		for (uint32_t k = 0; k < cnt; k++)
			known |= site[k].off == l.v[i].off;
		if (!known)
			site[cnt++] = (struct st_uprobe_site){
				l.v[i].off, COOKIE(key, l.v[i].cond, l.v[i].value)};
	}
	return cnt;
}

static uint32_t add_exits(struct st_uprobe_site *site, uint32_t cnt, struct st_elf *e,
			  uint64_t addr, uint64_t key, bool cheap)
{
	struct st_retsites r;

	if (cheap)
		return add_leaves(site, cnt, e, addr, key);
	assert_int_equal(st_retsites__follow(e, addr, &r), 0);
	return add(site, cnt, &r, key);
}

/* context.run: entered (0), left (1); contexts that are born (2), whichever way. */
static uint32_t python_sites(const struct python *p, struct st_uprobe_site *site, bool cheap)
{
	static const char *const births[] = {"PyContext_CopyCurrent", "PyContext_Copy",
					     "PyContext_New"};
	struct st_pymethod run, copy;
	struct st_retsites r;
	struct st_elf *e;
	struct st_sym s;
	uint32_t cnt = 1;

	assert_int_equal(st_elf__open(p->core, &e), 0);
	assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "run", &run), 0);
	assert_int_equal(st_retsites__find(e, run.addr, &r), 0);
	site[0] = (struct st_uprobe_site){r.entry_off, ALWAYS};
	cnt = add_exits(site, cnt, e, run.addr, 1, cheap);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(st_elf__symbol(e, births[i], &s), 0);
		cnt = add_exits(site, cnt, e, s.addr, 2, cheap);
	}
	/* Where PyContext_Copy was made part of it. */
	assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "copy", &copy), 0);
	cnt = add_exits(site, cnt, e, copy.addr, 2, cheap);
	st_elf__close(e);
	return cnt;
}

static void one_python(enum st_uprobe_way way, struct python *p, bool cheap)
{
	char *argv[] = {p->program, (char *)"-c", (char *)script, NULL};
	struct st_uprobe_site site[128];
	struct bed b = make_bed(way);
	struct child c = start(argv);
	uint32_t cnt = python_sites(p, site, cheap);
	unsigned long last;
	char path[256];

	ask(&c, 1); /* it has started */
	assert_int_equal(fscanf(c.from, "%lu%*c", &last), 1);
	snprintf(path, sizeof(path), "/proc/%d/root%s", c.pid, p->core);
	if (st_uprobes__attach(b.set, b.obj->progs.count, path, c.pid, site, cnt, b.why,
			       sizeof(b.why)))
		fail_msg("%s", b.why);
	ask(&c, 1000);
	assert_int_equal(fscanf(c.from, "%lu%*c", &last), 1);
	/* Two more runs that end by an exception; one more birth, whose address we are told. */
	if (hits(&b, 0) != 1002 || hits(&b, 1) != 1002 || hits(&b, 2) != 3001)
		fail_msg("%s: %lu runs, %lu left, %lu births, not 1002, 1002, 3001", p->program,
			 hits(&b, 0), hits(&b, 1), hits(&b, 2));
	assert_int_equal(value(&b, 2), last);
	free_bed(&b);
	ask(&c, 10);
	assert_int_equal(fscanf(c.from, "%lu%*c", &last), 1);
	stop(&c);
}

static void pythons(enum st_uprobe_way way)
{
	struct python all[PYTHONS_MAX];
	int n = pythons_find(all);

	if (!n) {
		print_message("no CPython was found\n");
		skip();
	}
	for (int i = 0; i < n; i++) {
		one_python(way, &all[i], false);
		one_python(way, &all[i], true);
	}
	print_message("%d files\n", n);
}

#define BOTH(name)                                                                                 \
	static void test_##name##_multi(void **state)                                              \
	{                                                                                          \
		(void)state;                                                                       \
		name(ST_UPROBE_MULTI);                                                             \
	}                                                                                          \
	static void test_##name##_events(void **state)                                             \
	{                                                                                          \
		(void)state;                                                                       \
		name(ST_UPROBE_EVENTS);                                                            \
	}

BOTH(one_process)
BOTH(all_processes)
BOTH(refusals)
BOTH(killed)
BOTH(overlays)
BOTH(pythons)

#define TWO(name) cmocka_unit_test(test_##name##_multi), cmocka_unit_test(test_##name##_events)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TWO(one_process), TWO(all_processes), TWO(refusals),
		TWO(killed),	  TWO(overlays),      TWO(pythons),
	};

	/* A process that is probed. */
	if (argc == 3 && !strcmp(argv[1], "--call"))
		return !!call_many((void *)atol(argv[2]));
	libbpf_set_print(NULL);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
