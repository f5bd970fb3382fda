/* ckpt/image/behind.h: a file that is written behind one's back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/image/behind.h"

#define BLOCK 8192
#define N_BLOCKS 100

/* Block I as it is put: of a length and a content of its own. */
static size_t
make_block(uint8_t *room, int i)
{
	memset(room, i + 1, BLOCK);
	return BLOCK - (size_t)i;
}

static int
put_all(int fd)
{
	struct behind *b;
	int r;

	r = behind_open(fd, BLOCK, &b);
	for (int i = 0; r == 0 && i < N_BLOCKS; i++)
		r = behind_put(b, make_block(behind_room(b), i));
	return r < 0 ? r : behind_close(b);
}

/* 0: FD holds, from where it stands, what put_all() put. */
static int
check_all(int fd)
{
	uint8_t is[BLOCK], want[BLOCK];

	for (int i = 0; i < N_BLOCKS; i++) {
		size_t len = make_block(want, i);

		if (io_read(fd, is, len) < 0 || memcmp(is, want, len) != 0)
			return i + 1;
	}
	return read(fd, is, 1) == 0 ? 0 : -1;
}

static void
blocks_lie_in_the_file_in_the_order_they_were_put(void **state)
{
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(io_write(fd, "head", 4), 0);
	assert_int_equal(put_all(fd), 0);
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	assert_int_equal(check_all(fd), 0);
}

static void
nothing_put_is_nothing_written(void **state)
{
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);
	struct behind *b;

	(void)state;
	assert_int_equal(behind_open(fd, BLOCK, &b), 0);
	assert_ptr_equal(behind_room(b), behind_room(b));
	assert_int_equal(behind_close(b), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	assert_int_equal(behind_close(NULL), 0);
}

static void
the_first_failure_is_told_by_a_later_put_and_by_the_end(void **state)
{
	autoclose int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct behind *b;
	int r = 0, n;

	(void)state;
	assert_int_equal(behind_open(fd, BLOCK, &b), 0);
	for (n = 0; r == 0 && n < N_BLOCKS; n++)
		r = behind_put(b, BLOCK);
	assert_int_equal(r, -ENOSPC);
	assert_true(n < N_BLOCKS);
	assert_int_equal(behind_put(b, BLOCK), -ENOSPC);
	assert_int_equal(behind_close(b), -ENOSPC);
	/* Too late for any put. */
	assert_int_equal(behind_open(fd, BLOCK, &b), 0);
	(void)behind_put(b, BLOCK);
	assert_int_equal(behind_close(b), -ENOSPC);
}

static void
after_a_failure_nothing_is_written_any_more(void **state)
{
	struct rlimit all, some = { .rlim_cur = BLOCK + 100 };
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);
	struct behind *b;
	int r = 0;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	some.rlim_max = all.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &some), 0);
	assert_int_equal(behind_open(fd, BLOCK, &b), 0);
	while (r == 0)
		r = behind_put(b, BLOCK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(r, -EFBIG);
	assert_int_equal(behind_put(b, BLOCK), -EFBIG);
	assert_int_equal(behind_close(b), -EFBIG);
	assert_int_equal(lseek(fd, 0, SEEK_END), BLOCK + 100);
}

/* As somebody who may have no more threads than he has. */
static int
put_without_threads(int fd)
{
	struct rlimit none = { 0 };

	if (geteuid() == 0 && setresuid(64999, 64999, 64999) < 0)
		return -errno;
	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		return -errno;
	return fork() < 0 ? put_all(fd) : -EALREADY;
}

static void
where_no_thread_can_be_had_it_is_written_all_the_same(void **state)
{
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);
	int status = -1;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_return_code(pid, errno);
	if (pid == 0)
		_exit(put_without_threads(fd) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(check_all(fd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    blocks_lie_in_the_file_in_the_order_they_were_put),
		cmocka_unit_test(nothing_put_is_nothing_written),
		cmocka_unit_test(
		    the_first_failure_is_told_by_a_later_put_and_by_the_end),
		cmocka_unit_test(after_a_failure_nothing_is_written_any_more),
		cmocka_unit_test(
		    where_no_thread_can_be_had_it_is_written_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
