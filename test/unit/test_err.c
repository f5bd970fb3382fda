/* base/err.h: the sentence and the number of a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"

static void
the_number_comes_back_and_the_sentence_stays(void **state)
{
	struct err e = { "" };

	(void)state;
	assert_int_equal(err_set(&e, -EINVAL, "no %s", "sense"), -EINVAL);
	assert_string_equal(e.text, "no sense");
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "opening %s", "x"), -ENOENT);
	assert_string_equal(e.text, "opening x: No such file or directory");
	assert_int_equal(err_num(&e, -EPERM, "tracing"), -EPERM);
	assert_string_equal(e.text, "tracing: Operation not permitted");
}

static void
nobody_has_to_ask_for_the_sentence(void **state)
{
	(void)state;
	errno = EIO;
	assert_int_equal(err_set(NULL, -EINVAL, "x"), -EINVAL);
	assert_int_equal(err_sys(NULL, "x"), -EIO);
	assert_int_equal(err_num(NULL, -EPERM, "x"), -EPERM);
}

static void
a_failure_without_errno_is_still_a_failure(void **state)
{
	struct err e = { "" };

	(void)state;
	errno = 0;
	assert_true(err_sys(&e, "odd") < 0);
}

static void
a_long_sentence_is_cut_and_ends(void **state)
{
	char text[4 * ERR_MAX];
	struct err e = { "" };

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 0;
	(void)err_num(&e, -EIO, "%s", text);
	assert_int_equal(strlen(e.text), ERR_MAX - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_number_comes_back_and_the_sentence_stays),
		cmocka_unit_test(nobody_has_to_ask_for_the_sentence),
		cmocka_unit_test(a_failure_without_errno_is_still_a_failure),
		cmocka_unit_test(a_long_sentence_is_cut_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
