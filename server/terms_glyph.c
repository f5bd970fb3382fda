/*
 * terms_glyph.c - characters for terminals without UTF-8: from the DEC
 * special graphics (the letters that VT100s have for them), else by ASCII.
 */
#include "base/scope.h"
#include "server/terms_state.h"
#include "session/features.h"

static const struct {
	uint16_t c;
	char dec, ascii; /* dec 0: not in the set */
} glyphs[] = {
	{ 0x00a0, 0, ' ' },
	{ 0x00a3, '}', '#' },
	{ 0x00ab, 0, '<' },
	{ 0x00b0, 'f', 'o' },
	{ 0x00b1, 'g', '+' },
	{ 0x00b7, '~', '.' },
	{ 0x00bb, 0, '>' },
	{ 0x03c0, '{', 'p' },
	{ 0x2010, 0, '-' },
	{ 0x2013, 0, '-' },
	{ 0x2014, 0, '-' },
	{ 0x2018, 0, '\'' },
	{ 0x2019, 0, '\'' },
	{ 0x201c, 0, '"' },
	{ 0x201d, 0, '"' },
	{ 0x2022, '~', 'o' },
	{ 0x2026, 0, '.' },
	{ 0x2190, 0, '<' },
	{ 0x2191, 0, '^' },
	{ 0x2192, 0, '>' },
	{ 0x2193, 0, 'v' },
	{ 0x2260, '|', '#' },
	{ 0x2264, 'y', '<' },
	{ 0x2265, 'z', '>' },
	{ 0x23ba, 'o', '-' },
	{ 0x23bb, 'p', '-' },
	{ 0x23bc, 'r', '-' },
	{ 0x23bd, 's', '_' },
	{ 0x2500, 'q', '-' },
	{ 0x2501, 'q', '-' },
	{ 0x2502, 'x', '|' },
	{ 0x2503, 'x', '|' },
	{ 0x250c, 'l', '+' },
	{ 0x250f, 'l', '+' },
	{ 0x2510, 'k', '+' },
	{ 0x2513, 'k', '+' },
	{ 0x2514, 'm', '+' },
	{ 0x2517, 'm', '+' },
	{ 0x2518, 'j', '+' },
	{ 0x251b, 'j', '+' },
	{ 0x251c, 't', '+' },
	{ 0x2523, 't', '+' },
	{ 0x2524, 'u', '+' },
	{ 0x252b, 'u', '+' },
	{ 0x252c, 'w', '+' },
	{ 0x2533, 'w', '+' },
	{ 0x2534, 'v', '+' },
	{ 0x253b, 'v', '+' },
	{ 0x253c, 'n', '+' },
	{ 0x254b, 'n', '+' },
	{ 0x2550, 'q', '=' },
	{ 0x2551, 'x', '|' },
	{ 0x2554, 'l', '+' },
	{ 0x2557, 'k', '+' },
	{ 0x255a, 'm', '+' },
	{ 0x255d, 'j', '+' },
	{ 0x2560, 't', '+' },
	{ 0x2563, 'u', '+' },
	{ 0x2566, 'w', '+' },
	{ 0x2569, 'v', '+' },
	{ 0x256c, 'n', '+' },
	{ 0x256d, 'l', '+' },
	{ 0x256e, 'k', '+' },
	{ 0x256f, 'j', '+' },
	{ 0x2570, 'm', '+' },
	{ 0x2588, 'a', '#' },
	{ 0x2591, 'a', ':' },
	{ 0x2592, 'a', ':' },
	{ 0x2593, 'a', '#' },
	{ 0x25c6, '`', '+' },
};

struct range {
	uint32_t first, last;
};

static const struct range marks[] = { { 0x0300, 0x036f }, { 0x0483, 0x0489 },
	{ 0x0591, 0x05bd }, { 0x0610, 0x061a }, { 0x064b, 0x065f },
	{ 0x200b, 0x200f }, { 0x2060, 0x2064 }, { 0x20d0, 0x20f0 },
	{ 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff },
	{ 0xe0100, 0xe01ef } };

static const struct range wides[] = { { 0x1100, 0x115f }, { 0x2329, 0x232a },
	{ 0x2e80, 0x303e }, { 0x3041, 0x33ff }, { 0x3400, 0x4dbf },
	{ 0x4e00, 0x9fff }, { 0xa000, 0xa4cf }, { 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff },
	{ 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd } };

static bool
is_in(const struct range *ranges, size_t n, uint32_t c)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

int
terms_width(uint32_t c)
{
	if (c < 0x300)
		return 1;
	if (is_in(marks, N_ELEMENTS(marks), c))
		return 0;
	return is_in(wides, N_ELEMENTS(wides), c) ? 2 : 1;
}

static int
put_dec(uint64_t features, char c, struct buf *out)
{
	if ((features & FEATURE_GRAPHICS) != 0)
		return buf_printf(out, "\033(0%c\033(B", c);
	return buf_printf(out, "\033)0\016%c\017", c);
}

int
terms_glyph(uint64_t features, uint32_t c, struct buf *out)
{
	const uint64_t dec = FEATURE_GRAPHICS | FEATURE_GRAPHICS_G1;
	size_t i;

	for (i = 0; i < N_ELEMENTS(glyphs); i++) {
		if (glyphs[i].c != c)
			continue;
		if (glyphs[i].dec != 0 && (features & dec) != 0)
			return put_dec(features, glyphs[i].dec, out);
		return buf_put(out, &glyphs[i].ascii, 1);
	}
	return buf_put(out, "??", (size_t)terms_width(c));
}
