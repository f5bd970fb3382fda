/* base/buf.h: a growing run of bytes with a hard maximum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"

static void
bytes_put_are_bytes_held(void **state)
{
	autobuf struct buf b = BUF_INIT(4096);

	(void)state;
	assert_int_equal(buf_put(&b, "abc", 3), 0);
	assert_int_equal(buf_printf(&b, "%d", 42), 0);
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.data, "abc42", 5);
}

static void
the_maximum_is_an_error_and_changes_nothing(void **state)
{
	autobuf struct buf b = BUF_INIT(8);

	(void)state;
	assert_int_equal(buf_put(&b, "12345678", 8), 0);
	assert_int_equal(buf_put(&b, "9", 1), -ENOBUFS);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.data, "12345678", 8);
}

static void
nothing_put_into_nothing_is_nothing(void **state)
{
	autobuf struct buf b = BUF_INIT(0);

	(void)state;
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	assert_int_equal(buf_put(&b, "x", 1), -ENOBUFS);
	buf_drop(&b, 0);
	assert_int_equal(b.len, 0);
}

static void
dropping_keeps_the_rest_in_order(void **state)
{
	autobuf struct buf b = BUF_INIT(1 << 20);
	uint8_t byte;
	size_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		byte = (uint8_t)i;
		assert_int_equal(buf_put(&b, &byte, 1), 0);
	}
	buf_drop(&b, 300);
	assert_int_equal(b.len, 700);
	for (i = 0; i < 700; i++)
		assert_int_equal(b.data[i], (uint8_t)(i + 300));
	buf_drop(&b, 700);
	assert_int_equal(b.len, 0);
}

static void
a_buffer_can_be_used_again_after_done(void **state)
{
	struct buf b = BUF_INIT(64);

	(void)state;
	assert_int_equal(buf_put(&b, "x", 1), 0);
	buf_done(&b);
	buf_done(&b);
	assert_int_equal(buf_put(&b, "yz", 2), 0);
	assert_memory_equal(b.data, "yz", 2);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_put_are_bytes_held),
		cmocka_unit_test(the_maximum_is_an_error_and_changes_nothing),
		cmocka_unit_test(nothing_put_into_nothing_is_nothing),
		cmocka_unit_test(dropping_keeps_the_rest_in_order),
		cmocka_unit_test(a_buffer_can_be_used_again_after_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
