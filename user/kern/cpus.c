/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/cpus.h"

#include <errno.h>
#include <stdio.h>

/* The file holds ranges: "0-3,6". */
int st_cpus__online(bool *online, uint32_t max)
{
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	unsigned int a, b;
	int cnt = 0, sep;

	if (!f)
		return -errno;
	while (fscanf(f, "%u", &a) == 1) {
		b = a;
		sep = fgetc(f);
		if (sep == '-' && fscanf(f, "%u", &b) == 1)
			sep = fgetc(f);
		for (; a <= b && a < max; a++, cnt++)
			online[a] = true;
		if (sep != ',')
			break;
	}
	fclose(f);
	return cnt ? cnt : -EINVAL;
}
