/*
 * array.h - arrays that get longer: a pointer to the elements, how many are
 * used, and for how many there is memory. They start empty: NULL, 0, 0.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

/*
 * Room for one element more in *V, in which N of *CAP are used. 0, or -ENOMEM
 * with both as they were.
 */
#define array_room(v, n, cap) array_grow(v, n, cap, sizeof **(v))

int array_grow(void *v, size_t n, size_t *cap, size_t size);

#endif
