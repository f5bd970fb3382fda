/*
 * The scanner knows what a terminal would be left with: saying it again
 * gives the same state, undoing it gives none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "screen/modes.h"

#define TEXT_MAX 65536

static void
see(struct modes *m, const char *text, size_t len)
{
	size_t plain;

	(void)modes_scan(m, (const uint8_t *)text, len, false, &plain);
}

static struct modes *
scan(const char *text)
{
	struct modes *m = modes_new();

	assert_non_null(m);
	see(m, text, strlen(text));
	return m;
}

/* All that would have to be said to a terminal in its default state. */
static void
say(const struct modes *m, struct buf *out)
{
	int top, bottom;

	assert_int_equal(modes_redo_behind(m, out), 0);
	if (modes_alternate(m) != 0)
		(void)buf_printf(out, "\033[?%dh", modes_alternate(m));
	if (modes_margins(m, &top, &bottom))
		(void)buf_printf(out, "\033[%d;%dr", top + 1, bottom + 1);
	assert_int_equal(modes_redo(m, false, out), 0);
	assert_int_equal(modes_redo_sets(m, out), 0);
	if (!modes_cursor_visible(m))
		(void)buf_printf(out, "\033[?25l");
	(void)buf_put(out, "", 1);
}

static void
check_said(const struct modes *m, const char *want)
{
	struct buf out autobuf = BUF_INIT(TEXT_MAX);

	say(m, &out);
	assert_string_equal((char *)out.data, want);
}

/* TEXT leaves WANT to be said, and UNDO takes it all back. */
static void
check(const char *text, const char *want, const char *undo)
{
	struct buf out autobuf = BUF_INIT(TEXT_MAX);
	struct modes *m = scan(text);

	check_said(m, want);
	assert_int_equal(modes_undo(m, &out), 0);
	(void)buf_put(&out, "", 1);
	assert_string_equal((char *)out.data, undo);
	modes_free(m);
}

static void
each_kind_is_said_again_and_undone(void **state)
{
	(void)state;
	check("\033[?1002;1006h", "\033[?1002h\033[?1006h",
	    "\033[?1002l\033[?1006l\033[m");
	check("\033[?1000h\033[?1003h", "\033[?1003h", "\033[?1003l\033[m");
	check("\033[?7l\033[4h", "\033[?7l\033[4h", "\033[?7h\033[4l\033[m");
	check("\033[?2026h", "", "\033[?2026l\033[m");
	check("\033[?69h\033[5;60s", "\033[?69h\033[5;60s", "\033[?69l\033[m");
	check("\033[5;60s", "", "\033[m");
	check("\033[>4;2m\033[>1;3m", "\033[>1;3m\033[>4;2m",
	    "\033[>1m\033[>4m\033[m");
	check("\033[>4;2m\033[>4n", "\033[>4;0m", "\033[>4m\033[m");
	check("\033[>4;2m\033[>4m", "", "\033[m");
	check("\033[>4;1f", "\033[>4;1f", "\033[>4f\033[m");
	check("\033[>1u\033[>5u\033[<u\033[=3;2u", "\033[>3u",
	    "\033[<1u\033[m");
	check("\033[>1u\033[?1049h\033[>9u", "\033[>1u\033[?1049h\033[>9u",
	    "\033[<1u\033[?1049l\033[<1u\033[m");
	check("\033=\033[5 q", "\033=\033[5 q", "\033>\033[0 q\033[m");
	check("\033(0\033)A\016", "\033(0\033)A\016", "\033(B\033)B\017\033[m");
	check("\033]4;1;red;300;blue\a\033]11;#123\033\\",
	    "\033]4;1;red\033\\\033]4;300;blue\033\\\033]11;#123\033\\",
	    "\033]104\033\\\033]111\033\\\033[m");
	check("\033]10;red;green;?\a\033]111\a", "\033]10;red\033\\",
	    "\033]110\033\\\033[m");
	check("\033]8;id=a;http://x\a", "\033]8;id=a;http://x\033\\",
	    "\033]8;;\033\\\033[m");
	check("\033]8;id=a;http://x\a\033]8;;\a", "", "\033[m");
	check("\033]9;4;1;50\a", "\033]9;4;1;50\033\\",
	    "\033]9;4;0\033\\\033[m");
	check("\033]9;4;1;50\a\033]9;4;0\a", "", "\033[m");
	check("\033]7;file://h/\a", "\033]7;file://h/\033\\", "\033[m");
	check("\033]22;text\a", "\033]22;text\033\\", "\033]22;\033\\\033[m");
	check("\033]P1123456x", "", "\033]R\033[m");
}

