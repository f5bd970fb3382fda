/*
 * width.c - see width.h.
 */
#include "screen/width.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/scope.h"

struct range {
	uint32_t first, last;
};

#include "screen/width_table.h"

static bool
is_in(const struct range *v, size_t n, uint32_t c)
{
	size_t low = 0, high = n, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (c > v[middle].last)
			low = middle + 1;
		else if (c < v[middle].first)
			high = middle;
		else
			return true;
	}
	return false;
}

int
width_of(uint32_t c)
{
	if (c < 0x300)
		return 1;
	if (c >= 0x4e00 && c <= 0x9fff)
		return 2; /* most of what is wide */
	if (is_in(zero, N_ELEMENTS(zero), c))
		return 0;
	return is_in(wide, N_ELEMENTS(wide), c) ? 2 : 1;
}
