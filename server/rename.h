/*
 * rename.h - a session gets another name: a living one by its server, a
 * saved or ended one by the command. Snapshots and the record of an end
 * follow. The name that is free again can be taken at once.
 */
#ifndef RENAME_H
#define RENAME_H

#include "base/err.h"
#include "server.h"

/*
 * In the server: from now on the session's name is TO, whose lock is LOCK
 * (session_lock()); it is taken over on success. On failure nothing has
 * changed: -EBUSY during a save or an end, -EEXIST where TO has snapshots.
 */
int rename_live(struct server *s, const char *to, int *lock, struct err *e);

/* In a command: the same for one that does not live. -ENOENT: unknown. */
int rename_kept(const struct places *p, const char *from, const char *to,
    struct err *e);

#endif
