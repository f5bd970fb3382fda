/* A slice of the fuzzing of streams in every check: see test/fuzz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/fuzz/fuzz_stream.c"

#define N_STREAMS 600

static void
streams_made_by_chance_leave_nothing(void **state)
{
	static uint8_t data[FORGE_STREAM_CAP];
	size_t len = 0;

	(void)state;
	for (unsigned n = 0; n < N_STREAMS; n++) {
		if (n % 4 == 0)
			len = 0; /* a good one, changed */
		len = LLVMFuzzerCustomMutator(data, len, sizeof data, n);
		assert_int_equal(LLVMFuzzerTestOneInput(data, len), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_made_by_chance_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
