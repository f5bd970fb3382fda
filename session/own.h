/*
 * own.h - the session that this process runs in. SESS_SESSION says its name
 * when it was started, SESS_ID a number that stays when it is renamed, saved
 * and revived.
 */
#ifndef OWN_H
#define OWN_H

#include <stdbool.h>

#include "session/places.h"

#define OWN_ID_LEN 16 /* hexadecimal digits */

/* A number for a new session. 0 or negative errno. */
int own_new_id(char ret_id[OWN_ID_LEN + 1]);

/*
 * The present name of the session we are in, malloc'd. When none that lives
 * is it, the name that it was started with. -ENOENT: we are in none.
 */
int own_session(const struct places *p, char **ret_name);

/*
 * Is session NAME on the screen of the session with number ID, directly or
 * in one that is? To attach that one in NAME would make a circle, in which
 * output goes round for ever.
 */
bool own_is_seen_in(const struct places *p, const char *name, const char *id);

#endif
