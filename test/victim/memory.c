/*
 * memory.c - private anonymous memory of all sorts: 64 MiB that do not
 * compress, pages read but never written, holes, a thousand small mappings,
 * every protection, code written at run time, a deep stack, a heap.
 * Afterwards it must also go on behaving: what is dropped reads zero, what is
 * protected faults, heap and stack grow.
 */
#include <setjmp.h>
#include <sys/mman.h>

#include "test/victim/victim.h"

#define PAGE 4096u
#define BIG (64u << 20)
#define WIDE (24u << 20)
#define N_SMALL 1000u
#define DEEP (2u << 20)

static sigjmp_buf back;

static void
on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	siglongjmp(back, info->si_code == SEGV_ACCERR ? 2 : 1);
}

static unsigned char *
map(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

/* Touching P must fault: SEGV_ACCERR, the mapping is there. */
static void
expect_fault(volatile unsigned char *p, bool write, const char *what)
{
	int r = sigsetjmp(back, 1);

	if (r == 0) {
		if (write)
			*p = 1;
		else
			(void)*p;
		victim_fail("%s: no fault", what);
	}
	EXPECT(r == 2, "%s: the mapping is gone", what);
}

struct all {
	unsigned char *big, *sparse, *zero, *none, *read, *small[N_SMALL];
	unsigned char *dropped, *heap;
	int (*code)(int);
};

static void
protect(struct all *a)
{
	static const unsigned char code[] = { 0x8d, 0x47, 0x2a, 0xc3 };
	unsigned char *p;

	a->none = map(2 * PAGE, PROT_READ | PROT_WRITE);
	victim_fill(a->none, 2 * PAGE, 3);
	MUST(mprotect(a->none, 2 * PAGE, PROT_NONE));
	a->read = map(PAGE, PROT_READ | PROT_WRITE);
	victim_fill(a->read, PAGE, 4);
	MUST(mprotect(a->read, PAGE, PROT_READ));
	p = map(PAGE, PROT_READ | PROT_WRITE);
	memcpy(p, code, sizeof code); /* lea 42(%rdi), %eax; ret */
	MUST(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	a->code = (int (*)(int))(void *)p;
}

static void
set_up(struct all *a)
{
	unsigned i;

	a->big = map(BIG, PROT_READ | PROT_WRITE);
	victim_fill(a->big, BIG, 1);
	a->sparse = map(WIDE, PROT_READ | PROT_WRITE);
	for (i = 0; i < WIDE; i += 37 * PAGE)
		victim_fill(a->sparse + i, PAGE, i);
	a->zero = map(64 * PAGE, PROT_READ | PROT_WRITE);
	victim_zero(a->zero, 32 * PAGE, "fresh memory");
	a->dropped = map(64 * PAGE, PROT_READ | PROT_WRITE);
	victim_fill(a->dropped, 64 * PAGE, 2);
	MUST(madvise(a->dropped, 16 * PAGE, MADV_DONTNEED));
	for (i = 0; i < N_SMALL; i++) {
		a->small[i] = map(PAGE, PROT_READ | PROT_WRITE);
		a->small[i][i] = (unsigned char)i;
		if (i % 2 != 0)
			MUST(mprotect(a->small[i], PAGE, PROT_READ));
	}
	protect(a);
	a->heap = sbrk(5 * PAGE);
	EXPECT(a->heap != (void *)-1, "sbrk: %s", strerror(errno));
	victim_fill(a->heap, 5 * PAGE, 5);
}

static void
verify_protection(struct all *a)
{
	expect_fault(a->none, false, "PROT_NONE read");
	expect_fault(a->read, true, "PROT_READ written");
	victim_compare(a->read, PAGE, 4, "PROT_READ");
	MUST(mprotect(a->none, 2 * PAGE, PROT_READ));
	victim_compare(a->none, 2 * PAGE, 3, "PROT_NONE");
	EXPECT(a->code(0) == 42, "code written at run time");
	expect_fault((unsigned char *)(void *)a->code, true, "code written");
}

static void
verify(struct all *a)
{
	unsigned i;

	victim_compare(a->big, BIG, 1, "big mapping");
	for (i = 0; i < WIDE; i += PAGE)
		if (i % (37 * PAGE) == 0)
			victim_compare(a->sparse + i, PAGE, i, "sparse page");
		else
			victim_zero(a->sparse + i, PAGE, "hole");
	victim_zero(a->zero, 64 * PAGE, "zero pages");
	victim_zero(a->dropped, 16 * PAGE, "pages dropped before");
	MUST(madvise(a->dropped + 32 * PAGE, 32 * PAGE, MADV_DONTNEED));
	victim_zero(a->dropped + 32 * PAGE, 32 * PAGE, "pages dropped now");
	for (i = 0; i < N_SMALL; i++)
		EXPECT(a->small[i][i] == (unsigned char)i, "mapping %u", i);
	expect_fault(a->small[1], true, "small PROT_READ written");
	verify_protection(a);
	victim_compare(a->heap, 5 * PAGE, 5, "heap");
	EXPECT(sbrk(0) == a->heap + 5 * PAGE, "program break moved");
	EXPECT(sbrk(WIDE) == a->heap + 5 * PAGE, "heap does not grow: %s",
	    strerror(errno));
	memset(a->heap + 5 * PAGE, 1, WIDE);
}

/* A frame deep in the stack that is live over the save. */
static void __attribute__((noinline)) wait_deep(void)
{
	unsigned char frame[DEEP];

	victim_fill(frame, sizeof frame, 6);
	victim_wait();
	victim_compare(frame, sizeof frame, 6, "stack");
}

static void __attribute__((noinline)) grow_stack(void)
{
	volatile unsigned char frame[3 * DEEP / 2];
	size_t i;

	for (i = sizeof frame; i >= PAGE; i -= PAGE)
		frame[i - 1] = 1;
}

int
main(void)
{
	static struct all all;
	struct sigaction sa = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO };

	victim_init();
	MUST(sigaction(SIGSEGV, &sa, NULL));
	set_up(&all);
	wait_deep();
	verify(&all);
	grow_stack();
	victim_ok();
}
