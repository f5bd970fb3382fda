/*
 * fuzz_procfs.c - any text as each file of /proc that is parsed: it is
 * refused or read, and what was read is within its bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	autofree char *text = malloc(len + 1);
	autofree struct procfs_timer *timers = NULL;
	struct procfs_status status;
	struct procfs_stat stat;
	size_t n;

	if (text == NULL)
		return 0;
	if (len > 0)
		memcpy(text, data, len);
	text[len] = 0;
	if (procfs_parse_stat(text, &stat) == 0 &&
	    strnlen(stat.comm, sizeof stat.comm) == sizeof stat.comm)
		abort();
	if (procfs_parse_status(text, &status) == 0) {
		if (status.n_groups > len || status.nspid <= 0)
			abort();
		procfs_status_done(&status);
	}
	if (procfs_parse_timers(text, &timers, &n) == 0 && n > len)
		abort();
	return 0;
}
