/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The only header that BPF programs and user space share: records, map values, limits and the
 * read-only configuration. Fixed widths, explicit padding, no pointer; enum values are
 * append-only because recordings keep them.
 */
#ifndef SPANTAP_ABI_H
#define SPANTAP_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define ST_ABI_VERSION 1

/* Direction of bytes, seen from the socket's owner. */
enum st_dir {
	ST_RX = 0, /* received */
	ST_TX = 1, /* sent */
};

/* Who spoke first by the rules of TCP or of the protocol. */
enum st_role {
	ST_ROLE_UNKNOWN = 0,
	ST_ROLE_SERVER = 1,
	ST_ROLE_CLIENT = 2,
};

/* What the kernel copies of a connection; user space changes it with a store into the slot. */
enum st_mode {
	ST_MODE_HEAD =
		0, /* each turn's first bytes until a message head's end; bodies are counted */
	ST_MODE_EVERY = 1, /* every call's first bytes, up to ST_HEAD_MAX a turn */
	ST_MODE_OFF = 2,   /* positions only */
	ST_MODE_TIMING =
		3, /* histograms only: no record while the kernel sees the exchange whole */
};

enum st_rec_kind {
	ST_REC_DATA = 1,  /* bytes moved; payload follows */
	ST_REC_OPEN = 2,  /* a connection seen for the first time; payload: struct st_open */
	ST_REC_END = 3,	  /* the expected end of a body was passed */
	ST_REC_STATE = 4, /* TCP state: established, peer's or own FIN, closed */
	ST_REC_EXEC =
		5, /* a process image began; payload: comm[16], file (call_len bytes), arguments */
	ST_REC_EXIT = 6,    /* a process ended (its last thread) */
	ST_REC_CONNECT = 7, /* a connect failed; payload: struct st_open */
	ST_REC_OVERFLOW =
		8,	 /* a listening socket's accept queue was full; payload: struct st_open */
	ST_REC_FORK = 9, /* a process began as a copy of another; call_len: that one's tgid */
	/*
	 * What a proxy begins to send (turn: which) lies in memory where it received bytes of
	 * another connection; pos: that one's id, call_len: its slot, opp_pos: where in its
	 * stream.
	 */
	ST_REC_PASSED = 10,
	/*
	 * Tasks of runtimes (what: enum st_task_what). pos: the task's number, never used again in its
	 * process; err: enum st_task_kind; BORN: conn_id: who made it had just read of that connection.
	 */
	ST_REC_TASK = 11,
	/*
	 * A thread (tid) that waits in futex(2), in processes with ST_MARK_POOL (what: enum
	 * st_wait_what). pos: the address, err: the operation; opp_pos, opp_time_ns: its name.
	 */
	ST_REC_WAIT = 12,
	/*
	 * Ids that are outside (what: enum st_wire_what) of the request that begins at pos; payload:
	 * struct st_ids. Comes before the request's first bytes.
	 */
	ST_REC_WIRE = 13
};

/* Flags of a record. */
#define ST_F_TURN	0x0001 /* first bytes of a turn */
#define ST_F_CONT	0x0002 /* continues the payload of the record before it (same call) */
#define ST_F_CUT	0x0004 /* the call moved more bytes than the payload holds */
#define ST_F_UNREADABLE 0x0008 /* payload could not be read (kernel memory, EFAULT) */
#define ST_F_ANNOUNCED                                                                             \
	0x0010 /* call_len is what was asked for; how much was accepted comes later */
#define ST_F_HEAD_END  0x0020 /* the kernel saw the end of a message head (CRLF CRLF) */
#define ST_F_FRESH     0x0040 /* OPEN: nothing was moved before the call that it comes with */
#define ST_F_EXITING   0x0080 /* the process was ending when this happened */
#define ST_F_IO_WORKER 0x0100 /* io_uring worker or poller: never a context */
#define ST_F_LOST      0x0200 /* records of this connection were lost since its last record */
#define ST_F_BLOCKS    0x0400 /* received: the call would have waited had nothing been there */
#define ST_F_WAITED    0x0800 /* this thread waited for several things since its last record */
#define ST_F_WATCHED   0x1000 /* such waits are seen */
#define ST_F_EARLY     0x2000 /* WAIT: woken before it had left the processor */
#define ST_F_MISSED    0x4000 /* this thread read what was refused: a request that it may still have */

