/* ckpt/memory/vdso_elf.h: the functions of a vdso, and where they are made to lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/memory/vdso_elf.h"
#include "test/unit/skip.h"

#define LEN 8192 /* at least two pages: so far every vdso has them */

typedef time_t time_function(time_t *);
typedef int clock_function(clockid_t, struct timespec *);

/* A copy of this kernel's, as ordinary memory with zeros before it. */
static uint8_t *
copy_own(void)
{
	const void *own = (const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	uint8_t *p = mmap(NULL, 16 * LEN, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (own == NULL || p == MAP_FAILED)
		skip_because("this kernel has no vdso");
	memcpy(p + 8 * LEN, own, LEN);
	return p + 8 * LEN;
}

static const struct vdso_function *
find(const struct vdso_functions *fns, const char *name)
{
	for (size_t i = 0; i < fns->n; i++)
		if (strcmp(fns->v[i].name, name) == 0)
			return &fns->v[i];
	return NULL;
}

static void
this_kernels_functions_are_found(void **state)
{
	uint8_t *elf = copy_own();
	struct vdso_functions fns;

	(void)state;
	assert_int_equal(vdso_elf_parse(elf, LEN, &fns), 0);
	assert_non_null(find(&fns, "__vdso_clock_gettime"));
	assert_non_null(find(&fns, "__vdso_time"));
	assert_null(find(&fns, "time"));
}

static void
call_both(const uint8_t *elf, const struct vdso_functions *fns)
{
	struct timespec a, b;
	clock_function *clock;
	time_function *seconds;
	uintptr_t at;

	at = (uintptr_t)elf + find(fns, "__vdso_clock_gettime")->at;
	clock = (clock_function *)at;
	at = (uintptr_t)elf + find(fns, "__vdso_time")->at;
	seconds = (time_function *)at;
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &a), 0);
	assert_int_equal(clock(CLOCK_MONOTONIC, &b), 0);
	assert_in_range(b.tv_sec - a.tv_sec, 0, 5);
	assert_in_range(seconds(NULL) - time(NULL) + 5, 0, 10);
	assert_int_equal(clock(12345, &b), -EINVAL);
}

static void
an_old_one_leads_to_the_kernels_own(void **state)
{
	uint8_t *elf = copy_own();
	struct vdso_functions fns;

	(void)state;
	assert_int_equal(vdso_elf_parse(elf, LEN, &fns), 0);
	assert_false(vdso_elf_is_redirected(elf, LEN));
	assert_int_equal(vdso_elf_redirect(elf, LEN, &fns,
			     getauxval(AT_SYSINFO_EHDR)),
	    0);
	assert_true(vdso_elf_is_redirected(elf, LEN));
	call_both(elf, &fns);
}

static void
what_the_kernel_lacks_becomes_a_system_call(void **state)
{
	uint8_t *elf = copy_own();
	const struct vdso_functions none = { .n = 0 };
	struct vdso_functions fns;

	(void)state;
	assert_int_equal(vdso_elf_parse(elf, LEN, &fns), 0);
	assert_int_equal(vdso_elf_redirect(elf, LEN, &none, 0), 0);
	call_both(elf, &fns);
}

static void
it_can_be_redirected_again_and_again(void **state)
{
	uint8_t *elf = copy_own();
	const struct vdso_functions none = { .n = 0 };
	struct vdso_functions fns, again;

	(void)state;
	assert_int_equal(vdso_elf_parse(elf, LEN, &fns), 0);
	assert_int_equal(vdso_elf_redirect(elf, LEN, &none, 0), 0);
	assert_int_equal(vdso_elf_redirect(elf, LEN, &fns, 0x1000), 0);
	assert_int_equal(vdso_elf_parse(elf, LEN, &again), 0);
	assert_int_equal(again.n, fns.n);
	assert_memory_equal(again.v, fns.v, fns.n * sizeof fns.v[0]);
	assert_int_equal(vdso_elf_redirect(elf, LEN, &fns,
			     getauxval(AT_SYSINFO_EHDR)),
	    0);
	call_both(elf, &fns);
}

static void
what_is_no_vdso_is_refused(void **state)
{
	uint8_t zeros[LEN] = { 0 }, *elf = copy_own();
	struct vdso_functions fns;

	(void)state;
	assert_int_equal(vdso_elf_parse(zeros, LEN, &fns), -EBADMSG);
	assert_int_equal(vdso_elf_parse(elf, 0, &fns), -EBADMSG);
	assert_int_equal(vdso_elf_parse(elf, 64, &fns), -EBADMSG);
	elf[EI_CLASS] = ELFCLASS32;
	assert_int_equal(vdso_elf_parse(elf, LEN, &fns), -EBADMSG);
}

/* Every length, and bytes changed by chance: nothing outside is touched. */
static void
spoilt_ones_do_no_harm(void **state)
{
	autofree uint8_t *elf = malloc(LEN);
	struct vdso_functions fns = { .n = 0 };
	unsigned seed = 1;
	const uint8_t *own = copy_own();

	(void)state;
	assert_non_null(elf);
	for (size_t len = 0; len < LEN; len += 8) {
		autofree uint8_t *some = malloc(len + 1);

		memcpy(some, own, len);
		(void)vdso_elf_redirect(some, len, &fns, 0);
	}
	for (int n = 0; n < 20000; n++) {
		memcpy(elf, own, LEN);
		for (int i = 0; i < 8; i++)
			elf[(unsigned)rand_r(&seed) % 2048] = (uint8_t)rand_r(
			    &seed);
		(void)vdso_elf_redirect(elf, LEN, &fns, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_kernels_functions_are_found),
		cmocka_unit_test(an_old_one_leads_to_the_kernels_own),
		cmocka_unit_test(what_the_kernel_lacks_becomes_a_system_call),
		cmocka_unit_test(it_can_be_redirected_again_and_again),
		cmocka_unit_test(what_is_no_vdso_is_refused),
		cmocka_unit_test(spoilt_ones_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
