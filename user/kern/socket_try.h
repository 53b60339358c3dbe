/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What becomes of sockets in a sockmap that has an sk_msg program, tried on a connection of our own. */
#ifndef ST_KERN_SOCKET_TRY_H
#define ST_KERN_SOCKET_TRY_H

enum st_socket_trial {
	ST_SOCKET_SOUND = 0,
	/* FIONREAD says 0, whatever there is to read: programs that wait for it stall. */
	ST_SOCKET_NO_FIONREAD = 1,
	ST_SOCKET_BROKEN = 2,  /* bytes do not come through, or not as they were sent */
	ST_SOCKET_UNTRIED = 3, /* there is no loopback interface to try it on */
};

/* map_fd: a sockhash whose keys are 64 bits wide. Takes a second at most, when nothing comes. */
enum st_socket_trial st_socket__try(int map_fd);

#endif
