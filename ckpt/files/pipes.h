/*
 * pipes.h - pipes and FIFOs with what is in them. Between files.c and
 * pipes.c; what they are is told in pipes.c.
 */
#ifndef CKPT_PIPES_H
#define CKPT_PIPES_H

#include "ckpt/files/files.h"

struct pipes;

/* Save, after all descriptions are known: contents and IMG_PIPE. */
int pipes_save(struct ckpt *c);

/* Revival: make all, filled. Then, when all ends are open, drop our own. */
int pipes_make(struct ckpt *c);
int pipes_finish(struct ckpt *c);

void pipes_free(struct pipes *ps);

#endif