/* Values of `what` in ST_REC_STATE. */
enum st_state {
	ST_STATE_ESTABLISHED = 1,
	ST_STATE_PEER_FIN = 2, /* the peer sends no more */
	ST_STATE_OWN_FIN = 3,  /* this side sends no more */
	ST_STATE_CLOSED = 4,   /* gone; err has the socket's error */
};

/* Values of `what` in ST_REC_TASK. */
enum st_task_what {
	ST_TASK_BORN = 1,  /* it was made by task opp_pos; 0: by the thread itself */
	ST_TASK_RUNS = 2,  /* the thread works for it from here on; 0: for none */
	ST_TASK_CALLS = 3, /* the next request on the connection is its call */
};

/* Values of `what` in ST_REC_WIRE. */
enum st_wire_what {
	ST_WIRE_LEFT =
		1, /* the ids of its own span, which goes with it; opp_pos: its position where
			   * bytes that were put into this connection count, as for its other end */
	ST_WIRE_CAME = 2, /* the caller's span, by TCP option */
};

enum st_task_kind {
	ST_TASK_ANY = 0,
	ST_TASK_GOROUTINE = 1,
	ST_TASK_ITEM = 2,  /* handed to another thread */
	ST_TASK_SCOPE = 3, /* a callback's; what promises run may be another's */
};

/* Values of `what` in ST_REC_WAIT. */
enum st_wait_what {
	ST_WAIT_SLEEPS = 1, /* it leaves the processor */
	ST_WAIT_WOKEN = 2,  /* by thread call_len of its process, in futex(2) on the same address */
	ST_WAIT_ENDS = 3,   /* by anything else: a timer, a signal, the kernel */
	ST_WAIT_GONE = 4,   /* the thread has ended */
};

/* Limits. */
#define ST_PAYLOAD_S	  128u /* payload classes of a DATA record */
#define ST_PAYLOAD_SM	  256u
#define ST_PAYLOAD_M	  512u
#define ST_PAYLOAD_L	  4096u
#define ST_HEAD_MAX	  65536u /* bytes of one message head that are looked at */
#define ST_PROC_PAYLOAD	  512u	 /* EXEC: comm[16], file name, arguments, each with its NUL */
#define ST_UNKNOWN_MAX	  4096u	 /* bytes a turn while the protocol is not known */
#define ST_MAX_CPUS	  512u
#define ST_EXPECT_CHUNKED (~0ULL)

/*
 * One record in a per-CPU ring. 88 bytes, then `payload_sz` bytes of payload area of which `len`
 * are valid. Times are CLOCK_MONOTONIC nanoseconds, taken after the ring space was reserved.
 * Stream positions: for TCP the low 32 bits are the sequence number; else bytes since first seen.
 */
struct st_rec {
	__u64 time_ns;
	__u64 conn_id; /* never reused while the tracer runs; 0 for process records */
	__u64 pos;     /* position of the first payload byte; END, STATE: position of `dir` now */
	__u64 opp_pos; /* the other direction's accepted end position */
	__u64 opp_time_ns; /* when the other direction last moved bytes; 0: never */
	__u64 last_ns;	   /* when this direction last moved bytes before this record; 0: never */
	__u32 seq;	   /* per CPU; a hole is a record that the ring refused */
	__u32 slot;	   /* index into the slot array */
	__u32 tgid;
	__u32 tid;
	__u32 turn;	  /* turns of this connection so far, this one included */
	__u32 call_len;	  /* bytes of the whole call; EXEC: of the file name with its NUL, or 0;
			   * FORK: the parent's thread group; EXIT: the exit code; WIRE: bytes that
			   * were put into the request */
	__u16 len;	  /* valid payload bytes */
	__u16 payload_sz; /* payload area after this header */
	__u16 flags;	  /* ST_F_* */
	__u8 kind;	  /* enum st_rec_kind */
	__u8 dir;	  /* enum st_dir */
	__u16 cpu;
	__u16 err;     /* errno of the socket (STATE, CONNECT) */
	__u8 what;     /* STATE: enum st_state; DATA: st_slot.capturing */
	__u8 lost;     /* DATA records of this connection lost since the last one, at most 255 */
	__u16 refused; /* records that the rings of all CPUs refused so far, low bits */
};

/* A Unix socket: who has both ends' can tell which belong together. 0: not known (not accepted yet). */
struct st_unix_id {
	__u64 sock; /* kernel address, an identity only */
	__u64 ino;
};

