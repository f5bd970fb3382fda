/*
 * sockets.h - sockets (D9). What is within the tree comes back as it was:
 * listening sockets with those that wait in them, connections between two of
 * the tree's sockets with what is on its way, names, options. A connection to
 * the outside comes back cut off, datagram sockets are connected again.
 *
 * Between files.c and this room; what one socket is for it: socket.h. An int
 * is 0 or negative errno with a sentence in c->err.
 */
#ifndef CKPT_SOCKETS_SOCKETS_H
#define CKPT_SOCKETS_SOCKETS_H

#include "ckpt/files/files.h"

struct sockets;

/* -check, after all descriptions have been looked at: what will be cut off. */
int sockets_check(struct ckpt *c);

/* Save, after all descriptions are known: queues and IMG_SOCKET. */
int sockets_save(struct ckpt *c);

/* Revival: make all. Then, when all are open, drop what was made with them. */
int sockets_make(struct ckpt *c);
int sockets_finish(struct ckpt *c);

/* Revival: it has failed. Names made in the file system are removed. */
void sockets_undo(struct ckpt *c);

void sockets_free(struct sockets *ss);

#endif
