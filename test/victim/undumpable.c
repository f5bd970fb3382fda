/*
 * undumpable.c - a process that has set PR_SET_DUMPABLE to 0, as agents of
 * keys do. Only root may save it.
 */
#include <sys/prctl.h>

#include "test/victim/victim.h"

int
main(void)
{
	if (geteuid() != 0)
		victim_skip("only root may trace a process that is not"
			    " dumpable");
	victim_init();
	MUST(prctl(PR_SET_DUMPABLE, 0));
	victim_wait();
	EXPECT(prctl(PR_GET_DUMPABLE) == 0, "dumpable is %d",
	    prctl(PR_GET_DUMPABLE));
	victim_ok();
}
