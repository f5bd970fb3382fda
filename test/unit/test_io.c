/* base/io.h: whole reads and writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"

static void
what_is_written_is_read(void **state)
{
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);
	char in[10000], out[10000];

	(void)state;
	memset(in, 'x', sizeof in);
	in[9999] = 'y';
	assert_int_equal(io_write(fd, in, sizeof in), 0);
	assert_int_equal(io_pread(fd, out, sizeof out, 0), 0);
	assert_memory_equal(in, out, sizeof in);
	assert_int_equal(io_pwrite(fd, "z", 1, 9999), 0);
	assert_int_equal(io_pread(fd, out, 1, 9999), 0);
	assert_int_equal(out[0], 'z');
}

static void
a_file_that_ends_early_is_an_error(void **state)
{
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);
	char out[4];

	(void)state;
	assert_int_equal(io_write(fd, "abc", 3), 0);
	assert_int_equal(io_pread(fd, out, 4, 0), -ENODATA);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(io_read(fd, out, 4), -ENODATA);
	assert_int_equal(io_read(-1, out, 1), -EBADF);
	assert_int_equal(io_write(-1, out, 1), -EBADF);
}

static void
a_pipe_is_read_whole_although_it_gives_little_at_once(void **state)
{
	autobuf struct buf b = BUF_INIT(1 << 20);
	autoclose int rd = -1;
	int fds[2], i;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	rd = fds[0];
	for (i = 0; i < 100; i++)
		assert_int_equal(io_write(fds[1], "0123456789", 10), 0);
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(io_read_all(rd, &b), 0);
	assert_int_equal(b.len, 1000);
}

static void
a_file_larger_than_its_buffer_is_refused(void **state)
{
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);
	autobuf struct buf small = BUF_INIT(100), exact = BUF_INIT(101);
	char bytes[100], path[64];

	(void)state;
	memset(bytes, 'a', sizeof bytes);
	assert_int_equal(io_write(fd, bytes, sizeof bytes), 0);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	assert_int_equal(io_read_file(AT_FDCWD, path, &small), -ENOBUFS);
	assert_int_equal(io_read_file(AT_FDCWD, path, &exact), 0);
	assert_int_equal(exact.len, 100);
	assert_int_equal(exact.data[100], 0);
	assert_int_equal(io_read_file(AT_FDCWD, "/none", &exact), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_file_that_ends_early_is_an_error),
		cmocka_unit_test(
		    a_pipe_is_read_whole_although_it_gives_little_at_once),
		cmocka_unit_test(a_file_larger_than_its_buffer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
