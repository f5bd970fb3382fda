/*
 * all.h - -save and -revive of every session.
 */
#ifndef ALL_H
#define ALL_H

#include "cmd/commands.h"

/*
 * Save every living session, all at the same time, and with c->stop end each
 * one that was saved; c->limit_s bounds the whole. The session that this is
 * typed in comes last, and only if all others were saved.
 */
int all_save(struct context *c);

/*
 * Revive every session that comes back by itself: saved, not living, and not
 * ended since.
 */
int all_revive(struct context *c);

#endif
