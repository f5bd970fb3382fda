/* skip.h - a test that cannot be here says why; conftest.py tells it. */
#ifndef TEST_UNIT_SKIP_H
#define TEST_UNIT_SKIP_H

#define skip_because(why)                     \
	do {                                  \
		print_message("%s\n", (why)); \
		skip();                       \
	} while (0)

#endif
