/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/features.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kern/features_try.h"

/* The capabilities' numbers are older than some headers. */
#define CAP_NR_DAC_READ_SEARCH		2
#define CAP_NR_SYS_PTRACE		19
#define CAP_NR_SYS_ADMIN		21
#define CAP_NR_PERFMON			38
#define CAP_NR_BPF			39

#define ST_FEATURE_NAME(id, name, text) {name, text},
static const struct {
	const char *name, *text;
} rows[ST_FEATURE_CNT] = {ST_FEATURES(ST_FEATURE_NAME)};
#undef ST_FEATURE_NAME

const char *st_feature__name(enum st_feature_id id)
{
	return rows[id].name;
}

const char *st_feature__text(enum st_feature_id id)
{
	return rows[id].text;
}

static void yes(struct st_features *f, enum st_feature_id id)
{
	f->v[id].state = ST_FEATURE_YES;
}

static void set(struct st_features *f, enum st_feature_id id, enum st_feature_state state,
		const char *cure, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void set(struct st_features *f, enum st_feature_id id, enum st_feature_state state,
		const char *cure, const char *fmt, ...)
{
	struct st_feature *v = &f->v[id];
	va_list ap;

	v->state = state;
	snprintf(v->cure, sizeof(v->cure), "%s", cure);
	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
}

static bool read_text(const char *path, char *out, size_t out_sz)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, out, out_sz - 1);
	close(fd);
	if (n < 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return true;
}

static long read_number(const char *path)
{
	char text[32];

	return read_text(path, text, sizeof(text)) ? strtol(text, NULL, 10) : -1;
}

/* ---- privileges ---- */

/* CAP_SYS_ADMIN held both BPF and PERFMON before Linux 5.8, and still stands for them. */
bool st_features__cap_in(uint64_t caps, int cap)
{
	uint64_t mask = 1ull << cap;

	if (cap == CAP_NR_BPF || cap == CAP_NR_PERFMON)
		mask |= 1ull << CAP_NR_SYS_ADMIN;
	return caps & mask;
}

static uint64_t effective_caps(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};

	if (syscall(SYS_capget, &h, d))
		return 0;
	return d[0].effective | (uint64_t)d[1].effective << 32;
}

static bool in_userns(void)
{
	unsigned long from, to, n;
	char text[128];

	if (!read_text("/proc/self/uid_map", text, sizeof(text)))
		return false;
	return sscanf(text, "%lu %lu %lu", &from, &to, &n) != 3 || from || to || n != 4294967295ul;
}

static void probe_caps(struct st_features *f)
{
	static const struct {
		enum st_feature_id id;
		int cap;
		const char *need;
	} caps[] = {
		{ST_FEATURE_CAP_BPF, CAP_NR_BPF, "it loads programs and maps"},
		{ST_FEATURE_CAP_PERFMON, CAP_NR_PERFMON, "tracing programs read memory by it"},
		{ST_FEATURE_CAP_PTRACE, CAP_NR_SYS_PTRACE, "it reads other users' processes"},
		{ST_FEATURE_CAP_READ, CAP_NR_DAC_READ_SEARCH, "it reads other users' files"},
	};
	uint64_t have = effective_caps();

	f->in_userns = in_userns();
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		char cure[96];

		snprintf(cure, sizeof(cure), "run as root (sudo), or setcap %s+ep on spantap",
			 st_feature__name(caps[i].id));
		if (!st_features__cap_in(have, caps[i].cap))
			set(f, caps[i].id, ST_FEATURE_NO, cure, "not held; %s", caps[i].need);
		else if (f->in_userns)
			set(f, caps[i].id, ST_FEATURE_NO,
			    "run spantap outside of the container or "
			    "user namespace",
			    "held in this user namespace only");
		else
			yes(f, caps[i].id);
	}
}

bool st_features__parse_lockdown(const char *text, char *out, unsigned long out_sz)
{
	const char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

	if (!close || close == open + 1)
		return false;
	snprintf(out, out_sz, "%.*s", (int)(close - open - 1), open + 1);
	return true;
}

bool st_features__locked(void)
{
	char text[96], word[24] = "";

	return read_text("/sys/kernel/security/lockdown", text, sizeof(text)) &&
	       st_features__parse_lockdown(text, word, sizeof(word)) &&
	       !strcmp(word, "confidentiality");
}

/* Locked kernels refuse reads of kernel memory: kprobes and BPF's probe reads go, typed loads
 * of tracepoints stay (kernel_lockdown.7).
 */
