/*
 * utf8.c - see utf8.h.
 */
#include "base/utf8.h"

#include <errno.h>
#include <string.h>
#include <stdbool.h>

#include "base/scope.h"

/* Bytes that a lead byte announces; 0: it is none. */
static int
announced(uint8_t c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* The second byte excludes overlong forms, surrogates and > U+10FFFF. */
static bool
second_fits(uint8_t lead, uint8_t c)
{
	uint8_t low = 0x80, high = 0xbf;

	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	return c >= low && c <= high;
}

int
utf8_len(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	int n, i;

	if (len == 0)
		return -EAGAIN;
	n = announced(p[0]);
	if (n == 0)
		return -EILSEQ;
	for (i = 1; i < n; i++) {
		if ((size_t)i >= len)
			return -EAGAIN;
		if (i == 1 ? !second_fits(p[0], p[1]) : (p[i] & 0xc0) != 0x80)
			return -EILSEQ;
	}
	return n;
}

uint32_t
utf8_get(const char *s, size_t len)
{
	static const uint8_t lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (uint8_t)s[0] & lead[len];
	size_t i;

	for (i = 1; i < len; i++)
		c = c << 6 | ((uint8_t)s[i] & 0x3f);
	return c;
}

size_t
utf8_put(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		if (c >= 0xd800 && c <= 0xdfff)
			return 0;
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	if (c > 0x10ffff)
		return 0;
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t
utf8_torn(const uint8_t *s, size_t len)
{
	size_t i;
	int n;

	for (i = 1; i <= 3 && i <= len; i++) {
		n = announced(s[len - i]);
		if (n == 0 && (s[len - i] & 0xc0) == 0x80)
			continue;
		if (i > 1 && n > 1 && !second_fits(s[len - i], s[len - i + 1]))
			return 0;
		return n > (int)i ? i : 0;
	}
	return 0;
}

bool
utf8_is_format(uint32_t c)
{
	/* Unicode's general categories Cf, Zl and Zp. */
	static const struct {
		uint32_t first, last;
	} ranges[] = { { 0xad, 0xad }, { 0x600, 0x605 }, { 0x61c, 0x61c },
		{ 0x6dd, 0x6dd }, { 0x70f, 0x70f }, { 0x890, 0x891 },
		{ 0x8e2, 0x8e2 }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb }, { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd },
		{ 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0001, 0xe007f } };
	size_t i;

	for (i = 0; i < N_ELEMENTS(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}
