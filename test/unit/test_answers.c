/*
 * What a terminal answers is told from what is typed on it, cut anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/answers.h"

static void
check(const char *text, bool positions, const char *want, bool want_keys)
{
	size_t len = strlen(text), cut;

	for (cut = 0; cut <= len; cut++) {
		struct answers a = { .where = 0 };
		struct buf out autobuf = BUF_INIT(65536);
		bool keys, more;

		/* Between ESC and the next byte ESC is a key. */
		if (cut > 0 && text[cut - 1] == 0x1b)
			continue;
		assert_int_equal(answers_drop(&a, (const uint8_t *)text, cut,
				     positions, &out, &keys),
		    0);
		assert_int_equal(answers_drop(&a, (const uint8_t *)text + cut,
				     len - cut, positions, &out, &more),
		    0);
		assert_int_equal(out.len, strlen(want));
		if (out.len > 0)
			assert_memory_equal(out.data, want, out.len);
		assert_int_equal(keys || more, want_keys);
	}
}

static void
answers_are_dropped(void **state)
{
	static const char *const all[] = { "\033[?62;22c", "\033[>1;10;0c",
		"\033[=0c", "\033[0n", "\033[12;40R", "\033[1;12R",
		"\033[?1;2R", "\033[?2026;2$y", "\033[4;1$y", "\033[?5u",
		"\033[8;24;80t", "\033[48;24;80;0;0t", "\033[?997;1n",
		"\033P>|xterm(379)\033\\", "\033P1+r544e=78\033\\",
		"\033]11;rgb:0000/0000/0000\033\\", "\033]10;rgb:f/f/f\a",
		"\033_Gi=31;OK\033\\", "\033[?2;0;800;600S", "\033[>4;1m" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof all / sizeof *all; i++)
		check(all[i], false, "", false);
}

static void
keys_are_not(void **state)
{
	static const char *const all[] = { "a", "\r", "\033[A", "\033OP",
		"\033[15~", "\033[1;5C", "\033[1;2R", "\033[97;5u",
		"\033[27;5;92~", "\033[<0;10;20M", "\033[M !!", "\033x",
		"\033[200~\033]0;x\a\033[?1c\033P\033[201~", "\033[Z" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof all / sizeof *all; i++)
		check(all[i], false, all[i], true);
}

static void
mixtures_are_taken_apart(void **state)
{
	(void)state;
	check("a\033[?62c\033[Ab\033]11;x\033\\c", false, "a\033[Abc", true);
	check("\033[I\033[O", false, "\033[I\033[O", false);
	check("\033[12;40R\033[?1c", true, "\033[12;40R", false);
	check("\033[200~\033[?1c\033[201~\033[?1c", false,
	    "\033[200~\033[?1c\033[201~", true);
}

static void
an_endless_sequence_is_let_go(void **state)
{
	struct answers a = { .where = 0 };
	struct buf out autobuf = BUF_INIT(65536);
	char text[1000] = "\033[";
	bool keys;

	(void)state;
	memset(text + 2, '1', sizeof text - 2);
	assert_int_equal(answers_drop(&a, (const uint8_t *)text, sizeof text,
			     false, &out, &keys),
	    0);
	assert_true(keys);
	assert_true(out.len > sizeof text - 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_dropped),
		cmocka_unit_test(keys_are_not),
		cmocka_unit_test(mixtures_are_taken_apart),
		cmocka_unit_test(an_endless_sequence_is_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
