/*
 * palette.c - see palette.h.
 */
#include "screen/palette.h"

static const struct rgb first16[16] = { { 0, 0, 0 }, { 205, 0, 0 },
	{ 0, 205, 0 }, { 205, 205, 0 }, { 0, 0, 238 }, { 205, 0, 205 },
	{ 0, 205, 205 }, { 229, 229, 229 }, { 127, 127, 127 }, { 255, 0, 0 },
	{ 0, 255, 0 }, { 255, 255, 0 }, { 92, 92, 255 }, { 255, 0, 255 },
	{ 0, 255, 255 }, { 255, 255, 255 } };

struct rgb
palette_color(int i)
{
	static const int levels[6] = { 0, 95, 135, 175, 215, 255 };

	if (i < 16)
		return first16[i];
	if (i >= 232)
		return (struct rgb){ 8 + (i - 232) * 10, 8 + (i - 232) * 10,
			8 + (i - 232) * 10 };
	i -= 16;
	return (struct rgb){ levels[i / 36], levels[i / 6 % 6], levels[i % 6] };
}
