/*
 * copy.c - see copy.h.
 */
#include "base/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"

#define BLOCK (64u << 10)

/* By read(2) and write(2), from OFF to the end. */
static int
copy_rest(int from, int to, uint64_t off)
{
	autofree uint8_t *buf = malloc(BLOCK);
	ssize_t n;
	int r;

	if (buf == NULL)
		return -ENOMEM;
	for (;;) {
		n = pread(from, buf, BLOCK, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		r = io_pwrite(to, buf, (size_t)n, off);
		if (r < 0)
			return r;
		off += (uint64_t)n;
	}
	return ftruncate(to, (off_t)off) < 0 ? -errno : 0;
}

/*
 * copy_file_range(2) refuses some pairs of file systems and stops early on
 * others.
 */
int
copy_file(int from, int to)
{
	loff_t in = 0, out = 0;

	if (ftruncate(to, 0) < 0)
		return -errno;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while (copy_file_range(from, &in, to, &out, 1u << 30, 0) > 0)
		;
	return copy_rest(from, to, (uint64_t)out);
}
