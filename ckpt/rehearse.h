/*
 * rehearse.h - a revival without a session: would this machine let us?
 */
#ifndef CKPT_REHEARSE_H
#define CKPT_REHEARSE_H

#include "base/err.h"

/* The note that goes with such a sentence. */
#define REHEARSED "this machine could not revive it now: %s"

/*
 * In processes of its own: make the namespaces, mount what is mounted in
 * them, make a process with a chosen number; a few milliseconds. 0, or
 * negative errno and the sentence that a revival would end with.
 */
int rehearse(struct err *e);

#endif
