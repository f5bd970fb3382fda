/*
 * path.h - sessions that go by a path, as those of dtach(1) do. The name of
 * such a session is its path with U+2215, the division slash, in place of
 * each slash, and the full-width U+FF20 in place of each @: so it can be told
 * from the name. While the session lives there is a symbolic link at the path
 * which leads to the session's socket.
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>

#include "base/err.h"

/*
 * The name for PATH, malloc'd. Its directory must be there: -ENOENT and the
 * like; -EINVAL, -ENAMETOOLONG: no name can be made of it.
 */
int path_name(const char *path, char **ret_name);

/* The path of NAME, malloc'd; NULL: it goes by none. */
char *path_of(const char *name);

/*
 * Does something else lie at the path of NAME than a link to SOCKET, or one
 * that leads nowhere, as dead sessions leave it?
 */
bool path_is_taken(const char *name, const char *socket);

/*
 * NAME's socket is SOCKET: make the link, in place of a dead one; where
 * something else lies there it is left alone. Nothing to do for other names.
 */
void path_link(const char *name, const char *socket);

/* Remove the link, if it leads to SOCKET. */
void path_unlink(const char *name, const char *socket);

#endif
