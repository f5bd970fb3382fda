/*
 * sockets.h - sockets. Between files.c and sockets.c; what of them can be
 * saved is told in sockets.c.
 */
#ifndef CKPT_SOCKETS_H
#define CKPT_SOCKETS_H

#include "ckpt/files/files.h"

struct sockets;

/* Save, after all descriptions are known: queues and IMG_SOCKET. */
int sockets_save(struct ckpt *c);

/* Revival: make all. Then, when all are open, drop what was made with them. */
int sockets_make(struct ckpt *c);
int sockets_finish(struct ckpt *c);

void sockets_free(struct sockets *ss);

#endif
