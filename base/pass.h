/*
 * pass.h - messages of a length that both sides know, with open descriptors
 * beside them, between two processes of ours on a socket that keeps messages
 * apart (SOCK_SEQPACKET). Sources: unix(7), SCM_RIGHTS; cmsg(3).
 */
#ifndef BASE_PASS_H
#define BASE_PASS_H

#include <stddef.h>

#define PASS_FDS_MAX 8 /* descriptors beside one message */

/*
 * Send LEN bytes and the N_FDS descriptors of FDS, which stay the caller's,
 * as one message; FLAGS as of send(2). 0 or negative errno: -EPIPE, without a
 * signal, when the other side has gone; -EAGAIN with MSG_DONTWAIT.
 */
int pass_send(int sock, const void *data, size_t len, const int *fds,
    size_t n_fds, int flags);

/*
 * Receive a message of LEN bytes, which may have N_FDS descriptors beside it
 * or none. How many it had: they are the caller's then, and CLOEXEC. Negative
 * errno; -EBADMSG: another length (the other side has gone) or another number
 * of descriptors, -EMFILE: more than this process may have. Those that came
 * are closed again then.
 */
int pass_recv(int sock, void *ret_data, size_t len, int *ret_fds, size_t n_fds);

#endif
