/*
 * fault.c - fault injection for the tests; empty in a release build. The
 * counter is the one mutable static of the house and exists only here.
 */
#include "base/fault.h"

#ifdef SESS_FAULT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
fault_log(const char *name)
{
	const char *path = getenv("SESS_FAULT_LOG");
	char line[128];
	int fd, n;

	if (path == NULL)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof line, "%s\n", name);
	(void)!write(fd, line, (size_t)n);
	(void)close(fd);
}

int
fault_point(const char *name, struct err *e)
{
	static unsigned n_passed;
	const char *want = getenv("SESS_FAULT"), *rest;
	size_t len = strlen(name);
	unsigned nth = 1;

	fault_log(name);
	if (want == NULL || strncmp(want, name, len) != 0 || want[len] != ':')
		return 0;
	rest = want + len + 1;
	if (strchr(rest, ':') != NULL)
		nth = (unsigned)strtoul(strchr(rest, ':') + 1, NULL, 10);
	if (++n_passed != nth)
		return 0;
	if (strncmp(rest, "kill", 4) == 0) {
		(void)raise(SIGKILL);
		__builtin_trap(); /* pid 1 of a namespace is deaf to itself */
	}
	while (strncmp(rest, "hold", 4) == 0)
		(void)pause();
	return err_set(e, -EIO, "fault injected at %s", name);
}
#else
typedef int fault_unused; /* ISO C wants one declaration */
#endif
