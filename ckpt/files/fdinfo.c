/*
 * fdinfo.c - see fdinfo.h.
 */
#include "ckpt/files/fdinfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *
fdinfo_find(const char *info, const char *key)
{
	size_t len = strlen(key);

	while (info != NULL && strncmp(info, key, len) != 0) {
		info = strchr(info, '\n');
		if (info != NULL)
			info++;
	}
	return info == NULL ? NULL : info + len;
}

bool
fdinfo_number(const char *info, const char *key, int base, uint64_t *ret_val)
{
	const char *at = fdinfo_find(info, key);
	unsigned long long val;
	char *end;

	if (at == NULL)
		return false;
	errno = 0;
	val = strtoull(at, &end, base);
	if (end == at || errno != 0)
		return false;
	*ret_val = val;
	return true;
}
