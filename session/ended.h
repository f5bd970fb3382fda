/*
 * ended.h - what is known of sessions that have come to an end: one small
 * file each in ended/, written when the program ends and before anybody is
 * told. It holds the exit status until a person has seen it, and it says
 * that the snapshots there were of that name do not come back by themselves.
 * A new session of the name removes it, as does time (ENDED_KEEP_DAYS; with
 * the snapshots, ENDED_SNAPSHOT_DAYS).
 */
#ifndef ENDED_H
#define ENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "session/places.h"

struct ended {
	char *name;         /* owned */
	char *command;      /* owned; may be NULL */
	int status;         /* wait(2) status */
	uint64_t created_s; /* CLOCK_REALTIME */
	uint64_t ended_s;
	uint64_t generation; /* the latest there was; a later one comes back */
	bool seen;           /* somebody has been told the status */
};

void ended_done(struct ended *d);

/*
 * Write or replace the record of D->name; it is on disk then. A command that
 * is too long for a record is left out. 0 or negative errno.
 */
int ended_put(const struct places *p, const struct ended *d, struct err *e);

/*
 * The record of NAME, to be ended_done(). -ENOENT: there is none; -EBADMSG: it
 * is damaged; other negative errno.
 */
int ended_get(const struct places *p, const char *name, struct ended *ret_d);

/*
 * Somebody has been told. KEEP: the record stays, because there are snapshots
 * or others may ask (-wait); else it goes. 0 or negative errno.
 */
int ended_see(const struct places *p, const char *name, bool keep);

void ended_remove(const struct places *p, const char *name);

/* Has D been kept long enough (ENDED_KEEP_DAYS; an hour when seen)? */
bool ended_expired(const struct ended *d);

/* The snapshots that D keeps down are as old (ENDED_SNAPSHOT_DAYS). */
bool ended_snapshots_expired(const struct ended *d);

/*
 * All of them; malloc'd, each to be ended_done(). Damaged ones are passed
 * over.
 */
int ended_list(const struct places *p, struct ended **ret_v, size_t *ret_n,
    struct err *e);

/* The exit status a shell would give for a wait(2) status. */
int ended_exit_status(int wait_status);

#endif