/* Addresses of a connection, network byte order; Unix sockets have family AF_UNIX and a path. */
struct st_open {
	__u8 local[16]; /* Unix: struct st_unix_id */
	__u8 peer[16];
	__u16 family;	  /* AF_INET, AF_INET6, AF_UNIX */
	__u16 local_port; /* host byte order */
	__u16 peer_port;  /* host byte order */
	__u8 role;	  /* enum st_role: who connected, when the kernel saw it */
	__u8 protocol;	  /* IPPROTO_TCP, 0 for Unix */
	__u32 netns;	  /* inode number */
	__u32 pad;
	__u64 peer_sock; /* Unix: the peer socket's inode, else 0 */
	__u8 path[48];	 /* Unix: bound path of the listening side, NUL padded */
	__u32 isn[2];	 /* TCP, by enum st_dir: sequence number of the first byte */
};

/* A span's ids and its trace's flags (W3C trace-flags). */
struct st_ids {
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 flags;
};

/*
 * A connection's state, one per slot of an mmapable array: the kernel writes all of it but the
 * fields marked [user], which user space stores.
 */
struct st_slot_dir {
	__u64 pos;	  /* accepted end position */
	__u64 time_ns;	  /* when bytes last moved */
	__u64 expect_end; /* [user] end of the body that is on its way; 0: none; ST_EXPECT_CHUNKED:
			   * when a call ends in the last chunk. The kernel clears it when it has
			   * passed it and sent ST_REC_END */
	__u64 call_end;	  /* TX: write_seq + bytes still to send of the call under way */
	__u64 tail;	  /* the last eight bytes that this turn's last readable call moved */
	__u32 head_len;	  /* bytes of this turn's head(s) copied so far */
	__u32 head_hint;  /* length of the last head whose end was searched for */
	__u32 plain_len;  /* bytes of the last turn's call that was copied in part and ended neither
			   * in a last chunk nor like a head; 0: there was none */
	__u32 shift;	  /* TX: bytes that --propagate put in; positions do not count them */
};

struct st_slot {
	__u64 conn_id; /* 0: free */
	struct st_slot_dir dir[2];
	__u64 sock;   /* kernel address, an identity only */
	__u64 req_ns; /* start of the exchange that is open, for the histograms */
	__u32 turn;
	__u32 hist; /* ST_SLOT_HIST_*; 0: none yet */
	__u32 owner_tgid;
	__u16 status;	 /* status class of the response under way */
	__u8 last_dir;	 /* enum st_dir plus one; 0: no byte yet */
	__u8 capturing;	 /* bit per direction: a head has begun and not ended; and ST_SLOT_LAST */
	__u8 flags;	 /* ST_SLOT_* */
	__u8 lost;	 /* records lost since the last one delivered */
	__u8 role;	 /* enum st_role */
	__u8 mode;	 /* [user] enum st_mode */
	__u8 proto;	 /* [user] protocol id, 0: not known */
	__u8 user_role;	 /* [user] role by protocol */
	__u8 tcp;	 /* 1: positions are sequence numbers */
	__u8 role_known; /* 1: a response told the role */
	__u8 starts;	 /* 1: the turn's first bytes look like a message of HTTP */
	__u8 pad;
	__u16 port;	   /* the server's, once a histogram needed it: a closed socket has none */
	__u32 seen;	   /* the last round in which the socket was found alive */
	__u32 missed_tid;  /* who read what was refused of a request here; 0: nobody */
	__u32 missed_turn; /* which turn that was */
};

/* In `capturing`, shifted by the direction: a call that was not copied whole ended a chunked body. */
#define ST_SLOT_LAST   0x04

#define ST_SLOT_OPENED 0x01 /* the OPEN record was delivered */
#define ST_SLOT_CLOSED 0x02 /* the socket is gone; its CLOSED record may have been lost */
#define ST_SLOT_ACTIVE 0x04 /* this side connected */
#define ST_SLOT_OLD    0x08 /* Unix: it may have moved bytes before we watched */

/* Per-CPU counters; the names are those printed. Append only. */
enum st_counter {
	ST_C_RECORDS = 0,      /* records delivered; st_tracer__counters computes it */
	ST_C_BYTES = 1,	       /* unused */
	ST_C_RING_FULL = 2,    /* records refused by the ring */
	ST_C_SLOTS_FULL = 3,   /* calls on connections for which no slot was free */
	ST_C_STORAGE_FULL = 4, /* socket storage could not be made */
	ST_C_UNREADABLE = 5,   /* payloads that could not be read */
	ST_C_HEAD_TOO_LONG = 6,
	ST_C_NO_PAYLOAD = 7, /* receives whose buffer could not be attributed */
	ST_C_HIST_FULL = 8,  /* exchanges without a histogram */
	ST_C_HIST = 9,	     /* exchanges in the histograms */
	ST_C_CONNS = 10,     /* connections seen */
	ST_C_WAKEUPS = 11,   /* wake-ups sent to the reader */
	ST_C_CALLS = 12,     /* data calls of traced processes */
	ST_C_NESTED = 13,    /* runs that the kernel skipped; st_tracer__nested computes it */
	ST_C_MAX = 16
};

