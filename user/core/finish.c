/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a closed exchange to a span: identity, times, name, the attributes of every protocol. */
#include <errno.h>
#include <sys/socket.h>

#include "core/conn.h"
#include "spantap/keys.h"

static void begin(struct st_core *c, uint32_t tgid, uint64_t start_ns, uint64_t end_ns,
		  uint8_t role)
{
	struct st_span *s = &c->span;

	memset(s, 0, offsetof(struct st_span, attrs));
	s->attrs = s->own;
	s->start_ns = start_ns + (uint64_t)c->cfg.epoch_off_ns;
	s->end_ns = end_ns + (uint64_t)c->cfg.epoch_off_ns;
	s->kind = role == ST_ROLE_CLIENT ? ST_KIND_CLIENT : ST_KIND_SERVER;
	s->flags = 1 | 0x100; /* sampled; bit 8: whether the parent is remote is known */
	s->resource = c->cfg.ops.resource(c->cfg.ctx, tgid, end_ns);
}

static struct st_names *names_of(struct st_core *c, const struct st_resource *r)
{
	uint32_t i = r->index;

	if (i >= ST_NAMES_RESOURCES)
		return NULL;
	if (c->names[i].generation != r->generation || !c->names[i].names) {
		st_names__free(c->names[i].names);
		c->names[i].names = st_names__new(c->cfg.max_names);
		c->names[i].generation = r->generation;
	}
	return c->names[i].names;
}

static void limit_name(struct st_core *c, struct st_span *s, struct st_str fallback)
{
	uint64_t *known = &c->admitted[s->tmpl % ST_ADMITTED];
	struct st_names *names;

	/* A template belongs to one connection, and admitted names stay admitted. */
	if (!fallback.len || (s->tmpl && *known == s->tmpl))
		return;
	names = names_of(c, s->resource);
	if (names && st_names__admit(names, s->name)) {
		*known = s->tmpl;
		return;
	}
	s->name = fallback;
	s->tmpl = 0;
	c->stats.name_overflow++;
}

static void add_peer(struct st_span *s, const struct st_conn_info *i)
{
	if (i->peer_len)
		st_span_str(s, ST_KEY(network_peer_address), st_str(i->peer, i->peer_len));
	if (i->peer_port)
		st_span_int(s, ST_KEY(network_peer_port), i->peer_port);
	if (i->family == AF_UNIX)
		st_span_str(s, ST_KEY(network_transport), ST_STR("unix"));
}

static void emit(struct st_core *c)
{
	c->stats.spans++;
	c->cfg.ops.span(c->cfg.ctx, &c->span);
}

/* All of the span but ids and times. Returns the name to use when the service has too many. */
static struct st_str make(struct st_core *c, struct st_span *s, const struct st_proto_ops *ops,
			  struct st_xchg *x)
{
	struct st_str fallback = {0};

	ops->span(x, s, &fallback);
	add_peer(s, x->conn);
	if (s->evidence)
		st_span_str(s, ST_KEY(spantap_parent_evidence), st_evidence__name(s->evidence));
	if (x->incomplete) {
		st_span_bool(s, ST_KEY(spantap_incomplete), true);
		c->stats.incomplete++;
	}
	if (x->error_type.len) {
		s->status = ST_STATUS_ERROR;
		if (!st_span_find(s, ST_KEY(error_type)))
			st_span_str(s, ST_KEY(error_type), x->error_type);
	}
	if (ops->learn)
		ops->learn(x, s, fallback);
	return fallback;
}

/* Its place in a trace. A parent in another process is a remote one (OTLP's flags, bit 9). */
static void set_lineage(struct st_core *c, struct st_span *s, const struct st_xchg *x)
{
	const struct st_lineage *l = &x->lin;

	memcpy(s->span_id, l->span_id, sizeof(s->span_id));
	if (!l->trace) {
		st_ids__trace(c, x->conn_id, x->turn, x->nth, s->trace_id);
		return;
	}
	l->trace->fixed = true;
	memcpy(s->trace_id, l->trace->id, sizeof(s->trace_id));
	s->trace_state = l->trace->state;
	s->start_ns = x->start_ns + (uint64_t)l->trace->epoch_off_ns;
	s->end_ns = x->end_ns + (uint64_t)l->trace->epoch_off_ns;
	s->flags = l->trace->flags | 0x100 | (l->remote ? 0x200 : 0);
	s->has_parent = l->has_parent;
	s->evidence = l->evidence;
	if (l->has_parent)
		memcpy(s->parent_id, l->parent_id, sizeof(s->parent_id));
}

