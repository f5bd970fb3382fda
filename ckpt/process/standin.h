/*
 * standin.h - the two small processes that stay with a revived tree: pid 1
 * of its namespace, and the stand-in, which has the old server's number and
 * is the parent the tree remembers.
 */
#ifndef CKPT_STANDIN_H
#define CKPT_STANDIN_H

#include <stdnoreturn.h>
#include <sys/types.h>

/*
 * Be the stand-in. It adopts orphans, reports the wait status of FIRST as an
 * int on STATUS_FD, and ends when it has no child left. Every descriptor but
 * that one is closed.
 */
noreturn void standin_main(int status_fd, pid_t first);

/* Be pid 1 until STANDIN has ended. Every descriptor is closed. */
noreturn void standin_init(pid_t standin);

#endif
