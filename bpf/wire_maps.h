/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Maps of --propagate; part of maps.h. */
#ifndef ST_BPF_WIRE_MAPS_H
#define ST_BPF_WIRE_MAPS_H

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
	__u32 told;	/* ... those of the message whose first bytes are on their way */
	__u32 stays;	/* ... it need not leave when an answer comes */
	__u64 left;	/* ... bytes of the request's body that are still to come */
	__u64 cookie;	/* ... its key in the map */
	__u64 above; /* ... the connection of the request that its last one is made for; 0: not known */
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
	__u32 head;    /* of came: how many so far */
	__u32 carries; /* the map has lines of the last request */
	__u32 pad;
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

/*
 * Lines of a request's head that calls made for it carry on: tracestate and baggage. By its connection.
 */
#define ST_CARRY_MAX 512

struct st_carry {
	__u32 len;
	__u32 turn;
	__u8 text[ST_CARRY_MAX];
	__u8 room
		[ST_CARRY_MAX]; /* for the verifier's sake: where a line begins and how long it is are bounded apart */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct st_carry);
} carried SEC(".maps");

struct st_head {
	struct st_ids ids; /* of its traceparent */
	__u64 length;	   /* of its body, when it says so */
	__u32 cnt;	   /* traceparents, malformed ones counted twice */
	__u32 lengths;	   /* how often it says so */
	__u32 line;	   /* where its second line begins; 0: not there */
	__u32 end;	   /* where it ends; 0: not there */
	__u32 flags;	   /* ST_HEAD_* */
	__u32 carry_at;	   /* where a line begins that is carried on; 0: none does */
	struct st_carry carry;
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

#endif
