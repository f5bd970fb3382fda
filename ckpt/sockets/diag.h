/*
 * diag.h - what the kernel tells of all UNIX sockets of this network
 * namespace by sock_diag(7): asked once a save, whatever the tree has.
 */
#ifndef CKPT_SOCKETS_DIAG_H
#define CKPT_SOCKETS_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One UNIX socket. */
struct diag_sock {
	uint64_t ino;
	uint64_t peer;     /* inode of the other end; 0: none, or gone */
	uint64_t file_ino; /* of its name, if that is a path; 0 */
	bool shut_read, shut_write;
	uint32_t backlog;  /* of a listening one, as listen(2) set it */
	uint32_t *waiting; /* ... who waits in it, oldest first: inodes; */
	size_t n_waiting;  /* ... 0: one that has gone already. Owned */
};

struct diag {
	struct diag_sock *v; /* by inode, ascending */
	size_t n, cap;
	bool told; /* false: this kernel cannot say (module unix_diag) */
};

/* Ask. -ENOMEM alone is a failure. */
int diag_unix(struct diag *d, struct err *e);
const struct diag_sock *diag_find(const struct diag *d, uint64_t ino);
void diag_done(struct diag *d);

#endif
