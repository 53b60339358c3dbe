/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int st_counters__sum(int fd, uint64_t out[ST_C_MAX])
{
	int n = libbpf_num_possible_cpus();
	struct st_cpu *per_cpu;
	uint32_t zero = 0;
	int err = 0;

	memset(out, 0, ST_C_MAX * sizeof(*out));
	if (n < 0)
		return n;
	per_cpu = calloc((size_t)n, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &zero, per_cpu))
		err = -errno;
	for (int i = 0; !err && i < n; i++) {
		for (int c = 0; c < ST_C_MAX; c++)
			out[c] += per_cpu[i].counter[c];
		out[ST_C_RECORDS] += per_cpu[i].seq - (uint32_t)per_cpu[i].counter[ST_C_RING_FULL];
	}
	free(per_cpu);
	return err;
}

uint64_t st_counters__nested(const struct bpf_object *obj)
{
	struct bpf_program *prog;
	uint64_t sum = 0;

	bpf_object__for_each_program(prog, obj) {
		struct bpf_prog_info info = {0};
		uint32_t sz = sizeof(info);
		int fd = bpf_program__autoload(prog) ? bpf_program__fd(prog) : -1;

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &sz))
			sum += info.recursion_misses;
	}
	return sum;
}
