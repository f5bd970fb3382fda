/* base/say.h: what is shown to people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "base/scope.h"

/* TEXT, said by each of the three. */
static void
expect(const char *text, const char *line, const char *lines)
{
	autofree char *got = NULL, *wanted = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);

	assert_non_null(f);
	(void)say_text(f, text);
	(void)fputc('|', f);
	say_line(f, "%s%s", "=", text);
	(void)fputc('|', f);
	say_lines(f, text);
	(void)fclose(f);
	assert_true(asprintf(&wanted, "%s|=%s\n|%s", line, line, lines) > 0);
	assert_string_equal(got, wanted);
}

static void
text_of_any_language_stays(void **state)
{
	static const char text[] = "größe 日本 \360\237\231\202\302\240";

	(void)state;
	expect("", "", "");
	expect(text, text, text);
}

static void
what_a_terminal_would_obey_does_not(void **state)
{
	(void)state;
	expect("\033]0;x\a", "?]0;x?", "?]0;x?");
	expect("\302\233m\302\237\177", "?m??", "?m??"); /* C1: CSI, APC */
}

static void
white_space_is_one_line_or_keeps_its_lines(void **state)
{
	(void)state;
	expect("a\tb\r\nc\n", "a b  c ", "a b \nc\n");
}

static void
what_cannot_be_seen_is_spelt_out(void **state)
{
	(void)state;
	expect("a\342\200\256b\302\255", "a\\u202eb\\u00ad",
	    "a\\u202eb\\u00ad");
	expect("\363\240\200\201", "\\ue0001", "\\ue0001");
}

static void
bytes_that_are_no_characters_do_not_stay(void **state)
{
	(void)state;
	expect("\377\233[m", "??[m", "??[m");
	expect("x\342\202", "x??", "x??"); /* cut off */
}

static void
columns_are_counted_as_they_are_shown(void **state)
{
	(void)state;
	assert_int_equal(say_text(NULL, ""), 0);
	assert_int_equal(say_text(NULL, "größe"), 5);
	assert_int_equal(say_text(NULL, "\342\200\256\033"), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_any_language_stays),
		cmocka_unit_test(what_a_terminal_would_obey_does_not),
		cmocka_unit_test(white_space_is_one_line_or_keeps_its_lines),
		cmocka_unit_test(what_cannot_be_seen_is_spelt_out),
		cmocka_unit_test(bytes_that_are_no_characters_do_not_stay),
		cmocka_unit_test(columns_are_counted_as_they_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
