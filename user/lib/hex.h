/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Hexadecimal digits to bytes and back. */
#ifndef ST_LIB_HEX_H
#define ST_LIB_HEX_H

#include "spantap/bytes.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* A digit's value and which kind it is; 0 for what is none. */
#define ST_HEX_LOWER 0x10u /* 0-9a-f */
#define ST_HEX_UPPER 0x20u /* A-F */
extern const uint8_t st_hex_digit[256];

/* Two lower-case digits as a byte; false, with anything in *out, when one of them is none. */
static inline __attribute__((always_inline)) bool st_hex_byte(uint8_t *out, const char *digits)
{
	unsigned hi = st_hex_digit[(uint8_t)digits[0]], lo = st_hex_digit[(uint8_t)digits[1]];

	*out = (uint8_t)(hi << 4 | (lo & 15));
	return hi & lo & ST_HEX_LOWER;
}

/* The same of sixteen as eight bytes. */
#ifdef __SSE2__
static inline __attribute__((always_inline)) bool st_hex_bytes8(uint8_t *out, const char *digits)
{
	__m128i x = _mm_loadu_si128((const __m128i *)digits);
	__m128i num = _mm_sub_epi8(x, _mm_set1_epi8('0'));
	__m128i let = _mm_sub_epi8(x, _mm_set1_epi8('a'));
	__m128i is_num = _mm_cmpeq_epi8(_mm_min_epu8(num, _mm_set1_epi8(9)), num);
	__m128i is_let = _mm_cmpeq_epi8(_mm_min_epu8(let, _mm_set1_epi8(5)), let);
	__m128i value = _mm_or_si128(_mm_and_si128(is_num, num),
				     _mm_and_si128(is_let, _mm_add_epi8(let, _mm_set1_epi8(10))));
	__m128i byte = _mm_or_si128(_mm_slli_epi16(value, 4), _mm_srli_epi16(value, 8));

	byte = _mm_packus_epi16(_mm_and_si128(byte, _mm_set1_epi16(0xff)), byte);
	_mm_storel_epi64((__m128i *)out, byte);
	return _mm_movemask_epi8(_mm_or_si128(is_num, is_let)) == 0xffff;
}
#else
static inline bool st_hex_bytes8(uint8_t *out, const char *digits)
{
	bool ok = true;

	for (unsigned i = 0; i < 8; i++)
		ok &= st_hex_byte(out + i, digits + 2 * i);
	return ok;
}
#endif

/*
 * The 2 * n digits at `digits` as n bytes. Digits are lower-case; false, with anything in out, when
 * one of them is not.
 */
static inline __attribute__((always_inline)) bool st_hex_decode(uint8_t *out, const char *digits,
								size_t n)
{
	bool ok = true;
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		ok &= st_hex_bytes8(out + i, digits + 2 * i);
	for (; i < n; i++)
		ok &= st_hex_byte(out + i, digits + 2 * i);
	return ok;
}

/* n bytes as 2 * n lower-case digits; returns the end of them. */
static inline char *st_hex_encode(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = "0123456789abcdef"[bytes[i] >> 4];
		*out++ = "0123456789abcdef"[bytes[i] & 15];
	}
	return out;
}

#endif
