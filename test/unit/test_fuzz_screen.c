/* A slice of the fuzzing of the screen in every check: see test/fuzz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/fuzz/fuzz_screen.c"

#define N_STREAMS 2000
#define STREAM_CAP 4096

/* Below N, from SEED. */
static unsigned
any(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

static size_t
put_sequence(uint64_t *seed, char *out)
{
	static const char finals[] = "ABCDEFGHIJKLMPSTXZ@`acdefghlmnqrs";
	static const char *const sharp[] = { "?", ">", "!", "=" };
	static const int modes[] = { 3, 4, 5, 6, 7, 20, 25, 40, 45, 69, 1047,
		1048, 1049, 2026 };
	char final = finals[any(seed, sizeof finals - 1)];
	int n = sprintf(out, "\033[%s",
	    any(seed, 4) == 0 ? sharp[any(seed, N_ELEMENTS(sharp))] : "");
	unsigned i, k = any(seed, 4);

	for (i = 0; i < k; i++)
		n += sprintf(out + n, "%s%u",
		    i == 0                ? "" :
			any(seed, 5) == 0 ? ":" :
					    ";",
		    any(seed, 20) == 0 ? any(seed, 2000000) : any(seed, 60));
	if (any(seed, 4) == 0)
		n = sprintf(out, "\033[?%d%c",
		    modes[any(seed, N_ELEMENTS(modes))],
		    any(seed, 2) ? 'h' : 'l');
	else
		out[n++] = final;
	return (size_t)n;
}

static size_t
put_piece(uint64_t *seed, char *out)
{
	static const char *const pieces[] = { "text ", "\t", "\r\n", "\n",
		"\b\b", "\xe5\xb1\xb1\xe5\xb7\x9d", "e\xcc\x81",
		"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
		"\033(0lqk\033(B", "\016", "\017", "\0337", "\0338", "\033M",
		"\033D", "\033E", "\033H", "\033#8", "\033c", "\033(K\173",
		"\033N\174", "\033]8;;http://x/\033\\", "\033]8;;\007",
		"\033]2;title\007", "\033]endless", "\033Pdcs \033\\", "\033",
		"\033[", "\xe5\xb1", "\xff\x80", "\xf8\x17\x4f", "\xf8\x02\x03",
		"a line that is longer than most of those screens it goes to" };
	static const size_t n_pieces = N_ELEMENTS(pieces);
	size_t len;

	if (any(seed, 3) == 0)
		return put_sequence(seed, out);
	if (any(seed, 50) == 0) {
		out[0] = (char)any(seed, 256);
		return 1;
	}
	len = (size_t)sprintf(out, "%s", pieces[any(seed, (unsigned)n_pieces)]);
	return len;
}

static void
output_made_by_chance_does_no_harm(void **state)
{
	static uint8_t data[STREAM_CAP + 128];
	uint64_t seed;
	size_t len, end;

	(void)state;
	for (seed = 1; seed <= N_STREAMS; seed++) {
		uint64_t x = seed;

		data[0] = (uint8_t)any(&x, 256);
		data[1] = (uint8_t)any(&x, 256);
		end = 2 + any(&x, seed % 10 == 0 ? STREAM_CAP : 400);
		for (len = 2; len < end;)
			len += put_piece(&x, (char *)data + len);
		assert_int_equal(LLVMFuzzerTestOneInput(data, len), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_made_by_chance_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