static void probe_lockdown(struct st_features *f)
{
	char text[96];

	if (read_text("/sys/kernel/security/lockdown", text, sizeof(text)))
		st_features__parse_lockdown(text, f->lockdown, sizeof(f->lockdown));
	if (!f->lockdown[0])
		set(f, ST_FEATURE_UNLOCKED, ST_FEATURE_UNKNOWN, "",
		    "/sys/kernel/security/lockdown is not there: no lockdown, or securityfs is not "
		    "mounted");
	else if (strcmp(f->lockdown, "confidentiality"))
		yes(f, ST_FEATURE_UNLOCKED);
	else
		set(f, ST_FEATURE_UNLOCKED, ST_FEATURE_NO,
		    "boot with lockdown=integrity, or switch off Secure Boot",
		    "lockdown=confidentiality: kprobes and reads of kernel memory are refused");
}

/* ---- the kernel's parts ---- */

/* Why a try of BPF failed, and what would cure it, by its error number. */
static void refused(struct st_features *f, enum st_feature_id id, int err, const char *kernel_lacks)
{
	if (err == -ENOENT || err == -ESRCH)
		set(f, id, ST_FEATURE_NO, "", "%s", kernel_lacks);
	else if ((err == -EPERM || err == -EACCES) && !st_features__has(f, ST_FEATURE_CAP_BPF))
		set(f, id, ST_FEATURE_NO, f->v[ST_FEATURE_CAP_BPF].cure, "not permitted: CAP_BPF");
	else if ((err == -EPERM || err == -EACCES) && !st_features__has(f, ST_FEATURE_CAP_PERFMON))
		set(f, id, ST_FEATURE_NO, f->v[ST_FEATURE_CAP_PERFMON].cure,
		    "not permitted: CAP_PERFMON");
	else if (err == -EPERM || err == -EACCES)
		set(f, id, ST_FEATURE_NO, "",
		    "not permitted, though the capabilities are held: seccomp, lockdown, an LSM or "
		    "RLIMIT_MEMLOCK");
	else
		set(f, id, ST_FEATURE_NO, "", "%s (%s)", kernel_lacks, strerror(-err));
}

static void result(struct st_features *f, enum st_feature_id id, int err, const char *kernel_lacks)
{
	if (!err)
		yes(f, id);
	else
		refused(f, id, err, kernel_lacks);
}

static void probe_maps(struct st_features *f)
{
	result(f, ST_FEATURE_BPF_CALL, st_try__map(), "the kernel has no BPF (CONFIG_BPF_SYSCALL)");
	result(f, ST_FEATURE_RINGBUF, st_try__ringbuf(), "the kernel has no ring buffer maps");
	result(f, ST_FEATURE_MMAP_ARRAY, st_try__mmap_array(), "the kernel cannot map arrays");
}

static void probe_tracepoints(struct st_features *f, const struct btf *btf)
{
	for (int id = ST_FEATURE_TP_SEND; id <= ST_FEATURE_TP_EXIT; id++) {
		const char *name = strchr(rows[id].name, ':') + 1;
		int err = st_try__tracepoint(btf, name);

		result(f, (enum st_feature_id)id, err,
		       err == -ENOENT ? "this kernel does not have it" : "it does not attach");
	}
	result(f, ST_FEATURE_SYSCALLS, st_try__tracepoint(btf, "sys_enter"),
	       "no system-call tracepoints (CONFIG_FTRACE_SYSCALLS)");
}

static void probe_fentry(struct st_features *f, const struct btf *btf)
{
	int err = st_try__fentry(btf, "tcp_recvmsg");

	if (!err)
		yes(f, ST_FEATURE_FENTRY);
	else if (read_number("/proc/sys/net/core/bpf_jit_enable") == 0)
		set(f, ST_FEATURE_FENTRY, ST_FEATURE_NO, "sysctl net.core.bpf_jit_enable=1",
		    "BPF's compiler is switched off");
	else if ((err == -EPERM || err == -EACCES) &&
		 !(st_features__has(f, ST_FEATURE_CAP_BPF) &&
		   st_features__has(f, ST_FEATURE_CAP_PERFMON)))
		refused(f, ST_FEATURE_FENTRY, err, "");
	else
		set(f, ST_FEATURE_FENTRY, ST_FEATURE_NO,
		    "a kernel with CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE",
		    "the kernel refuses them: %s", strerror(-err));
}

