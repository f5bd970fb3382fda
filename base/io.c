/*
 * io.c - see io.h.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/scope.h"

int
io_write(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* /proc/PID/mem of a process that ended */
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
io_pwrite(int fd, const void *data, size_t len, uint64_t off)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

int
io_read(int fd, void *data, size_t len)
{
	uint8_t *p = data;
	ssize_t n;

	while (len > 0) {
		n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
io_pread(int fd, void *data, size_t len, uint64_t off)
{
	uint8_t *p = data;
	ssize_t n;

	while (len > 0) {
		n = pread(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

int
io_read_all(int fd, struct buf *b)
{
	size_t want;
	ssize_t n;
	int r;

	for (;;) {
		want = b->max - b->len < 16384 ? b->max - b->len : 16384;
		r = buf_reserve(b, want == 0 ? 1 : want);
		if (r < 0)
			return r;
		n = read(fd, b->data + b->len, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->len += (size_t)n;
	}
}

int
io_read_file(int dirfd, const char *path, struct buf *b)
{
	autoclose int fd = -1;
	int r;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_read_all(fd, b);
	if (r < 0)
		return r;
	r = buf_reserve(b, 1);
	if (r < 0)
		return r;
	b->data[b->len] = 0;
	return 0;
}

char *
io_path(int dirfd, const char *name)
{
	char link[64], dir[PATH_MAX], *path;
	ssize_t n;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
	n = readlink(link, dir, sizeof dir);
	if (n < 0 || (size_t)n >= sizeof dir)
		n = 0;
	if (asprintf(&path, "%.*s%s%s", (int)n, dir, n > 0 ? "/" : "", name) <
	    0)
		return NULL;
	return path;
}

int
io_print(struct err *e, const char *path, const char *fmt, ...)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	va_list ap;
	int n;

	if (fd < 0)
		return err_sys(e, "opening %s", path);
	va_start(ap, fmt);
	n = vdprintf(fd, fmt, ap);
	va_end(ap);
	return n < 0 ? err_sys(e, "writing %s", path) : 0;
}

int
io_keep(int *fds, size_t n)
{
	int high[IO_KEEP_MAX], null, fd;
	size_t i;

	/* First out of the way of each other. */
	for (i = 0; i < n; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3 + IO_KEEP_MAX);
		if (high[i] < 0)
			return -errno;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (fd = 0; fd < 3; fd++)
		if (null < 0 || (fd != null && dup2(null, fd) < 0))
			return -errno;
	for (i = 0; i < n; i++) {
		fds[i] = dup3(high[i], 3 + (int)i, O_CLOEXEC);
		if (fds[i] < 0)
			return -errno;
	}
	return close_range(3 + (unsigned)n, ~0u, 0) < 0 ? -errno : 0;
}
