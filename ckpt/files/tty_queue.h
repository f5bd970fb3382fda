/*
 * tty_queue.h - what has been written to a pseudo terminal and not yet been
 * read at its other end. It cannot be peeked at: it is drained and put back,
 * while nobody else reads or writes. Sources: ioctl_tty(2), termios(3),
 * kernel: drivers/tty/n_tty.c, pty.c (5.14 to 6.18).
 */
#ifndef CKPT_TTY_QUEUE_H
#define CKPT_TTY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define TTY_QUEUE_MAX (256u * 1024) /* bytes; the kernel holds some 20 KiB */

/* What one read(2) of the slave would have returned. */
struct tty_line {
	size_t off, len; /* in data */
	bool partial;    /* an unfinished line, still to be edited */
};

/* Input that waits for the slave's reader, in the order of reading. */
struct tty_input {
	struct buf data;
	struct tty_line *lines; /* owned */
	size_t n, cap;
	bool raw; /* taken without canonical mode: one run */
};

#define TTY_INPUT_NONE ((struct tty_input){ .data = BUF_INIT(TTY_QUEUE_MAX) })

void tty_input_done(struct tty_input *in);

/* Append a line. 0 or negative errno. */
int tty_input_add(struct tty_input *in, const void *data, size_t len,
    bool partial);

/*
 * Take all unread input of the terminal, of which MASTER and SLAVE (opened
 * for reading) are descriptors, into *IN (TTY_INPUT_NONE). Where none is
 * waiting, nothing is touched, but for an unfinished line: that there is
 * none is only seen in raw mode, in which the terminal is for a moment.
 * Whatever was taken before a failure is in *IN. Settings are as before.
 */
int tty_drain_input(int master, int slave, struct tty_input *in, struct err *e);

/*
 * Put it (back) in front of the slave's reader; read boundaries are kept. No
 * output must be waiting for the master's reader.
 */
int tty_put_input(int master, int slave, const struct tty_input *in,
    struct err *e);

/* The same for what waits for the master's reader. */
int tty_drain_output(int master, int slave, struct buf *out, struct err *e);
int tty_put_output(int master, int slave, const struct buf *out, struct err *e);

#endif
