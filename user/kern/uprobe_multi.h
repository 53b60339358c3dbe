/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * uprobe_multi links (Linux 6.6, 89ae89f53d20): many places of a file by one link, gone as one.
 * libbpf has a call for them from 1.3 on; this is the system call, so that 1.1 does.
 */
#ifndef ST_KERN_UPROBE_MULTI_H
#define ST_KERN_UPROBE_MULTI_H

#include <stdbool.h>
#include <stdint.h>

/* BPF_TRACE_UPROBE_MULTI, newer than the headers of older distributions. */
#define ST_TRACE_UPROBE_MULTI 48

/*
 * pid 0: every process. cookies may be NULL. The link's descriptor or -errno; the program must
 * have been loaded with ST_TRACE_UPROBE_MULTI.
 */
int st_uprobe_multi__link(int prog_fd, const char *path, const uint64_t *offs,
			  const uint64_t *cookies, uint32_t cnt, int pid);

/*
 * Tries it on this process: does a link for one process fire in each of its threads? The first
 * kernels that had them fired in one thread only (until 46ba0e49b642). Some 50 ms.
 */
bool st_uprobe_multi__works(void);

#endif
