/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lib/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

/* Decimal digits that can still change a double, and then some. */
#define ST_UNITS_NUMBER_MAX 40

int st_units__uint(struct st_str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!s.len)
		return -EINVAL;
	for (uint32_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
	for (uint32_t i = 0; i < s.len; i++) {
		uint64_t digit = (uint64_t)(s.p[i] - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

static uint32_t digits(struct st_str s, uint32_t i, double *v, int *scale)
{
	uint32_t from = i;

	for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		*v = *v * 10 + (s.p[i] - '0');
		(*scale)--;
	}
	return i - from;
}

static double ten_to(int n)
{
	double v = 1;

	while (n-- > 0)
		v *= 10;
	return v;
}

/* strtod(3) follows the locale's decimal point and knows "nan", "inf" and hexadecimal. */
int st_units__double(struct st_str s, double *out)
{
	uint32_t i = 0, n;
	double v = 0, sign = 1;
	int scale = 0, unused = 0;

	if (s.len > ST_UNITS_NUMBER_MAX)
		return -EINVAL;
	if (i < s.len && (s.p[i] == '-' || s.p[i] == '+'))
		sign = s.p[i++] == '-' ? -1 : 1;
	n = digits(s, i, &v, &unused);
	i += n;
	if (i < s.len && s.p[i] == '.') {
		uint32_t frac = digits(s, ++i, &v, &scale);

		i += frac;
		n += frac;
	}
	if (!n)
		return -EINVAL;
	if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E')) {
		uint32_t minus = i + 1 < s.len && s.p[i + 1] == '-';
		uint64_t exp;

		i += 1 + (minus || (i + 1 < s.len && s.p[i + 1] == '+'));
		if (st_units__uint(st_str(s.p + i, s.len - i), 400, &exp))
			return -EINVAL;
		scale += minus ? -(int)exp : (int)exp;
		i = s.len;
	}
	if (i != s.len)
		return -EINVAL;
	/* Powers of ten up to 1e22 are exact: dividing by one rounds once, so 0.1 is 0.1. */
	v = scale < 0 ? v / ten_to(-scale) : v * ten_to(scale);
	if (!isfinite(v))
		return -ERANGE;
	*out = sign * v;
	return 0;
}

static uint32_t number_len(struct st_str s)
{
	uint32_t n = 0;

	while (n < s.len && (isdigit((unsigned char)s.p[n]) || s.p[n] == '.'))
		n++;
	return n;
}

int st_units__duration(struct st_str s, uint64_t *out_ns)
{
	static const struct {
		struct st_str name;
		double ns;
	} units[] = {
		{{"ns", 2}, 1},	 {{"us", 2}, 1e3},     {{"\xc2\xb5s", 3}, 1e3}, {{"ms", 2}, 1e6},
		{{"s", 1}, 1e9}, {{"m", 1}, 60 * 1e9}, {{"h", 1}, 3600 * 1e9},
	};
	uint32_t n = number_len(s);
	struct st_str unit = st_str(s.p + n, s.len - n);
	double v;

	if (st_units__double(st_str(s.p, n), &v))
		return -EINVAL;
	if (!unit.len && v == 0) {
		*out_ns = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!st_str_eq(unit, units[i].name))
			continue;
		v *= units[i].ns;
		if (v >= 0x1p63)
			return -ERANGE;
		*out_ns = (uint64_t)(v + 0.5);
		return 0;
	}
	return -EINVAL;
}

int st_units__size(struct st_str s, uint64_t *out_sz)
{
	static const char *const suffixes[] = {"", "K", "M", "G"};
	uint32_t n = 0;
	uint64_t v;
	int err;

	while (n < s.len && isdigit((unsigned char)s.p[n]))
		n++;
	err = st_units__uint(st_str(s.p, n), UINT64_MAX >> 30, &v);
	if (err)
		return err;
	for (int i = 0; i < 4; i++) {
		const char *rest = s.p + n + 1;
		uint32_t rest_len = s.len - n - 1;

		if (s.len - n != 0 && (i == 0 || toupper((unsigned char)s.p[n]) != suffixes[i][0]))
			continue;
		if (i > 0 && rest_len && !st_str_eq(st_str(rest, rest_len), ST_STR("iB")) &&
		    !st_str_eq(st_str(rest, rest_len), ST_STR("B")))
			return -EINVAL;
		*out_sz = v << (10 * i);
		return 0;
	}
	return -EINVAL;
}
