/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What this kernel and these privileges allow, found by trying it and undoing it at once; never
 * by version number. Where something is not allowed, why, and what would give it.
 */
#ifndef ST_KERN_FEATURES_H
#define ST_KERN_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

enum st_feature_state {
	ST_FEATURE_UNKNOWN = 0, /* could not be tried; `why` says what stood in the way */
	ST_FEATURE_YES = 1,
	ST_FEATURE_NO = 2,
};

/* X(identifier, "name in JSON", "what people read") */
#define ST_FEATURES(X)                                                                             \
	/* privileges */                                                                           \
	X(CAP_BPF, "cap_bpf", "CAP_BPF")                                                           \
	X(CAP_PERFMON, "cap_perfmon", "CAP_PERFMON")                                               \
	X(CAP_PTRACE, "cap_sys_ptrace", "CAP_SYS_PTRACE")                                          \
	X(CAP_READ, "cap_dac_read_search", "CAP_DAC_READ_SEARCH")                                  \
	X(BPF_CALL, "bpf", "bpf() system call")                                                    \
	X(UNLOCKED, "no_lockdown", "kernel memory not locked down")                                \
	/* the kernel's parts */                                                                   \
	X(BTF, "btf", "kernel type information (BTF)")                                             \
	X(RINGBUF, "ring_buffer", "ring buffer maps")                                              \
	X(MMAP_ARRAY, "mmapable_array", "mmapable array maps")                                     \
	X(SK_STORAGE, "sk_storage", "socket storage in tracing programs")                          \
	X(TP_SEND, "tp:tcp_sendmsg_locked", "tracepoint tcp_sendmsg_locked")                       \
	X(TP_SEND_END, "tp:sock_send_length", "tracepoint sock_send_length")                       \
	X(TP_RECV, "tp:sock_recv_length", "tracepoint sock_recv_length")                           \
	X(TP_STATE, "tp:inet_sock_set_state", "tracepoint inet_sock_set_state")                    \
	X(TP_SPLICE, "tp:tcp_rcv_space_adjust", "tracepoint tcp_rcv_space_adjust")                 \
	X(TP_FORK, "tp:sched_process_fork", "tracepoint sched_process_fork")                       \
	X(TP_EXEC, "tp:sched_process_exec", "tracepoint sched_process_exec")                       \
	X(TP_EXIT, "tp:sched_process_exit", "tracepoint sched_process_exit")                       \
	X(FENTRY, "fentry", "fentry/fexit on kernel functions")                                    \
	X(KPROBE, "kprobe", "kprobes")                                                             \
	X(SYSCALLS, "tp:sys_enter", "tracepoints sys_enter, sys_exit")                             \
	X(ITER_TCP, "iter:tcp", "iterator over TCP sockets")                                       \
	X(ITER_STORAGE, "iter:bpf_sk_storage_map", "iterator over socket storage")                 \
	X(UPROBE, "uprobe", "uprobes")                                                             \
	X(UPROBE_MULTI, "uprobe_multi", "uprobe multi links")                                      \
	/* ways that data can take past the hooks; YES: it can happen here */                      \
	X(IO_URING, "io_uring", "io_uring")                                                        \
	X(MPTCP, "mptcp", "MPTCP")                                                                 \
	X(KTLS, "ktls", "kernel TLS")

#define ST_FEATURE_ID(id, name, text) ST_FEATURE_##id,
enum st_feature_id { ST_FEATURES(ST_FEATURE_ID) ST_FEATURE_CNT };
#undef ST_FEATURE_ID

struct st_feature {
	enum st_feature_state state;
	char why[144];	/* "" when YES */
	char cure[144]; /* what would give it; "" when nothing is known to */
};

struct st_features {
	struct st_feature v[ST_FEATURE_CNT];
	char kernel[80];      /* release */
	bool in_userns;	      /* capabilities count in this user namespace only */
	int unprivileged_bpf; /* kernel.unprivileged_bpf_disabled, -1: unknown */
	char lockdown[24];    /* "none", "integrity", "confidentiality", "" unknown */
};

/* Tries everything; some 50 ms. Needs no privilege: without it most is NO with the reason. */
void st_features__probe(struct st_features *out);

const char *st_feature__name(enum st_feature_id id);
const char *st_feature__text(enum st_feature_id id);

static inline bool st_features__has(const struct st_features *f, enum st_feature_id id)
{
	return f->v[id].state == ST_FEATURE_YES;
}

/* Whether an effective capability set (bit mask) has it, by its number or CAP_SYS_ADMIN. */
bool st_features__cap_in(uint64_t caps, int cap);

/* Is the kernel locked down for confidentiality, so that programs cannot read its memory? */
bool st_features__locked(void);

/* The word in brackets of /sys/kernel/security/lockdown; false when there is none. Pure. */
bool st_features__parse_lockdown(const char *text, char *out, unsigned long out_sz);

#endif
