/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lib/hex.h"

#define LOWER(c, value) [c] = ST_HEX_LOWER | (value)
#define UPPER(c, value) [c] = ST_HEX_UPPER | (value)

const uint8_t st_hex_digit[256] = {
	LOWER('0', 0),	LOWER('1', 1),	LOWER('2', 2),	LOWER('3', 3),	LOWER('4', 4),
	LOWER('5', 5),	LOWER('6', 6),	LOWER('7', 7),	LOWER('8', 8),	LOWER('9', 9),
	LOWER('a', 10), LOWER('b', 11), LOWER('c', 12), LOWER('d', 13), LOWER('e', 14),
	LOWER('f', 15), UPPER('A', 10), UPPER('B', 11), UPPER('C', 12), UPPER('D', 13),
	UPPER('E', 14), UPPER('F', 15),
};
