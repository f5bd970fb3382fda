/*
 * login.h - what a login gives its programs to reach it by: the agent, the
 * display, the bus. A session outlives the login, so its programs get stable
 * paths instead: links in STATE/env/ID (ID as in own.h: the same after a
 * rename and after a revival), which each attach points to its own login.
 *
 * Links are made for what is a path: SSH_AUTH_SOCK, XAUTHORITY,
 * WAYLAND_DISPLAY and the path in DBUS_SESSION_BUS_ADDRESS. Of DISPLAY, which
 * is none, the program keeps the value it was started with; sess -env tells
 * the present ones of all five.
 *
 * Values come from whoever attaches: nothing is assumed of their text. The
 * directory is held by a lock for as long as the session's server lives, so
 * that login_sweep() knows what a killed one has left.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "session/places.h"

#define N_LOGIN 6
#define N_LOGIN_TOLD 5 /* of them sess -env speaks */
#define LOGIN_VALUE_MAX 4095

/* Names of the variables; the last one only serves to read another. */
extern const char *const login_names[N_LOGIN];

struct login {
	char *values[N_LOGIN]; /* owned; NULL: not set */
};

void login_done(struct login *l);
#define autologin scoped(login_done)

/*
 * What environment ENV has of it. Links of a session that we are inside of
 * are followed to where they lead now. 0 or -ENOMEM.
 */
int login_get(const struct places *p, char *const *env, struct login *ret_l);

/* 0 or -ENOMEM. */
int login_copy(const struct login *from, struct login *ret_l);

/*
 * As words for a message: NAME=VALUE, or NAME for what is not set; malloc'd
 * vector of malloc'd words, or NULL without memory.
 */
char **login_words(const struct login *l);
void login_words_free(char **words);

/* The other way; words that are not understood are passed over. */
int login_parse(char *const *words, size_t n, struct login *ret_l);

/* The links of a session. */
struct login_links {
	int dirfd; /* owned, locked; -1: there are none */
	char *dir; /* owned; its path */
	char *id;  /* owned */
};

#define LOGIN_LINKS_NONE ((struct login_links){ .dirfd = -1 })

/* Make the directory for session ID. -EBUSY: another server has it. */
int login_open(const struct places *p, const char *id,
    struct login_links *ret_links, struct err *e);

/* Point the links to L: each is replaced in one step, or removed. */
void login_point(const struct login_links *links, const struct login *l);

/*
 * In the environment of this process: let the variables lead to the links,
 * SSH_AUTH_SOCK always, the others where L has a path for them.
 */
int login_export(const struct login_links *links, const struct login *l);

/* Remove them. */
void login_close(const struct places *p, struct login_links *links);

/* Remove what killed servers have left. */
void login_sweep(const struct places *p);

#endif
