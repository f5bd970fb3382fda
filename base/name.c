/*
 * name.c - see name.h.
 */
#include "base/name.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#define KEY_PLAIN_MAX 64 /* bytes; leaves room for suffixes in sun_path */

bool
name_key(const char *name, char ret_key[NAME_KEY_CAP])
{
	size_t len = strlen(name);
	XXH128_hash_t h;

	/* "objects" is what images share in saved/. */
	if (len > 0 && len <= KEY_PLAIN_MAX && name[0] != '.' &&
	    name[0] != '%' && strchr(name, '/') == NULL &&
	    strcmp(name, "objects") != 0) {
		memcpy(ret_key, name, len + 1);
		return false;
	}
	h = XXH3_128bits(name, len);
	(void)snprintf(ret_key, NAME_KEY_CAP, "%%%016llx%016llx",
	    (unsigned long long)h.high64, (unsigned long long)h.low64);
	return true;
}
