/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/socket_try.h"

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 1000

static bool comes(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, WAIT_MS) == 1;
}

/* What one end sends comes to the other as it was. */
static bool passes(int from, int to)
{
	char out[4096], in[sizeof(out)];
	size_t got = 0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)i;
	if (send(from, out, sizeof(out), MSG_NOSIGNAL) != (ssize_t)sizeof(out))
		return false;
	while (got < sizeof(in) && comes(to)) {
		ssize_t n = recv(to, in + got, sizeof(in) - got, 0);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return got == sizeof(in) && !memcmp(in, out, sizeof(in));
}

static enum st_socket_trial try_pair(int map_fd, int mapped, int other)
{
	uint64_t key = UINT64_MAX, value = (uint64_t)mapped;
	int unread = -1;

	if (bpf_map_update_elem(map_fd, &key, &value, BPF_ANY) || !passes(mapped, other))
		return ST_SOCKET_BROKEN;
	if (send(other, "x", 1, MSG_NOSIGNAL) != 1 || !comes(mapped) ||
	    ioctl(mapped, FIONREAD, &unread))
		return ST_SOCKET_BROKEN;
	return unread == 1 ? ST_SOCKET_SOUND : ST_SOCKET_NO_FIONREAD;
}

static enum st_socket_trial try_connected(int map_fd, int listener)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	enum st_socket_trial result = ST_SOCKET_UNTRIED;
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -1;

	if (!getsockname(listener, (struct sockaddr *)&a, &len) &&
	    !connect(client, (struct sockaddr *)&a, len))
		server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server >= 0) {
		result = try_pair(map_fd, client, server);
		close(server);
	}
	if (client >= 0)
		close(client);
	return result;
}

enum st_socket_trial st_socket__try(int map_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enum st_socket_trial result = ST_SOCKET_UNTRIED;

	if (listener < 0)
		return result;
	if (!bind(listener, (struct sockaddr *)&a, sizeof(a)) && !listen(listener, 1))
		result = try_connected(map_fd, listener);
	close(listener);
	return result;
}
