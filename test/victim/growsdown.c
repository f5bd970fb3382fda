/*
 * growsdown.c - a mapping made by MAP_GROWSDOWN, grown once before and again
 * after: it must still be of the growing kind, and so must the main stack.
 */
#include <sys/mman.h>

#include "test/victim/victim.h"

#define PAGE 4096u
#define ROOM (8u << 20) /* left free below, stack guard gap included */

int
main(void)
{
	volatile unsigned char *p;
	unsigned char *hole;
	unsigned i;

	victim_init();
	hole = mmap(NULL, ROOM + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	EXPECT(hole != MAP_FAILED, "mmap: %s", strerror(errno));
	MUST(munmap(hole, ROOM + PAGE));
	p = mmap(hole + ROOM, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE,
	    -1, 0);
	EXPECT(p == hole + ROOM, "mmap: %s", strerror(errno));
	for (i = 0; i < 20; i++)
		*(p - i * PAGE) = (unsigned char)(i + 1);

	victim_wait();
	for (i = 0; i < 20; i++)
		EXPECT(*(p - i * PAGE) == i + 1, "page %u below the top", i);
	for (; i < 200; i++)
		*(p - i * PAGE) = 1;
	victim_ok();
}