struct st_cpu {
	__u32 seq;
	__u32 pad;
	__u64 tasks; /* numbers given to tasks */
	__u64 counter[ST_C_MAX];
};

/*
 * Latency histograms: log-linear, four buckets an octave from 1 us; bucket of v ns =
 * see st_hist_bucket() in BPF and user space. 4 x 32 octaves reach over an hour.
 */
#define ST_HIST_BUCKETS 128u
#define ST_HIST_SHIFT	10u /* the first octave starts at 2^10 ns */

struct st_hist_key {
	__u32 tgid;
	__u16 port; /* server's port */
	__u8 proto;
	__u8 role;    /* enum st_role */
	__u16 status; /* status class: 0 unknown, 1..5 */
	__u16 pad;
};

struct st_hist {
	__u64 cnt;
	__u64 sum_ns;
	__u32 bucket[ST_HIST_BUCKETS];
};

/*
 * A slot's histogram: its index, the status class that it is for, and the low bits of
 * st_ctl.hist_round when it was looked up: later rounds may have given the index to others.
 */
#define ST_SLOT_HIST_IDX    0x00000fffu
#define ST_SLOT_HIST_STATUS 12 /* shift; four bits */
#define ST_SLOT_HIST_ROUND  16 /* shift */
#define ST_STATUS_CLASS_MAX 9u

#define ST_ASK_MAX	    64u

/* Values of st_ctl.sleeping. */
enum st_sleep {
	ST_SLEEP_NOT = 0,
	ST_SLEEP_DEEP = 1, /* wake the reader at the next record */
	ST_SLEEP_NAP = 2,  /* wake it only when a ring fills */
};

/* State of the reader, shared. */
struct st_ctl {
	__u32 sleeping;	       /* [user] enum st_sleep */
	__u32 stopping;	       /* [user] 1: capture nothing: not yet, or not any more */
	__u32 mode;	       /* [user] enum st_mode of new connections */
	__u32 round;	       /* [user] numbers the walks over live sockets */
	__u32 watching;	       /* [user] slots whose expect_end is set, or more */
	__u32 ask_cnt;	       /* [user] slots in ask */
	__u32 ask[ST_ASK_MAX]; /* [user] whose TX position the program `ask` brings up to date */
	__u32 unix_made;       /* Unix connections so far, or a few less: CPUs do not wait here */
	__u32 unix_known;      /* [user] 1: Unix sockets of before are marked */
	__u32 watch_waits;     /* [user] 1: threads that wait for several things are noted */
	__u32 refused;	       /* records that rings refused */
	__u32 hist_round;      /* [user] changes when histograms were taken from their owners */
	__u32 missed;	       /* connections whose missed_tid is set */
	__u32 missed_all;      /* 1: there was no room for one more thread that missed a read */
};

/* Read-only configuration, set before load. */
struct st_bpf_config {
	__u32 self_tgid;   /* the tracer's own, never captured */
	__u32 all;	   /* 1: every process; 0: those in the process map */
	__u32 follow;	   /* 1: children of traced processes are traced */
	__u32 ring_wake;   /* wake the reader when a ring holds this many bytes */
	__u32 max_conns;   /* slots */
	__u32 wait_decide; /* 1: unknown processes are captured until user space has decided */
	__u32 tcp_send_end; /* the tracepoint that ends sends serves TCP too, not Unix sockets alone */
	__u32 tcp_recv;	    /* the same of the receive tracepoint */
	__u32 sys_needs;    /* bit per need that the system-call tracepoints serve */
	__u32 timing;	    /* every connection stays in ST_MODE_TIMING: positions do not count */
	__u16 ports[16];    /* --port: only these; host byte order, 0 ends the list */
	__u32 propagate;    /* ST_PROPAGATE_*: how requests tell whose they are */
	__u32 pad;
	__u64 id_key[2];    /* ids derive from it: user/core/ids.c */
	__u64 sample_below; /* traces of ours whose last 56 bits are less are not sampled */
};

