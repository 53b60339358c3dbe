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

/* work.h, wire.h; who has which request in hand: a thread, a goroutine, a task. */
struct st_work_key {
	__u64 id; /* 0: nobody */
	__u32 tgid;
	__u32 kind; /* ST_WORK_* */
};

#define ST_WORK_THREAD 0 /* id: the thread's */
#define ST_WORK_TASK   1 /* id: the goroutine's, or the task's number */

struct st_work {
	struct st_ids ids; /* of the span of the request in hand */
	__u64 conn_id;	   /* its connection's; 0: there is none */
	__u64 since_ns;	   /* what began since then is done for it */
	__u64 parent;	   /* task: who made it */
	__u64 born_ns;	   /* task; 0: before we watched */
	__u32 cnt;	   /* requests that it read and that are not answered */
	__u8 blocks;	   /* thread: it would have waited for the request's connection alone */
	__u8 waited;	   /* thread: it has waited for several things since */
	__u8 many;	   /* it had several at once and not all of them are answered */
	__u8 before;	   /* thread: that it waited is told of the time before the request */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct st_work_key);
	__type(value, struct st_work);
} works SEC(".maps");

/* wire.h; by thread group: how its threads went about requests so far. */
struct st_crew {
	__u32 agreed;  /* answered by who read them, who did nothing else in between */
	__u32 against; /* not so */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct st_crew);
} crews SEC(".maps");

#ifndef ST_PROBE
/* wire.h; a socket whose requests tell whose they are, made when it connects. */
struct st_wire {
	struct st_ids ids; /* of the last request's span */
	__u64 conn_id;	   /* 0: it made none yet */
	__u32 slot;
	__u32 turn;	/* of the request that has ids */
	__u32 seq;	/* of its first byte */
	__u8 state;	/* ST_WIRE_* */
	__u8 reserved;	/* segments are being cut for the option */
	__u8 header;	/* ST_HEADER_* */
	__u8 fresh;	/* the message at hand has not come to the send hook yet */
	__u32 inserted; /* header.h: bytes, into the message at hand */
	__u32 message;	/* ... its bytes without them */
	__u64 left;	/* ... bytes of the request's body that are still to come */
	__u64 cookie;	/* ... its key in the map */
};

#define ST_HEADER_OFF	0 /* its messages do not come by */
#define ST_HEADER_ON	1
#define ST_HEADER_LEAVE 2 /* nothing is inserted any more; it leaves the map as soon as it can */

#define ST_WIRE_NONE	0 /* nothing to tell */
#define ST_WIRE_READY	1 /* the next segments carry it */
#define ST_WIRE_SENT	2 /* one did */

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct st_wire);
} wires SEC(".maps");

/* wire.h; a socket that answers requests: what came with them, and who has the last one in hand. */
#define ST_CAME_MAX 4

struct st_came {
	struct st_ids ids;
	__u32 seq; /* of the request's first byte */
	__u32 valid;
};

struct st_serve {
	struct st_came came[ST_CAME_MAX];
	struct st_ids ids; /* of its span */
	struct st_work_key reader;
	__u64 conn_id; /* the request that ids are of */
	__u32 turn;
	__u32 head; /* of came: how many so far */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct st_serve);
} serves SEC(".maps");

/* propagate.bpf.c */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ST_WIRE_RULES);
	__type(key, __u32);
	__type(value, struct st_wire_rule);
} wire_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct st_wire_header);
} wire_header SEC(".maps");

struct st_wire_counts {
	__u64 v[ST_W_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct st_wire_counts);
} wire_counts SEC(".maps");

/* head.h; the beginning of a request that is looked through for what it says of its trace. */
#define ST_HEAD_LOOK 2048

struct st_head {
	struct st_ids ids; /* of its traceparent */
	__u64 length;	   /* of its body, when it says so */
	__u32 cnt;	   /* traceparents, malformed ones counted twice */
	__u32 lengths;	   /* how often it says so */
	__u32 line;	   /* where its second line begins; 0: not there */
	__u32 end;	   /* where it ends; 0: not there */
	__u32 flags;	   /* ST_HEAD_* */
	__u32 pad;
	__u8 p[ST_HEAD_LOOK + 128];
};

#define ST_HEAD_FOREIGN 1u /* it tells of a trace in another format */
#define ST_HEAD_OPEN	2u /* where its body ends is not known from it, or another protocol follows */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct st_head);
} heads SEC(".maps");
#endif

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
