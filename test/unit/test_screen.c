/*
 * The screen: what is painted from it makes another one that is the same;
 * what is skipped changes nothing; what is hostile does no harm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "screen/screen.h"

#define PAINT_MAX (8 << 20)

static struct screen *
make(int rows, int cols)
{
	struct screen *s;

	assert_int_equal(screen_new(rows, cols, &s), 0);
	return s;
}

static void
put(struct screen *s, const char *text)
{
	screen_write(s, (const uint8_t *)text, strlen(text));
}

/* The painting of A and that of B are the same bytes. */
static void
assert_same(struct screen *a, struct screen *b)
{
	struct buf x autobuf = BUF_INIT(PAINT_MAX);
	struct buf y autobuf = BUF_INIT(PAINT_MAX);

	assert_int_equal(screen_paint(a, &x), 0);
	assert_int_equal(screen_paint(b, &y), 0);
	if (x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
		print_message("%.*s\n!=\n%.*s\n", (int)x.len, (char *)x.data,
		    (int)y.len, (char *)y.data);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
}

/* A screen painted from S and one loaded from its image are like S. */
static void
assert_copies(struct screen *s)
{
	struct buf paint autobuf = BUF_INIT(PAINT_MAX);
	struct buf image autobuf = BUF_INIT(PAINT_MAX);
	struct screen *copy, *loaded;
	int rows, cols;

	screen_size(s, &rows, &cols);
	copy = make(rows, cols);
	assert_int_equal(screen_paint(s, &paint), 0);
	screen_write(copy, paint.data, paint.len);
	assert_same(s, copy);
	assert_int_equal(screen_save(s, &image), 0);
	assert_int_equal(screen_load(image.data, image.len, &loaded), 0);
	assert_same(s, loaded);
	screen_free(copy);
	screen_free(loaded);
}

static bool
paints(struct screen *s, const char *what)
{
	struct buf x autobuf = BUF_INIT(PAINT_MAX);

	assert_int_equal(screen_paint(s, &x), 0);
	return memmem(x.data, x.len, what, strlen(what)) != NULL;
}

static void
a_painting_makes_the_same_screen(void **state)
{
	static const char *const streams[] = {
		"plain text\r\nsecond line",
		"\033[1;31mred\033[0;4;38;5;200;48;2;1;2;3mmany\033[m end",
		"\033[7mreverse\033[27m\033[9mstruck\033[29m\033[4:3mcurly",
		"\xe5\xb1\xb1\xe5\xb7\x9d e\xcc\x81 \xf0\x9f\x98\x80 wide",
		"\033[10;20Hthere\0337\033[1;1Hhere",
		"main\033[?1049h\033[2;3Halternate\033[32m",
		"main\033[31m\033[?47halternate 47",
		"\033[3;10r\033[?6h\033[2;2Horigin",
		"\033[?1002h\033[?1006h\033[?2004h\033[?1h\033=\033[?25l",
		"\033(0lqqk\033[5mblink",
		"\033)0\016lqqk",
		"\033[4h\033[?7linsert, no wrap",
		"\033[>1u\033[>5u\033[4 q\033]2;title\007\033]1;icon\007",
		"\033[44m\033[K\033[2;1H\033[Kblue lines",
		"\033]10;#fff\007\033]4;3;rgb:11/22/33\033\\\033[>4;2m",
		"\033[?1049h\033[?6h\033[4h\033(0alt in odd modes",
		"\033[2mfaint\033[8mhidden\033[22;28;53mover\033[4:4mdots",
		"\033[4;58:2::1:2:3mred line\033[58;5;9m\033[4:5mdashes",
		"\033]8;id=1;http://x/\033\\link\033]8;;\033\\ none",
		"\033]8;;file:///a;b\007open link",
		"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 family",
		"\033[3g\033[5G\033H\033[20G\033H\r\ttabs",
		"\033(K\173umlaut\0337\033(B\033[?6h",
		"\033[?69h\033[5;20s\033[2;6r\033[?6h\033[2;2Hsides",
		"\033[1\"qprotected\033[\"q not",
		"\033[?1049h\033[4;4H\033[7m\0337\033[H\033[m",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof streams / sizeof *streams; i++) {
		struct screen *s = make(12, 40);

		put(s, streams[i]);
		assert_copies(s);
		screen_free(s);
	}
}

static void
painting_does_not_change_the_screen(void **state)
{
	struct screen *a = make(10, 20), *b = make(10, 20);
	struct buf x autobuf = BUF_INIT(PAINT_MAX);

	(void)state;
	put(a, "main\033[5;5H\0337\033[?1049h\033[3;8r\033[31malt");
	put(b, "main\033[5;5H\0337\033[?1049h\033[3;8r\033[31malt");
	assert_int_equal(screen_paint(a, &x), 0);
	assert_int_equal(screen_paint(a, &x), 0);
	put(a, " more\0338saved\033[?1049l back");
	put(b, " more\0338saved\033[?1049l back");
	assert_same(a, b);
	screen_free(a);
	screen_free(b);
}

static void
a_pending_wrap_is_painted(void **state)
{
	static const char *const ends[] = { "0123456789",
		"01234567\xe5\xb1\xb1", "0123456789\033[31m",
		"0123456789\r\033[10C", "012345678", "0123456789\033[1;10H" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct screen *a = make(4, 10), *copy = make(4, 10);
		struct buf x autobuf = BUF_INIT(PAINT_MAX);

		put(a, ends[i]);
		assert_int_equal(screen_paint(a, &x), 0);
		screen_write(copy, x.data, x.len);
		put(a, "Z");
		put(copy, "Z");
		assert_same(a, copy);
		screen_free(a);
		screen_free(copy);
	}
}

static void
a_stream_cut_anywhere_gives_the_same_screen(void **state)
{
	static const char text[] =
	    "a\xe5\xb1\xb1"
	    "b\033[31;1mc\033]2;t\xc3\xa9\007"
	    "d\033[?1049he\033P1;2|data\033\\f\033(0g\033(B\xf0\x9f\x98\x80h";
	struct screen *whole = make(5, 20);
	size_t i;

	(void)state;
	put(whole, text);
	for (i = 1; i < sizeof text - 1; i++) {
		struct screen *s = make(5, 20);
		struct buf x autobuf = BUF_INIT(PAINT_MAX);
		struct screen *painted = make(5, 20);
		bool hidden;

		screen_write(s, (const uint8_t *)text, i);
		/* inside a sequence the screen behind is not looked at */
		hidden = !modes_ground(screen_modes(s)) &&
		    modes_alternate(screen_modes(s)) != 0;
		/* as when somebody attaches at this moment */
		assert_int_equal(screen_paint(s, &x), 0);
		screen_write(painted, x.data, x.len);
		screen_write(s, (const uint8_t *)text + i, sizeof text - 1 - i);
		screen_write(painted, (const uint8_t *)text + i,
		    sizeof text - 1 - i);
		assert_same(s, whole);
		if (!hidden)
			assert_same(painted, whole);
		screen_free(s);
		screen_free(painted);
	}
	screen_free(whole);
}

/* A number that depends on *SEED only. */
static unsigned
random_below(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

/* Lines as programs print them, now and then something of consequence. */
static void
random_text(uint64_t *seed, struct buf *out)
{
	static const char *const pieces[] = { "text ", "\t", "\033[31m",
		"\033[1;4m", "\033[m", "\033[0;44m", "\033[K",
		"wide \xe5\xb1\xb1", "\b", "\a",
		"more words than fit into a line of twenty columns", "\r",
		"\033[38;5;99m", "\033[22;39m", "\033[3G" };
	static const char *const heavy[] = { "\033[5;5H", "\033[2J",
		"\033]2;title\007", "\033[3;8r", "\033[r", "\033[?1049h",
		"\033[?1049l", "\0337", "\0338", "\033M", "\033[2L",
		"\033[1;1H", "\033P some\r\nsixel \033\\" };
	int lines = 3000 + (int)random_below(seed, 12000), i, j;

	for (i = 0; i < lines; i++) {
		for (j = (int)random_below(seed, 6); j > 0; j--) {
			const char *p = pieces[random_below(seed,
			    sizeof pieces / sizeof *pieces)];

			assert_int_equal(buf_put(out, p, strlen(p)), 0);
		}
		if (random_below(seed, 4000) == 0) {
			const char *p = heavy[random_below(seed,
			    sizeof heavy / sizeof *heavy)];

			assert_int_equal(buf_put(out, p, strlen(p)), 0);
		}
		assert_int_equal(buf_put(out, "\r\n", 2), 0);
	}
}

static void
skipping_changes_nothing(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 40; seed++) {
		struct buf text autobuf = BUF_INIT(64 << 20);
		struct buf a autobuf = BUF_INIT(PAINT_MAX);
		struct buf b autobuf = BUF_INIT(PAINT_MAX);
		struct screen *fast = make(10, 20), *slow = make(10, 20);
		uint64_t x = seed;
		size_t i, n;

		random_text(&x, &text);
		for (i = 0; i < text.len; i += n) {
			n = 1 + random_below(&x, 60000);
			n = n > text.len - i ? text.len - i : n;
			screen_write(fast, text.data + i, n);
		}
		for (i = 0; i < text.len; i += n) {
			n = text.len - i < 4000 ? text.len - i : 4000;
			screen_write(slow, text.data + i, n);
			screen_flush(slow);
		}
		/* scrollback too */
		assert_int_equal(screen_save(fast, &a), 0);
		assert_int_equal(screen_save(slow, &b), 0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
		screen_free(fast);
		screen_free(slow);
	}
}

static void
resizing_keeps_what_fits(void **state)
{
	static const int sizes[][2] = { { 1, 1 }, { 24, 80 }, { 1, 300 },
		{ 300, 1 }, { 2, 2 }, { 50, 10 }, { 10, 10 } };
	struct screen *s = make(10, 10);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		put(s, "\xe5\xb1\xb1\xe5\xb1\xb1 text\033[?1049hover\r\n");
		screen_resize(s, sizes[i][0], sizes[i][1]);
		put(s, "\033#6\xe5\xb1\xb1\xe5\xb1\xb1\033[?7l\xe5\xb1\xb1");
		put(s, "\033#5\033[?7h");
		if (sizes[i][1] >= 4)
			assert_copies(s);
		put(s, "\033[?1049l");
	}
	put(s, "\033[2J\033[Hkept");
	screen_resize(s, 20, 40);
	assert_true(paints(s, "kept"));
	screen_free(s);
}

static void
sizes_out_of_range_are_brought_into_it(void **state)
{
	struct screen *s = make(0, -5);
	int rows, cols;

	(void)state;
	screen_size(s, &rows, &cols);
	assert_int_equal(rows, 1);
	assert_int_equal(cols, 1);
	screen_resize(s, 1 << 30, 1 << 30);
	screen_size(s, &rows, &cols);
	assert_true(rows * cols <= SCREEN_CELLS_MAX);
	screen_free(s);
}

static void
a_bad_image_is_refused(void **state)
{
	struct buf image autobuf = BUF_INIT(PAINT_MAX);
	struct screen *s = make(5, 20), *loaded;
	size_t i;

	(void)state;
	put(s, "something\r\n\033[31mon it");
	assert_int_equal(screen_save(s, &image), 0);
	for (i = 0; i < image.len; i++) {
		uint8_t old = image.data[i];

		/* cut here, or changed here: refused or harmless */
		if (screen_load(image.data, i, &loaded) == 0)
			screen_free(loaded);
		image.data[i] ^= 0x55;
		if (screen_load(image.data, image.len, &loaded) == 0)
			screen_free(loaded);
		image.data[i] = old;
	}
	assert_int_equal(screen_load("", 0, &loaded), -EBADMSG);
	assert_int_equal(screen_load("\xff\xff\xff", 3, &loaded), -EBADMSG);
	screen_free(s);
}

static void
garbage_does_no_harm(void **state)
{
	uint64_t seed = 7;
	struct screen *s = make(24, 80);
	int i, j;

	(void)state;
	for (i = 0; i < 2000; i++) {
		uint8_t data[512];

		for (j = 0; j < (int)sizeof data; j++) {
			unsigned r = random_below(&seed, 400);

			data[j] = r < 256 ? (uint8_t)r :
			    r < 300       ? '\033' :
			    r < 340       ? '[' :
					    (uint8_t)('0' + r % 16);
		}
		screen_write(s, data, sizeof data);
		if (i % 100 == 0) {
			struct buf x autobuf = BUF_INIT(PAINT_MAX);

			assert_int_equal(screen_paint(s, &x), 0);
			screen_resize(s, 1 + (int)random_below(&seed, 60),
			    1 + (int)random_below(&seed, 200));
		}
	}
	screen_free(s);
}

static void
answer(void *arg, const char *data, size_t len)
{
	assert_int_equal(buf_put(arg, data, len), 0);
}

static void
questions_are_answered(void **state)
{
	struct buf said autobuf = BUF_INIT(1024);
	struct screen *s = make(24, 80);

	(void)state;
	screen_answer(s, answer, &said);
	put(s, "\033[3;4H\033[6n\033[c");
	screen_flush(s);
	assert_true(said.len > 10);
	assert_memory_equal(said.data, "\033[3;4R\033[?", 9);
	screen_free(s);
}

static void
a_view_shows_the_part_around_the_cursor(void **state)
{
	struct buf x autobuf = BUF_INIT(PAINT_MAX);
	struct screen *s = make(30, 80), *small = make(5, 20);

	(void)state;
	put(s, "top\033[30;1Hbottom");
	assert_int_equal(screen_view(s, 5, 20, &x), 0);
	screen_write(small, x.data, x.len);
	assert_true(paints(small, "bottom"));
	assert_false(paints(small, "top"));
	screen_free(s);
	screen_free(small);
}

static void
the_bottom_is_the_last_row_in_use(void **state)
{
	struct screen *s = make(10, 20);

	(void)state;
	assert_int_equal(screen_bottom(s), 0);
	put(s, "one\r\ntwo\r\n\r\n");
	assert_int_equal(screen_bottom(s), 3);
	put(s, "\033[8;1Hx\033[H");
	assert_int_equal(screen_bottom(s), 7);
	screen_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_painting_makes_the_same_screen),
		cmocka_unit_test(painting_does_not_change_the_screen),
		cmocka_unit_test(a_pending_wrap_is_painted),
		cmocka_unit_test(a_stream_cut_anywhere_gives_the_same_screen),
		cmocka_unit_test(skipping_changes_nothing),
		cmocka_unit_test(resizing_keeps_what_fits),
		cmocka_unit_test(sizes_out_of_range_are_brought_into_it),
		cmocka_unit_test(a_bad_image_is_refused),
		cmocka_unit_test(garbage_does_no_harm),
		cmocka_unit_test(questions_are_answered),
		cmocka_unit_test(a_view_shows_the_part_around_the_cursor),
		cmocka_unit_test(the_bottom_is_the_last_row_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
