/* A slice of the fuzzing of images in every check: see test/fuzz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/fuzz/fuzz_image.c"

#define N_IMAGES 8000

static void
images_made_by_chance_do_no_harm(void **state)
{
	static uint8_t data[FUZZ_CAP];
	size_t len = 0;

	(void)state;
	for (unsigned n = 0; n < N_IMAGES; n++) {
		if (n % 8 == 0)
			len = make_seed(data, sizeof data, n / 8);
		len = LLVMFuzzerCustomMutator(data, len, sizeof data, n);
		assert_int_equal(LLVMFuzzerTestOneInput(data, len), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_made_by_chance_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