#define ST_PROPAGATE_OPTION 1u
#define ST_PROPAGATE_HEADER 2u

/* Where requests may tell whose they are; the first rule that fits decides. */
#define ST_WIRE_RULES	    64u
struct st_wire_rule {
	__u32 addr[4]; /* network byte order; IPv4 as ::ffff:a.b.c.d */
	__u32 bits;    /* of it that count */
	__u16 port;    /* host byte order; 0: any */
	__u8 used;     /* 0: the list ends here */
	__u8 allow;
};

/*
 * The header that is inserted: a byte with the top bit set stands for a digit: of the trace id (0 to 31),
 * the span id (32 to 47), or whether it is sampled (48: "1" or "0").
 */
#define ST_HEADER_MAX	  512u
#define ST_HEADER_DIGIT	  0x80u
#define ST_HEADER_SPAN	  32u
#define ST_HEADER_SAMPLED 48u
struct st_wire_header {
	__u32 len;  /* 0: nothing is inserted */
	__u32 once; /* 1: a socket must have left the map when its answer comes */
	__u8 text[ST_HEADER_MAX];
};

/* What became of them; per CPU. Append only. */
enum st_wire_counter {
	ST_W_SENT = 0,	   /* options written */
	ST_W_NO_ROOM = 1,  /* segments that had no room for it */
	ST_W_CAME = 2,	   /* options read */
	ST_W_ENROLLED = 3, /* connections that tell */
	ST_W_DENIED = 4,   /* connections that must not, by rule */
	ST_W_INSERTED = 5, /* headers */
	ST_W_LEFT_OUT = 6, /* requests on a connection that a header could not be inserted in */
	ST_W_MAX = 8
};

/* Bits of the marks map, four an id. */
#define ST_MARK_WAITED 1u /* thread: it waited for several things since its last record */
#define ST_MARK_PROXY  2u /* process: [user] it passes on what it receives */
#define ST_MARK_TASKS  4u /* process: [user] the runtimes map says how it runs tasks */
#define ST_MARK_POOL   8u /* process: [user] its threads' waits in futex(2) are told */

/* How a process runs tasks; by thread group. */
enum st_runtime_kind {
	ST_RUNTIME_GO = 1,
	ST_RUNTIME_SCOPES = 2, /* user probes keep st_worker */
	ST_RUNTIME_NODE = 3,   /* the same; what was read is a task of its own */
};

struct st_runtime {
	__u32 kind;
	__u16 goid;	    /* Go: offset in runtime.g */
	__u16 parent_goid;  /* 0: none */
	__u16 persist_conn; /* of persistConn.conn, an interface */
	__u16 sysfd;	    /* in net.netFD */
	__u32 pad;
};

/*
 * Cookie of a probe where a function is left: the processor's condition under which it is, and the
 * register with the value (user/kern/leaves.h). 0: at a return instruction.
 */
#define ST_LEAVE_COOKIE(cond, reg) (1u + (cond) + ((__u64)(reg) << 8))

/* What a thread does: the scopes that it is in, innermost last. */
#define ST_SCOPES_MAX		   16u
struct st_worker {
	__u64 scope[ST_SCOPES_MAX]; /* task numbers; 0: none's */
	__u32 depth;		    /* may be more than fit */
	__u32 closes;		    /* Node: scopes that are being left */
	__u64 self[ST_SCOPES_MAX];  /* Node: the scopes' own addresses */
	__u64 closing[ST_SCOPES_MAX];
	__u64 told;	  /* the task that user space was last told of */
	__u64 fresh;	  /* Node: the task of what was just read */
	__u64 making;	  /* Node: the object that is about to get an async id */
	__u64 read_conn;  /* whose request it read in the scope that it is in; 0: nobody's */
	__u32 read_depth; /* ... so deep; 0: the scope that it entered next */
	__u32 pad;
};

/* Values of the process map (tgid -> one byte). */
enum st_proc_state {
	ST_PROC_UNKNOWN = 0,
	ST_PROC_TRACED = 1,
	ST_PROC_IGNORED = 2,
};

_Static_assert(sizeof(struct st_rec) == 88, "recordings keep this layout");
_Static_assert(sizeof(struct st_ids) == 32, "recordings keep this layout");
_Static_assert(sizeof(struct st_open) == 112, "recordings keep this layout");
_Static_assert(sizeof(struct st_slot_dir) == 56, "two per slot");
_Static_assert(sizeof(struct st_slot) == 176, "slot");

#endif
