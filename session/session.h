/*
 * session.h - sessions by name: which names are good, who holds one, how its
 * server is reached, which ones live.
 *
 * In run/ a session has two files: KEY.lock, in which its true name stands
 * and on which its server holds a lock for as long as it lives (fcntl(2),
 * open file description locks: they go with the last descriptor and can be
 * asked about without being taken), and KEY.sock. KEY is the name, or a hash
 * of it where the name is long or begins with a dot. A socket without a
 * locked lock is stale; only who holds the lock removes it.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "session/places.h"

#define SESSION_NAME_MAX 4096 /* bytes */
#define SESSION_BACKLOG 64    /* connections that wait to be let in */

/*
 * Not empty, at most SESSION_NAME_MAX bytes of UTF-8, no slash, no control
 * characters, and no "@" and digits at the end.
 */
int session_check_name(const char *name, struct err *e);

/*
 * Split NAME[@GENERATION] in place; *RET_GENERATION is 0 when none is given.
 * NAME@0 stays whole: it is no snapshot, and no session's name.
 */
void session_split(char *name, uint64_t *ret_generation);

/* Take NAME: the lock's descriptor. -EEXIST when a living session has it. */
int session_lock(const struct places *p, const char *name, int *ret_fd,
    struct err *e);

/*
 * As holder of the lock: a listening socket for NAME, in place of a stale
 * one. -EADDRINUSE and other negative errno.
 */
int session_listen(const struct places *p, const char *name, int *ret_fd,
    struct err *e);

/* Is FD the lock of NAME, in the directory where new sessions go? */
bool session_holds(const struct places *p, const char *name, int fd);

/* Is FD the lock of NAME for whoever looks in P, in whatever directory? */
bool session_is_here(const struct places *p, const char *name, int fd);

/* As holder of the lock: remove both files. */
void session_forget(const struct places *p, const char *name);

/* The path of NAME's socket, where new ones go; malloc'd, or NULL. */
char *session_socket(const struct places *p, const char *name);

/* Does a living server hold NAME? */
bool session_lives(const struct places *p, const char *name);

/*
 * Connect to the server of NAME, whose process must be ours. -ENOENT when no
 * such session lives; E then says so.
 */
int session_connect(const struct places *p, const char *name, int *ret_fd,
    struct err *e);

/* Names of all living sessions, sorted; malloc'd vector of malloc'd names. */
int session_names(const struct places *p, char ***ret_names, size_t *ret_n,
    struct err *e);

/* Free such a vector. */
void session_names_free(char **names, size_t n);

#endif
