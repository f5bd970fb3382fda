/*
 * shed.h - what was needed once, and is memory that stays.
 */
#ifndef BASE_SHED_H
#define BASE_SHED_H

/*
 * Unmap the code and constants of the program and its libraries from this
 * process: what a long life of waiting never touches again is not counted as
 * its memory, and what it does touch comes back from the page cache by a
 * fault. Freed memory goes back to the kernel. Some 50 us, and faults later:
 * for a quiet moment (madvise(2), MADV_DONTNEED; malloc_trim(3)).
 */
void shed_memory(void);

#endif
