/*
 * mdwe.c - memory that may never be written and executed (PR_SET_MDWE): the
 * process can be saved, and the refusal still stands afterwards.
 */
#include <sys/mman.h>
#include <sys/prctl.h>

#include "test/victim/victim.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#define REFUSE_EXEC_GAIN 1

int
main(void)
{
	unsigned char *text = (unsigned char *)(uintptr_t)main;
	unsigned char first;
	void *p;

	victim_init();
	if (prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) < 0)
		victim_skip("this kernel has no PR_SET_MDWE");
	first = *text;
	victim_wait();
	EXPECT(prctl(PR_GET_MDWE, 0, 0, 0, 0) == REFUSE_EXEC_GAIN,
	    "PR_GET_MDWE is %d", prctl(PR_GET_MDWE, 0, 0, 0, 0));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(p == MAP_FAILED && errno == EACCES,
	    "memory can be written and executed");
	EXPECT(*text == first, "the program's text");
	victim_ok();
}