void st_core__finish(struct st_core *c, struct st_xchg *x)
{
	struct st_span *s = &c->span;
	struct st_str fallback = {0};

	begin(c, x->tgid, x->start_ns, x->end_ns, x->role);
	set_lineage(c, s, x);
	if (!x->ops->recall || !x->ops->recall(x, s, &fallback))
		fallback = make(c, s, x->ops, x);
	limit_name(c, s, fallback);
	if (x->lin.candidates)
		st_candidates__link(x, s);
	emit(c);
}

/*
 * What a connect can leave in sk_err: the peer's reset, no answer, and what ICMP says (the tables
 * of Linux net/ipv4/icmp.c and net/ipv6/icmp.c), local refusals.
 */
static const struct {
	uint16_t err;
	struct st_str name;
} connect_errors[] = {
#define ROW(e) {e, {#e, sizeof(#e) - 1}}
	ROW(ECONNREFUSED), ROW(ETIMEDOUT),    ROW(EHOSTUNREACH),  ROW(ENETUNREACH), ROW(ECONNRESET),
	ROW(EHOSTDOWN),	   ROW(ENETDOWN),     ROW(EADDRNOTAVAIL), ROW(EADDRINUSE),  ROW(EPERM),
	ROW(EACCES),	   ROW(ECONNABORTED), ROW(ENOPROTOOPT),	  ROW(EOPNOTSUPP),  ROW(EMSGSIZE),
	ROW(ENONET),	   ROW(EPROTO),	      ROW(EPIPE),	  ROW(ENOBUFS),	    ROW(ENOMEM),
#undef ROW
};

/*
 * error.type: the errno's name. Without one the connect ended before it was answered: the client
 * gave up, unless no local port was found, which the kernel tells to its caller alone.
 */
static struct st_str connect_error(uint16_t err, uint16_t local_port)
{
	for (size_t i = 0; i < sizeof(connect_errors) / sizeof(connect_errors[0]); i++)
		if (connect_errors[i].err == err)
			return connect_errors[i].name;
	if (err)
		return ST_STR("connect_failed");
	return local_port ? ST_STR("connect_aborted") : ST_STR("EADDRNOTAVAIL");
}

static void address_span(struct st_core *c, const struct st_rec *rec, struct st_str address,
			 uint16_t port)
{
	struct st_span *s = &c->span;

	uint64_t id = st_ids__span(c, rec->conn_id, rec->turn, 0xffff);

	memcpy(s->span_id, &id, sizeof(id));
	st_ids__trace(c, rec->conn_id, rec->turn, 0xffff, s->trace_id);
	st_span_str(s, ST_KEY(server_address), address);
	st_span_int(s, ST_KEY(server_port), port);
	st_span_str(s, ST_KEY(network_transport), ST_STR("tcp"));
	s->status = ST_STATUS_ERROR;
	c->stats.requests++;
}

void st_core__failed_connect(struct st_core *c, const struct st_rec *rec,
			     const struct st_conn_info *info)
{
	bool started = rec->last_ns && rec->last_ns < rec->time_ns;

	begin(c, rec->tgid, started ? rec->last_ns : rec->time_ns, rec->time_ns, ST_ROLE_CLIENT);
	c->span.name = ST_STR("connect");
	address_span(c, rec, st_str(info->peer, info->peer_len), info->peer_port);
	st_span_str(&c->span, ST_KEY(error_type), connect_error(rec->err, info->local_port));
	c->stats.connect_failures++;
	emit(c);
}

void st_core__accept_overflow(struct st_core *c, const struct st_rec *rec,
			      const struct st_conn_info *info)
{
	begin(c, rec->tgid, rec->time_ns, rec->time_ns, ST_ROLE_SERVER);
	c->span.name = ST_STR("accept");
	address_span(c, rec, st_str(info->local, info->local_len), info->local_port);
	st_span_str(&c->span, ST_KEY(error_type), ST_STR("accept_queue_full"));
	c->stats.accept_overflows++;
	emit(c);
}
