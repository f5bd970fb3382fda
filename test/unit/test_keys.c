/*
 * The detach key is found wherever and in whatever form it comes, and
 * nothing else is lost or changed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/keys.h"

#define CTRL_BACKSLASH 0x1c

/* Filter TEXT; what came out must be WANT, the verdict V. */
static void
check(struct keys *k, const char *text, bool long_forms, const char *want,
    enum keys_verdict v)
{
	struct buf out autobuf = BUF_INIT(65536);
	enum keys_verdict got;

	assert_int_equal(keys_filter(k, (const uint8_t *)text, strlen(text),
			     long_forms, &out, &got),
	    0);
	assert_int_equal(out.len, strlen(want));
	if (out.len > 0)
		assert_memory_equal(out.data, want, out.len);
	assert_int_equal(got, v);
}

static void
text_passes_through(void **state)
{
	struct keys k = { .key = CTRL_BACKSLASH };

	(void)state;
	check(&k, "hello\r\003\033[A\033", false, "hello\r\003\033[A\033",
	    KEYS_GO_ON);
}

static void
the_key_alone_waits_for_its_twin_and_detaches(void **state)
{
	struct keys k = { .key = CTRL_BACKSLASH };
	struct buf out autobuf = BUF_INIT(64);
	enum keys_verdict v;

	(void)state;
	check(&k, "ab\034", false, "ab", KEYS_WAIT);
	assert_int_equal(keys_expire(&k, &out, &v), 0);
	assert_int_equal(v, KEYS_DETACH);
	assert_int_equal(out.len, 0);
}

static void
the_key_in_the_middle_of_a_read_detaches(void **state)
{
	struct keys k = { .key = CTRL_BACKSLASH };

	(void)state;
	check(&k, "ab\034cd", false, "ab", KEYS_DETACH);
}

static void
the_key_pressed_twice_is_passed_once(void **state)
{
	struct keys k = { .key = CTRL_BACKSLASH };

	(void)state;
	check(&k, "ab\034\034cd", false, "ab\034cd", KEYS_GO_ON);
	check(&k, "\034", false, "", KEYS_WAIT);
	check(&k, "\034", false, "\034", KEYS_GO_ON);
	check(&k, "\034\034\034\034x", false, "\034\034x", KEYS_GO_ON);
}

static void
long_forms_are_the_key(void **state)
{
	static const char *const forms[] = { "\033[92;5u", "\033[92;5:1u",
		"\033[92:124;5u", "\033[92;69u", "\033[92;133u",
		"\033[1081::92;5u", "\033[27;5;92~" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct keys k = { .key = CTRL_BACKSLASH };

		check(&k, forms[i], true, "", KEYS_WAIT);
		assert_true(k.pressed);
	}
}

static void
other_sequences_are_not(void **state)
{
	static const char *const others[] = { "\033[92u", "\033[92;3u",
		"\033[92;6u", "\033[93;5u", "\033[1;5A", "\033[5~",
		"\033[27;3;92~", "\033[28;5;92~", "\033[92;5R", "\033]92;5u",
		"\033[<0;92;5M", "\033[200~\033[201~" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof others / sizeof *others; i++) {
		struct keys k = { .key = CTRL_BACKSLASH };

		check(&k, others[i], true, others[i], KEYS_GO_ON);
	}
}

static void
a_release_does_not_detach_again(void **state)
{
	struct keys k = { .key = CTRL_BACKSLASH };

	(void)state;
	check(&k, "\033[92;5u\033[92;5:3u\033[57442;1:3u", true, "", KEYS_WAIT);
	check(&k, "\033[57442;5u\033[92;5u", true, "\033[92;5u", KEYS_GO_ON);
}

static void
a_form_torn_anywhere_is_found(void **state)
{
	static const char form[] = "x\033[92;5u";
	size_t i;

	(void)state;
	for (i = 2; i < sizeof form - 1; i++) {
		struct keys k = { .key = CTRL_BACKSLASH };
		char head[16] = "";

		memcpy(head, form, i);
		check(&k, head, true, "x", KEYS_WAIT);
		assert_false(k.pressed);
		check(&k, form + i, true, "", KEYS_WAIT);
		assert_true(k.pressed);
	}
}

