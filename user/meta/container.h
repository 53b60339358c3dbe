/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* container.id from what the kernel says of a process. Pure. */
#ifndef ST_META_CONTAINER_H
#define ST_META_CONTAINER_H

#include "spantap/bytes.h"

#define ST_CONTAINER_ID_SZ 65 /* 64 hex digits and the NUL */

/*
 * From /proc/PID/cgroup (v1 or v2), by the paths that Docker, containerd, CRI-O, Podman and ECS
 * make; the innermost one counts. False when the process is in none of them.
 */
bool st_container__from_cgroup(struct st_str text, char id[ST_CONTAINER_ID_SZ]);

/*
 * From /proc/PID/mountinfo, for cgroup namespaces that hide the path: the files that Docker and
 * Podman mount into a container. Those that Kubernetes mounts carry the pod sandbox's id and are
 * not used.
 */
bool st_container__from_mountinfo(struct st_str text, char id[ST_CONTAINER_ID_SZ]);

#endif
