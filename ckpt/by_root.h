/*
 * by_root.h - what root does in a revival for a user (D6), and all that it
 * does: it makes the namespaces, writes the offsets of two clocks, mounts
 * /proc and /dev/pts, and becomes the user. No user namespace is needed then,
 * so sudo, ssh and the owners of files are as before.
 *
 * The server runs as the user. Before it became him it left a helper behind,
 * its child, on a socket pair. Root reads two numbers from that socket and
 * nothing else; pid 1 of the new namespaces, when it is the user and has no
 * capability left but CAP_CHECKPOINT_RESTORE, reads which image it is to be,
 * opens it by itself, and is the restorer (restorer.h) from then on.
 */
#ifndef CKPT_BY_ROOT_H
#define CKPT_BY_ROOT_H

#include <stdnoreturn.h>

#include "base/account.h"
#include "ckpt/ckpt.h"
#include "ckpt/restorer.h"

/*
 * In the helper, which is root and a child of the server-to-be: serve one
 * revival for A on SOCK, all other descriptors being closed.
 */
noreturn void by_root_main(int sock, const struct account *a);

/*
 * In the server: have the helper revive GENERATION of NAME with the clocks of
 * M. The restorer reports on B->sock as one of our own would on its socket.
 */
int by_root_ask(const struct by_root *b, const char *name, uint64_t generation,
    bool force, int saved_dirfd, const Img__Machine *m, struct err *e);

#endif
