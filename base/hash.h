/*
 * hash.h - XXH3 (xxhash.h) with the widest registers that this processor has,
 * where the library can choose them at run time: 1 GiB takes 20 ms by AVX2
 * and 70 by the SSE2 that every x86_64 has. The checksums are the same.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <xxhash.h>

#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h> /* takes the place of the functions' names */
#endif

#endif
