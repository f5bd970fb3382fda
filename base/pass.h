/*
 * pass.h - messages with open descriptors beside them, between two processes
 * of ours on a socket that keeps messages apart (SOCK_SEQPACKET). Sources: unix(7), SCM_RIGHTS; cmsg(3).
 */
#ifndef BASE_PASS_H
#define BASE_PASS_H

#include <stddef.h>
#include <sys/types.h>

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

/*
 * Receive whatever comes, at most CAP bytes, with *FLAGS of recv(2): its
 * length, 0 when the other side has gone, or negative errno. *RET_N_FDS
 * descriptors came with it and are the caller's, CLOEXEC. *FLAGS then says
 * what was cut: MSG_TRUNC, or MSG_CTRUNC (more than this process may have).
 */
ssize_t pass_take(int sock, void *ret_data, size_t cap,
    int ret_fds[PASS_FDS_MAX], size_t *ret_n_fds, int *flags);

#endif