static void probe_kprobe(struct st_features *f)
{
	long type = read_number("/sys/bus/event_source/devices/kprobe/type");
	int err;

	if (type < 0) {
		set(f, ST_FEATURE_KPROBE, ST_FEATURE_NO, "a kernel with CONFIG_KPROBE_EVENTS",
		    "the kernel has no kprobes");
		return;
	}
	err = st_try__kprobe((uint32_t)type, "tcp_recvmsg");
	if ((err == -EPERM || err == -EACCES) && !st_features__has(f, ST_FEATURE_UNLOCKED) &&
	    f->lockdown[0])
		set(f, ST_FEATURE_KPROBE, ST_FEATURE_NO, f->v[ST_FEATURE_UNLOCKED].cure,
		    "lockdown refuses kprobes");
	else
		result(f, ST_FEATURE_KPROBE, err, "the kernel refuses kprobes");
}

static void probe_iterators(struct st_features *f, const struct btf *btf)
{
	result(f, ST_FEATURE_ITER_TCP, st_try__iter(btf, "bpf_iter_tcp"),
	       "no such iterator: connections older than spantap are seen at their next byte");
	result(f, ST_FEATURE_ITER_STORAGE, st_try__iter(btf, "bpf_iter_bpf_sk_storage_map"),
	       "no such iterator");
}

static void probe_uprobes(struct st_features *f)
{
	long type = read_number("/sys/bus/event_source/devices/uprobe/type");

	if (type < 0)
		set(f, ST_FEATURE_UPROBE, ST_FEATURE_NO, "a kernel with CONFIG_UPROBE_EVENTS",
		    "the kernel has no uprobes");
	else
		result(f, ST_FEATURE_UPROBE, st_try__uprobe((uint32_t)type),
		       "the kernel refuses uprobes");
	result(f, ST_FEATURE_UPROBE_MULTI, st_try__uprobe_multi(),
	       "the kernel has no uprobe multi links");
}

static void probe_programs(struct st_features *f)
{
	static const char no_btf[] = "the kernel has no type information, which this needs";
	struct btf *btf = st_try__kernel_btf();

	if (btf) {
		yes(f, ST_FEATURE_BTF);
		probe_tracepoints(f, btf);
		probe_fentry(f, btf);
		probe_iterators(f, btf);
		result(f, ST_FEATURE_SK_STORAGE, st_try__sk_storage(btf),
		       "not in tracing programs of this kernel: a hash takes its place");
	} else {
		set(f, ST_FEATURE_BTF, ST_FEATURE_NO, "a kernel with CONFIG_DEBUG_INFO_BTF",
		    "/sys/kernel/btf/vmlinux: %s", strerror(errno));
		for (int id = ST_FEATURE_SK_STORAGE; id <= ST_FEATURE_ITER_STORAGE; id++)
			set(f, (enum st_feature_id)id, ST_FEATURE_NO, "", no_btf);
	}
	st_try__free_btf(btf);
	probe_kprobe(f);
	probe_uprobes(f);
}

/* ---- ways past the hooks ---- */

static void probe_io_uring(struct st_features *f)
{
	long off = read_number("/proc/sys/kernel/io_uring_disabled");

	/* Without arguments: EFAULT or EINVAL when it is there. */
	if (syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno == ENOSYS)
		set(f, ST_FEATURE_IO_URING, ST_FEATURE_NO, "", "the kernel does not have it");
	else if (off == 2)
		set(f, ST_FEATURE_IO_URING, ST_FEATURE_NO, "", "kernel.io_uring_disabled=2");
	else
		yes(f, ST_FEATURE_IO_URING);
}

static void probe_others(struct st_features *f)
{
	char ulp[256] = "";
	long mptcp = read_number("/proc/sys/net/mptcp/enabled");

	if (mptcp > 0)
		yes(f, ST_FEATURE_MPTCP);
	else
		set(f, ST_FEATURE_MPTCP, ST_FEATURE_NO, "", "%s",
		    mptcp < 0 ? "the kernel does not have it" : "net.mptcp.enabled=0");
	read_text("/proc/sys/net/ipv4/tcp_available_ulp", ulp, sizeof(ulp));
	if (strstr(ulp, "tls"))
		yes(f, ST_FEATURE_KTLS);
	else
		set(f, ST_FEATURE_KTLS, ST_FEATURE_NO, "", "the module tls is not loaded");
}

void st_features__probe(struct st_features *f)
{
	struct utsname u;

	memset(f, 0, sizeof(*f));
	if (!uname(&u))
		snprintf(f->kernel, sizeof(f->kernel), "%s", u.release);
	f->unprivileged_bpf = (int)read_number("/proc/sys/kernel/unprivileged_bpf_disabled");
	st_try__quiet(true);
	probe_caps(f);
	probe_lockdown(f);
	probe_maps(f);
	probe_programs(f);
	st_try__quiet(false);
	probe_io_uring(f);
	probe_others(f);
}
