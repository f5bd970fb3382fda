/* base/shed.h: what is given back, and that it comes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/shed.h"
#include "screen/palette.h"

/* Memory of this process that files fill, in KiB. */
static long
from_files(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "RssFile: %ld", &kib) == 1)
			break;
	if (f != NULL)
		(void)fclose(f);
	return kib;
}

static void
code_that_is_not_used_is_given_back(void **state)
{
	long before = from_files();

	(void)state;
	shed_memory();
	/* What runs right now is back at once. */
	assert_in_range(from_files(), 1, before * 3 / 4);
}

static void
constants_and_code_are_as_they_were(void **state)
{
	struct rgb c;

	(void)state;
	shed_memory();
	c = palette_color(255);
	assert_int_equal(c.r, 238);
	assert_int_equal(palette_color(1).r, 205);
	shed_memory();
	shed_memory();
	assert_int_equal(strlen("a constant"), 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_that_is_not_used_is_given_back),
		cmocka_unit_test(constants_and_code_are_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
