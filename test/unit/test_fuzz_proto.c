/* A slice of the fuzzing of messages in every check: see test/fuzz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/fuzz/fuzz_proto.c"

#define N_MESSAGES 20000

/* A message that has something of everything. */
static size_t
make_seed(uint8_t *data, unsigned n)
{
	Sess__Message m = proto_message((Sess__Kind)(n % 80));
	char *login[] = { (char *)(uintptr_t) "DISPLAY=:0",
		(char *)(uintptr_t) "SSH_AUTH_SOCK",
		(char *)(uintptr_t) "DBUS_SESSION_BUS_ADDRESS=unix:path=/%2f" };

	m.name = (char *)(uintptr_t) "\xe2\x88\x95tmp\xe2\x88\x95x";
	m.text = (char *)(uintptr_t) "why";
	m.login = login;
	m.n_login = n % 4;
	m.has_data = true;
	m.data.data = (uint8_t *)login;
	m.data.len = n % sizeof login;
	m.has_rows = m.has_key = true;
	m.rows = n;
	return sess__message__pack(&m, data);
}

static void
messages_made_by_chance_do_no_harm(void **state)
{
	static uint8_t data[4096];
	unsigned n, i;
	size_t len;

	(void)state;
	srandom(1);
	for (n = 0; n < N_MESSAGES; n++) {
		len = make_seed(data, n / 16);
		for (i = 0; i < n % 16; i++)
			data[(size_t)random() % len] = (uint8_t)random();
		if (n % 5 == 0)
			len = (size_t)random() % len;
		assert_int_equal(LLVMFuzzerTestOneInput(data, len), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_made_by_chance_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
