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

void st_conn_info__set(struct st_conn_info *i, const struct st_open *o)
{
	i->family = o->family;
	i->local_port = o->local_port;
	i->peer_port = o->peer_port;
	i->role = o->role;
	i->local_len = put_addr(o->family, o->local, i->local, sizeof(i->local));
	i->peer_len = put_addr(o->family, o->peer, i->peer, sizeof(i->peer));
	i->has_isn = o->family != AF_UNIX && (o->isn[0] || o->isn[1]);
	memcpy(i->isn, o->isn, sizeof(i->isn));
	if (o->family != AF_UNIX)
		return;
	i->local_len = (uint8_t)strnlen((const char *)o->path, sizeof(o->path));
	memcpy(i->local, o->path, i->local_len);
	i->local[i->local_len] = 0;
}
