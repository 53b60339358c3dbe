/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* All maps and globals. Who may write each: see the comment above it. */
#ifndef ST_BPF_MAPS_H
#define ST_BPF_MAPS_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "spantap/abi.h"

/*
 * The same source is compiled three times. "direct": hooks whose arguments the verifier knows (tp_btf,
 * fentry), so that fields are plain loads and connections lie in socket storage. "probe"
 * (ST_PROBE): kprobes and system-call tracepoints, where fields are read by helper and connections
 * lie in a hash by socket address. "typed" (ST_CAST) is direct with bpf_rdonly_cast (6.2,
 * a35b9af4ec2c), by which untyped kernel addresses are loaded from as well.
 */
#ifdef ST_PROBE
#define ST_READ(p, f) BPF_CORE_READ(p, f)
#else
#define ST_READ(p, f) ((p)->f)
#endif

#ifdef ST_CAST
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

/*
 * No program of "typed" calls bpf_probe_read_kernel: a load costs less, and a kernel that is locked
 * down for confidentiality refuses it (ff40e51043af). There libbpf 1.1 puts the old bpf_probe_read in
 * place of bpf_probe_read_user as well, which is refused too.
 */
#define ST_TYPED(p) ((typeof(p))bpf_rdonly_cast((void *)(p), bpf_core_type_id_kernel(typeof(*(p)))))
#undef BPF_CORE_READ
#define BPF_CORE_READ(p, ...) ___arrow(ST_TYPED(p), __VA_ARGS__)
#endif

/* Set before load. */
const volatile struct st_bpf_config cfg = {};

/* The reader's state; written by user space, and `sleeping` by whoever wakes it. */
struct st_ctl ctl = {};

/* ring.h */
struct ring_proto {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ring_proto);
} rings SEC(".maps");

/* counters; ring.h */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct st_cpu);
} cpus SEC(".maps");

/* proc.h; two bits a thread group, enum st_proc_state; user space adds differences too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} procs SEC(".maps");

/* marks.h; four bits an id, ST_MARK_*. User space adds differences too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} marks SEC(".maps");

/* task.h; what runs tasks, by thread group, and what each of its threads does. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct st_runtime);
} runtimes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct st_worker);
} workers SEC(".maps");

/* task.h; the task that makes the next request on a socket, by its kernel address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} callers SEC(".maps");

#include "wire_maps.h"

/* missed.h; requests by the thread that read them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} missed SEC(".maps");

/* passed.h; where bytes of a proxy's connections were received. */
#define ST_PLACES_BITS 12

struct st_place {
	__u64 key;
	__u64 conn_id;
	__u64 base;
	__u64 pos; /* in that connection's stream */
	__u32 len;
	__u32 slot;
	__u64 sum; /* of the fields before it */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1u << ST_PLACES_BITS);
	__type(key, __u32);
	__type(value, struct st_place);
} places SEC(".maps");

/* conn.h; the connections, and the indices that are free. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct st_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

/* conn.h; which slot a socket has. */
struct st_sk {
	__u64 conn_id;
	__u32 slot;
	__u32 flags;
#ifdef ST_PROBE
	__u64 ino; /* Unix: of the socket; its address may be another's by now */
#endif
};

#define ST_SK_IGNORED 1u /* not one of --port */
#define ST_SK_SELF    2u /* the tracer's own */
#define ST_SK_OLD     4u /* Unix: it was there before we watched */

#ifdef ST_PROBE
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct st_sk);
} socks SEC(".maps");
#else
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct st_sk);
} socks SEC(".maps");
#endif

/* conn.h; local ports (host order) << 16 | peer port of the tracer's own connections. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u8);
} own_ports SEC(".maps");

/* uring.h; requests of io_uring by thread or by the address of the socket they wait for. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} uring_reqs SEC(".maps");

/* A call's bytes: one buffer, or an array of them. */
struct st_src {
	__u64 base;   /* of the buffer, or of the iovec array */
	__u64 len;    /* of the buffer */
	__u64 skip;   /* bytes of the first iovec that are already behind */
	__u32 segs;   /* 0: nothing readable; 1: base and len; else iovecs */
	__u32 kernel; /* the iovec array lies in kernel memory */
};

/* One call that moves bytes. */
struct st_call {
	__u64 addr; /* of its next bytes, and how many lie there together */
	__u64 len;
	__u32 slot;
	__u32 bytes; /* of the call: announced (send) or moved (receive) */
	__u64 pos;   /* of its first byte */
	__u64 now;   /* of its first record */
	__u32 off;   /* bytes of it already copied */
	__u16 flags; /* ST_F_* of its records */
	__u8 dir;
	__u8 more; /* the chunk just copied asks for the next one */
	__u8 turn; /* it begins a turn */
	__u8 pad[3];
	__u32 tgid;
	__u32 tid;
	__u32 pad2;
	struct st_src src;
};

/*
 * turn.h; a call under way, one per CPU and program: a program never nests in itself on a CPU
 * (bpf_prog.active), but another one can. Lying in a map, its values are unknown to the verifier,
 * which keeps its work small.
 */
enum st_scratch { ST_SCRATCH_SEND, ST_SCRATCH_RECV, ST_SCRATCH_SENT, ST_SCRATCH_CNT };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ST_SCRATCH_CNT);
	__type(key, __u32);
	__type(value, struct st_call);
} scratch SEC(".maps");

/* hist.h */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct st_hist_key);
	__type(value, __u32);
} hist_keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} free_hists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct st_hist);
} hists SEC(".maps");

#endif
