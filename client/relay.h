/*
 * relay.h - copying between a terminal that cannot be lent (another user's,
 * an exclusive one, a pipe) and the socket that is lent instead. Standard
 * input and output may be shared with others: they are not made
 * non-blocking, and written only as far as poll(2) says.
 */
#ifndef RELAY_H
#define RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BUF 16384
#define RELAY_FDS 3

struct relay {
	int in, out; /* -1: at its end */
	int sock;    /* owned; -1: the server has closed it */
	bool out_tty;
	uint8_t up[RELAY_BUF], down[RELAY_BUF]; /* in to sock, sock to out */
	size_t n_up, n_down;
};

/* A relay for IN and OUT, and the other end of its socket. */
int relay_open(int in, int out, struct relay **ret_r, int *ret_lend);
void relay_close(struct relay **r);

/* What to wait for: RELAY_FDS entries. */
void relay_poll(const struct relay *r, struct pollfd *fds);

/* Copy what the entries say can be copied. */
void relay_copy(struct relay *r, const struct pollfd *fds);

/* The session is done: bring out what is left, at most for TIMEOUT_MS. */
void relay_drain(struct relay *r, int timeout_ms);

#endif
