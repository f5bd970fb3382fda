/*
 * Kernels before 6.5 do not tell whether an eventfd is read as a semaphore:
 * it is tried, and what is in it stays as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ckpt/files/files.h"

#define HIGHEST UINT64_C(0xfffffffffffffffe)

static void
try(uint64_t count, bool semaphore)
{
	char info[64];
	struct err e = { .text = "" };
	struct ckpt c = { .err = &e };
	struct task t = { .pid = getpid(), .comm = "test" };
	struct file f = { .task = &t, .info = info };
	uint64_t got;

	f.fd = eventfd(0, EFD_NONBLOCK | (semaphore ? EFD_SEMAPHORE : 0));
	assert_true(f.fd >= 0);
	img__file__init(&f.rec);
	if (count > 0)
		assert_int_equal(write(f.fd, &count, sizeof count),
		    sizeof count);
	(void)snprintf(info, sizeof info, "eventfd-count: %16llx\n",
	    (unsigned long long)count);
	assert_int_equal(kind_eventfd.save(&c, &f), 0);
	assert_int_equal(f.rec.eventfd->semaphore, semaphore);
	assert_true(f.rec.eventfd->count == count);
	if (semaphore && count < 10) {
		for (uint64_t i = 0; i < count; i++)
			assert_int_equal(read(f.fd, &got, sizeof got),
			    sizeof got);
	} else if (!semaphore && count > 0) {
		assert_int_equal(read(f.fd, &got, sizeof got), sizeof got);
		assert_true(got == count);
	}
	if (!semaphore || count < 10)
		assert_true(read(f.fd, &got, sizeof got) < 0);
	free(f.extra);
	(void)close(f.fd);
}

static void
what_is_in_an_eventfd_stays_as_it_was(void **state)
{
	static const uint64_t counts[] = { 0, 1, 2, 3, 9, HIGHEST };

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		try(counts[i], false);
		try(counts[i], true);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_an_eventfd_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