static void
titles_have_a_stack(void **state)
{
	(void)state;
	check("\033]2;a\a\033[22;2t\033]2;b\a",
	    "\033]2;a\033\\\033[22;2t\033]2;b\033\\", "\033[23;2t\033[m");
	check("\033]0;a\a\033[22;0;0t\033]0;b\a\033[23;0;0t",
	    "\033]1;a\033\\\033]2;a\033\\", "\033[m");
	check("\033[23t\033[23t", "", "\033[m");
}

static void
what_was_saved_is_restored(void **state)
{
	(void)state;
	check("\033(0\0337\033(B\0338", "\033(0", "\033(B\033[m");
	check("\033[?6h\0337\033[?6l\0338", "\033[?6h", "\033[?6l\033[m");
	check("\033(0\033[?1049h\033(B\033[?1049l", "\033(0", "\033(B\033[m");
	check("\033[?2004h\033[?2004;1004s\033[?2004l\033[?1004h"
	      "\033[?2004;1004r",
	    "\033[?2004h", "\033[?2004l\033[m");
}

static void
resets_reset(void **state)
{
	(void)state;
	check(
	    "\033[?1;1049;2004;69h\033[>1u\033[>4;1m\033]4;1;red\a\033(0\033c",
	    "", "\033[m");
	check("\033[?1;6h\033=\033[?25l\033[2;5r\033[!p", "", "\033[m");
}

static const char *const words[] = { "\033[?1h", "\033[?1l", "\033[?6h",
	"\033[?6l", "\033[?7l", "\033[?7h", "\033[?25l", "\033[?25h",
	"\033[?9h", "\033[?1000h", "\033[?1002h", "\033[?1003l", "\033[?1006h",
	"\033[?1006l", "\033[?69h", "\033[?69l", "\033[3;9s", "\033[?2004h",
	"\033[?2004;1004s", "\033[?2004;1004r", "\033[4h", "\033[4l",
	"\033[2;7r", "\033[r", "\033[?1049h", "\033[?1049l", "\033[?47h",
	"\033[?47l", "\033[>1u", "\033[>5u", "\033[<u", "\033[<2u",
	"\033[=3;2u", "\033[>4;2m", "\033[>4m", "\033[>1;2m", "\033=", "\033>",
	"\033[2 q", "\033[ q", "\033(0", "\033(B", "\033)0", "\016", "\017",
	"\033n", "\0337", "\0338", "\033]2;t\a", "\033]0;u\033\\", "\033[22t",
	"\033[22;2t", "\033[23t", "\033]4;1;red;2;blue\a", "\033]104;1\a",
	"\033]10;a;b\a", "\033]111\a", "\033]8;;x\a", "\033]8;;\a",
	"\033]9;4;3\a", "\033[!p", "text\r\n", "\033[?2026h", "\033[?2026l" };

#define N_WORDS (sizeof words / sizeof *words)

static void
whatever_was_said_can_be_said_again_and_undone(void **state)
{
	unsigned seed = 1;
	int round, i;

	(void)state;
	for (round = 0; round < 3000; round++) {
		struct buf said autobuf = BUF_INIT(TEXT_MAX);
		struct buf again autobuf = BUF_INIT(TEXT_MAX);
		struct buf undo autobuf = BUF_INIT(TEXT_MAX);
		struct modes *m = modes_new(), *copy;

		for (i = 0; i < 30; i++) {
			const char *w =
			    words[(unsigned)rand_r(&seed) % N_WORDS];

			see(m, w, strlen(w));
		}
		say(m, &said);
		copy = scan((char *)said.data);
		say(copy, &again);
		assert_string_equal((char *)said.data, (char *)again.data);
		assert_int_equal(modes_undo(m, &undo), 0);
		see(m, (const char *)undo.data, undo.len);
		/* The titles are saved by those who undo. */
		see(m, "\033[?25h", 6);
		again.len = 0;
		modes_free(copy);
		assert_int_equal(modes_redo_behind(m, &again), 0);
		assert_int_equal(modes_alternate(m), 0);
		assert_int_equal(modes_redo_sets(m, &again), 0);
		assert_int_equal(again.len, 0);
		undo.len = 0;
		assert_int_equal(modes_undo(m, &undo), 0);
		assert_int_equal(undo.len, 3);
		modes_free(m);
	}
}

static void
long_keys_are_known(void **state)
{
	struct modes *m = scan("\033[>4;1m");

	(void)state;
	assert_true(modes_long_keys(m));
	modes_free(m);
	m = scan("\033[>1u\033[?1049h");
	assert_false(modes_long_keys(m));
	modes_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_said_again_and_undone),
		cmocka_unit_test(titles_have_a_stack),
		cmocka_unit_test(what_was_saved_is_restored),
		cmocka_unit_test(resets_reset),
		cmocka_unit_test(
		    whatever_was_said_can_be_said_again_and_undone),
		cmocka_unit_test(long_keys_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
