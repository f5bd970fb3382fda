/*
 * behind.h - a file that is written while its content is still being made:
 * a thread writes one block while the next ones are filled. Order is kept.
 * Nothing but the descriptor and full blocks is seen by the thread, and none
 * of sess' own threads is alive after behind_close(): the process may fork.
 *
 *	behind_open(fd, len, &b);
 *	while (there is more) {
 *		fill(behind_room(b), len);
 *		behind_put(b, len);
 *	}
 *	behind_close(b);
 *
 * Where no thread can be had (RLIMIT_NPROC, pids.max) behind_put() writes.
 */
#ifndef CKPT_BEHIND_H
#define CKPT_BEHIND_H

#include <stddef.h>

struct behind;

/*
 * Write to FD, which stays the caller's and is left alone by him meanwhile,
 * from where it stands, in blocks of up to BLOCK_LEN bytes, a multiple of the
 * page size. 0 or -ENOMEM.
 */
int behind_open(int fd, size_t block_len, struct behind **ret_b);

/* The block to be filled, page aligned; the same one until it is put. */
void *behind_room(struct behind *b);

/*
 * Write the first LEN bytes of the block; waits for a free one when all are
 * on their way. Negative errno when a write has failed, of this block or of
 * an earlier one: nothing is written any more then.
 */
int behind_put(struct behind *b, size_t len);

/*
 * Wait until all is written (or one write has failed) and free B, which may
 * be NULL. 0, or negative errno of the first write that failed.
 */
int behind_close(struct behind *b);

#endif
