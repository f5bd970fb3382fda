/*
 * io.h - whole reads and writes: EINTR is retried, short transfers go on.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Move exactly LEN bytes. 0, negative errno, or -ENODATA when the file ended
 * before LEN bytes (reads).
 */
int io_write(int fd, const void *data, size_t len);
int io_pwrite(int fd, const void *data, size_t len, uint64_t off);
int io_read(int fd, void *data, size_t len);
int io_pread(int fd, void *data, size_t len, uint64_t off);

/* Append all that FD still has to B, which bounds it. 0 or negative errno. */
int io_read_all(int fd, struct buf *b);

/*
 * Append the whole of PATH, relative to DIRFD, to B, followed by a NUL that
 * is not counted, so that text parsers may use it as a string.
 */
int io_read_file(int dirfd, const char *path, struct buf *b);

/*
 * DIR/NAME for a sentence, DIR being where DIRFD is now (just NAME when /proc
 * does not say); malloc'd, NULL without memory.
 */
char *io_path(int dirfd, const char *name);

/*
 * Write formatted text to the existing file PATH by one write(2), as files of
 * /proc want it. 0 or negative errno with a sentence.
 */
int io_print(struct err *e, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Keep the N descriptors of FDS (at most IO_KEEP_MAX), which are 3 and up
 * afterwards, and no other: 0, 1 and 2 are /dev/null. 0 or negative errno.
 */
#define IO_KEEP_MAX 8
int io_keep(int *fds, size_t n);

#endif
