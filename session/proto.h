/*
 * proto.h - messages between client and server: one Sess__Message a datagram
 * on a SOCK_SEQPACKET socket, descriptors beside it (unix(7), SCM_RIGHTS).
 * What comes from the other side is input: a datagram that is no message, is
 * too long, or brings too many descriptors is refused.
 */
#ifndef PROTO_H
#define PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pass.h"
#include "sess.pb-c.h"

#define PROTO_MAX 65536 /* bytes in a message */

/* A message that has arrived, with its descriptors. */
struct packet {
	Sess__Message *msg;    /* owned; NULL: none */
	int fds[PASS_FDS_MAX]; /* owned; -1: none */
	size_t n_fds;
};

#define PACKET_NONE \
	((struct packet){ .fds = { -1, -1, -1, -1, -1, -1, -1, -1 } })

void packet_done(struct packet *p);
#define autopacket scoped(packet_done)

/* A message of KIND, ready for its fields. */
Sess__Message proto_message(Sess__Kind kind);

/*
 * Send M and N_FDS descriptors, which stay the caller's. With FLAGS
 * MSG_DONTWAIT it does not block: -EAGAIN. -EPIPE when the other side went.
 */
int proto_send(int sock, const Sess__Message *m, const int *fds, size_t n_fds,
    int flags);

/* The bytes of M as proto_send() would send them, malloc'd. */
int proto_encode(const Sess__Message *m, uint8_t **ret_data, size_t *ret_len);

/*
 * Receive one. 1: *RET_P is filled; 0: the other side has closed; -EAGAIN
 * (MSG_DONTWAIT); -EBADMSG: not a message; -EMFILE: more descriptors came
 * than are allowed, or than this process may have.
 */
int proto_recv(int sock, int flags, struct packet *ret_p);

/*
 * Wait up to TIMEOUT_MS (-1: for ever) and receive. 1, 0 and errors as
 * proto_recv(); -ETIMEDOUT.
 */
int proto_await(int sock, int timeout_ms, struct packet *ret_p);

#endif
