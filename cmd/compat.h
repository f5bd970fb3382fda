/*
 * compat.h - the command lines of other programs, when sess is called by
 * their names: they and their users' scripts go on as before, on sessions
 * that can be saved, too.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "cmd/commands.h"

/* The exit status, or a negative errno and the sentence in C->err. */
int dtach_main(struct context *c, int argc, char **argv);
int abduco_main(struct context *c, int argc, char **argv);

/*
 * The session's name for a word that is a path or, unless PATHS_ONLY, a name
 * as it is; malloc'd.
 */
int compat_name(struct context *c, const char *word, bool paths_only,
    char **ret_name);

/* Does something that is no session's lie at the path of NAME? */
bool compat_is_taken(struct context *c, const char *name);

/* As many words say it: WHAT: strerror. Returns R. */
int compat_fail(struct context *c, int r, const char *what);

#endif
