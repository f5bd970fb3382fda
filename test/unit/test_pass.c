/*
 * test_pass.c - base/pass.h: what comes through is what was sent, and nothing
 * that was refused stays open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pass.h"

struct words {
	int a, b;
};

static const struct words sent = { 3, 4 };

static void
make_pair(int sp[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			     sp),
	    0);
}

static void
close_pair(const int sp[2])
{
	(void)close(sp[0]);
	(void)close(sp[1]);
}

static size_t
n_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static void
descriptors_come_beside_the_bytes(void **state)
{
	int sp[2], p[2], fds[2];
	struct words w;
	char c;

	(void)state;
	make_pair(sp);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pass_send(sp[0], &sent, sizeof sent, p, 2, 0), 0);
	assert_int_equal(pass_recv(sp[1], &w, sizeof w, fds, 2), 2);
	assert_int_equal(w.a, 3);
	assert_int_equal(w.b, 4);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(read(fds[0], &c, 1), 1);
	for (int i = 0; i < 2; i++) {
		(void)close(p[i]);
		(void)close(fds[i]);
	}
	close_pair(sp);
}

static void
bytes_may_come_alone(void **state)
{
	int sp[2], fds[2];
	struct words w;

	(void)state;
	make_pair(sp);
	assert_int_equal(pass_send(sp[0], &sent, sizeof sent, NULL, 0, 0), 0);
	assert_int_equal(pass_recv(sp[1], &w, sizeof w, fds, 2), 0);
	assert_int_equal(w.b, 4);
	close_pair(sp);
}

static void
another_number_is_refused_and_closed(void **state)
{
	int three[] = { 0, 1, 2 }, sp[2], fds[2];
	size_t before;
	struct words w;

	(void)state;
	make_pair(sp);
	before = n_open();
	for (size_t n = 1; n <= 3; n += 2) {
		assert_int_equal(pass_send(sp[0], &sent, sizeof sent, three, n,
				     0),
		    0);
		assert_int_equal(pass_recv(sp[1], &w, sizeof w, fds, 2),
		    -EBADMSG);
	}
	assert_int_equal(n_open(), before);
	close_pair(sp);
}

static void
another_length_is_refused_and_closed(void **state)
{
	int two[] = { 0, 1 }, sp[2], fds[2];
	size_t before;
	struct words w;

	(void)state;
	make_pair(sp);
	before = n_open();
	assert_int_equal(pass_send(sp[0], &sent, sizeof sent.a, two, 2, 0), 0);
	assert_int_equal(pass_recv(sp[1], &w, sizeof w, fds, 2), -EBADMSG);
	assert_int_equal(pass_send(sp[0], &sent, sizeof sent, two, 2, 0), 0);
	assert_int_equal(pass_recv(sp[1], &w, sizeof w.a, fds, 2), -EBADMSG);
	assert_int_equal(n_open(), before);
	close_pair(sp);
}

static void
a_side_that_has_gone_is_no_message(void **state)
{
	int sp[2], fds[1];
	struct words w;

	(void)state;
	make_pair(sp);
	(void)shutdown(sp[0], SHUT_RDWR);
	assert_int_equal(pass_recv(sp[1], &w, sizeof w, fds, 1), -EBADMSG);
	assert_int_equal(pass_send(sp[1], &sent, sizeof sent, NULL, 0, 0),
	    -EPIPE);
	close_pair(sp);
}

static void
a_full_socket_can_be_refused(void **state)
{
	int sp[2], r;

	(void)state;
	make_pair(sp);
	do
		r = pass_send(sp[0], &sent, sizeof sent, NULL, 0, MSG_DONTWAIT);
	while (r == 0);
	assert_int_equal(r, -EAGAIN);
	close_pair(sp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_come_beside_the_bytes),
		cmocka_unit_test(bytes_may_come_alone),
		cmocka_unit_test(another_number_is_refused_and_closed),
		cmocka_unit_test(another_length_is_refused_and_closed),
		cmocka_unit_test(a_side_that_has_gone_is_no_message),
		cmocka_unit_test(a_full_socket_can_be_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