static void
what_was_held_comes_out(void **state)
{
	struct keys k = { .key = CTRL_BACKSLASH };
	struct buf out autobuf = BUF_INIT(64);
	enum keys_verdict v;

	(void)state;
	check(&k, "a\033", true, "a", KEYS_WAIT);
	assert_int_equal(keys_expire(&k, &out, &v), 0);
	assert_int_equal(v, KEYS_GO_ON);
	assert_int_equal(out.len, 1);
	check(&k, "\033[9", true, "", KEYS_WAIT);
	check(&k, "3;5u", true, "\033[93;5u", KEYS_GO_ON);
}

static void
without_a_key_all_passes(void **state)
{
	struct keys k = { .key = -1 };

	(void)state;
	check(&k, "\034\033[92;5u\033", true, "\034\033[92;5u\033", KEYS_GO_ON);
}

static void
an_endless_sequence_is_not_held(void **state)
{
	struct keys k = { .key = CTRL_BACKSLASH };
	char text[4096] = "\033[";

	(void)state;
	memset(text + 2, '1', sizeof text - 3);
	check(&k, text, true, text, KEYS_GO_ON);
}

static void
what_is_pasted_is_no_key(void **state)
{
	static const char text[] = "a\033[200~b\034\033[92;5uc\033[201~d";
	size_t i;

	(void)state;
	for (i = 1; i < sizeof text - 1; i++) {
		struct keys k = { .key = CTRL_BACKSLASH };
		struct buf out autobuf = BUF_INIT(64);
		enum keys_verdict v;

		/* Torn anywhere, held or not. */
		assert_int_equal(keys_filter(&k, (const uint8_t *)text, i,
				     (i & 1) != 0, &out, &v),
		    0);
		assert_int_equal(keys_filter(&k, (const uint8_t *)text + i,
				     sizeof text - 1 - i, (i & 1) != 0, &out,
				     &v),
		    0);
		assert_int_equal(v, KEYS_GO_ON);
		assert_int_equal(out.len, sizeof text - 1);
		assert_memory_equal(out.data, text, out.len);
		check(&k, "\034", false, "", KEYS_WAIT);
	}
}

static void
caret_notation_is_read(void **state)
{
	(void)state;
	assert_int_equal(keys_parse("^\\"), 0x1c);
	assert_int_equal(keys_parse("^a"), 1);
	assert_int_equal(keys_parse("^A"), 1);
	assert_int_equal(keys_parse("^@"), 0);
	assert_int_equal(keys_parse("\001"), 1);
	assert_int_equal(keys_parse("none"), -1);
	assert_int_equal(keys_parse(""), -EINVAL);
	assert_int_equal(keys_parse("^"), -EINVAL);
	assert_int_equal(keys_parse("^ab"), -EINVAL);
	assert_int_equal(keys_parse("a"), -EINVAL);
	assert_int_equal(keys_parse("^1"), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_passes_through),
		cmocka_unit_test(the_key_alone_waits_for_its_twin_and_detaches),
		cmocka_unit_test(the_key_in_the_middle_of_a_read_detaches),
		cmocka_unit_test(the_key_pressed_twice_is_passed_once),
		cmocka_unit_test(long_forms_are_the_key),
		cmocka_unit_test(other_sequences_are_not),
		cmocka_unit_test(a_release_does_not_detach_again),
		cmocka_unit_test(a_form_torn_anywhere_is_found),
		cmocka_unit_test(what_was_held_comes_out),
		cmocka_unit_test(without_a_key_all_passes),
		cmocka_unit_test(an_endless_sequence_is_not_held),
		cmocka_unit_test(what_is_pasted_is_no_key),
		cmocka_unit_test(caret_notation_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
