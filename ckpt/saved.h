/*
 * saved.h - inside of ckpt/: a snapshot that is opened to be revived, started
 * again or looked into.
 */
#ifndef CKPT_SAVED_H
#define CKPT_SAVED_H

#include "ckpt/model.h"

/*
 * Open generation *GENERATION (0: the latest, told) of session NAME in
 * c->saved_dirfd. c->img is the caller's to close. -ENOENT: there is none.
 */
int saved_open(struct ckpt *c, const char *name, uint64_t *generation);

/*
 * What the server is told of the session in c->img. *RET_S, empty before, is
 * the caller's, after a failure as well: ckpt_session_done(). -EBADMSG: the
 * image has none.
 */
int saved_session(struct ckpt *c, struct ckpt_session *ret_s);

#endif
