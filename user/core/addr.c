/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/conn.h"

static uint8_t put_v6(const uint8_t *a, char *out, size_t sz)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	/* RFC 4291 2.5.5.2: what came over IPv4 is shown as IPv4. */
	if (!memcmp(a, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, a + 12, out, (socklen_t)sz);
	else
		inet_ntop(AF_INET6, a, out, (socklen_t)sz);
	return (uint8_t)strlen(out);
}

static uint8_t put_addr(uint16_t family, const uint8_t *a, char *out, size_t sz)
{
	out[0] = 0;
	if (family == AF_INET)
		inet_ntop(AF_INET, a, out, (socklen_t)sz);
	else if (family == AF_INET6)
		return put_v6(a, out, sz);
	return (uint8_t)strlen(out);
}

static uint64_t mix(uint64_t ino, uint64_t sock)
{
	uint64_t v = (ino ^ sock * 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;

	return v ^ v >> 29;
}

/*
 * TCP: the initial sequence number of the direction that answers take. Unix: the client's inode, which
 * is given once, and the server's address: at the first byte the server may not be accepted yet.
 */
static void set_join(struct st_conn_info *i, const struct st_open *o)
{
	struct st_unix_id local, peer;

	i->has_join = o->family != AF_UNIX && (o->isn[0] || o->isn[1]);
	i->join[0] = (uint64_t)o->isn[ST_TX] << 32;
	i->join[1] = (uint64_t)o->isn[ST_RX] << 32;
	if (o->family != AF_UNIX)
		return;
	memcpy(&local, o->local, sizeof(local));
	memcpy(&peer, o->peer, sizeof(peer));
	i->has_join = i->fresh && local.ino && peer.sock;
	i->join[0] = mix(peer.ino, local.sock);
	i->join[1] = mix(local.ino, peer.sock);
}

void st_conn_info__set(struct st_conn_info *i, const struct st_open *o)
{
	i->family = o->family;
	i->local_port = o->local_port;
	i->peer_port = o->peer_port;
	i->role = o->role;
	i->local_len = put_addr(o->family, o->local, i->local, sizeof(i->local));
	i->peer_len = put_addr(o->family, o->peer, i->peer, sizeof(i->peer));
	set_join(i, o);
	if (o->family != AF_UNIX)
		return;
	i->local_len = (uint8_t)strnlen((const char *)o->path, sizeof(o->path));
	memcpy(i->local, o->path, i->local_len);
	i->local[i->local_len] = 0;
}
