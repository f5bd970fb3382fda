/*
 * moving.h - the other end of a snapshot that moves: -o and -i.
 */
#ifndef MOVING_H
#define MOVING_H

#include "base/temp.h"
#include "cmd/commands.h"

/* Where c->out leads to. */
struct moving {
	struct temp file; /* a file of its own, that has no name yet */
	const char *name; /* which it will have in its directory */
	int fd;           /* standard output, a device or a FIFO; -1 */
};

#define MOVING_NONE ((struct moving){ .file = TEMP_NONE, .fd = -1 })

/*
 * Open c->out, a file that must not be there yet or - for standard output,
 * before anything is saved. A terminal is refused.
 */
int moving_open(struct context *c, struct moving *ret_m);
void moving_close(struct moving *m);

/* Write generation GENERATION of NAME to M; a file has its name then. */
int moving_send(struct context *c, struct moving *m, const char *name,
    uint64_t generation);

/* Receive a snapshot of NAME from c->in. */
int moving_receive(struct context *c, const char *name,
    uint64_t *ret_generation);

/* A received snapshot could not be revived (R, c->err): it is kept. */
int moving_stays(struct context *c, const char *name, uint64_t generation,
    int r);

#endif
