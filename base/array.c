/*
 * array.c - see array.h.
 */
#include "base/array.h"

#include <errno.h>
#include <stdlib.h>

int
array_grow(void *v, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap == 0 ? 16 : *cap * 2;
	void *p;

	if (n < *cap)
		return 0;
	p = reallocarray(*(void **)v, more, size);
	if (p == NULL)
		return -ENOMEM;
	*(void **)v = p;
	*cap = more;
	return 0;
}
