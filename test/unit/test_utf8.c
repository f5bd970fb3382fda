/* base/utf8.h: text that is shown to people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/utf8.h"

static void
expect(const char *text, bool lines, const char *wanted)
{
	char got[64];

	(void)strcpy(got, text);
	utf8_tame(got, lines);
	assert_string_equal(got, wanted);
}

static void
text_of_any_language_stays(void **state)
{
	(void)state;
	expect("", true, "");
	expect("größe 日本 \360\237\231\202", false,
	    "größe 日本 \360\237\231\202");
	expect("\302\240", false, "\302\240"); /* U+00A0, the first after C1 */
}

static void
what_a_terminal_would_obey_does_not(void **state)
{
	(void)state;
	expect("\033]0;x\a", true, "?]0;x?");
	expect("\302\233m\302\237", false, "??m??"); /* C1: CSI, APC */
	expect("a\177\r\tb", false, "a???b");
}

static void
lines_stay_where_they_may(void **state)
{
	(void)state;
	expect("a\nb\n", true, "a\nb\n");
	expect("a\nb\n", false, "a?b?");
}

static void
bytes_that_are_no_characters_do_not_stay(void **state)
{
	(void)state;
	expect("\377\233[m", true, "??[m");
	expect("\300\200", true, "??");
	expect("x\342\202", true, "x??"); /* cut off */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_any_language_stays),
		cmocka_unit_test(what_a_terminal_would_obey_does_not),
		cmocka_unit_test(lines_stay_where_they_may),
		cmocka_unit_test(bytes_that_are_no_characters_do_not_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
