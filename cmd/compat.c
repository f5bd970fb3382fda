/*
 * compat.c - see compat.h.
 */
#include "cmd/compat.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "session/path.h"
#include "session/session.h"

int
compat_fail(struct context *c, int r, const char *what)
{
	return err_set(&c->err, r, "%s: %s", what, strerror(-r));
}

bool
compat_is_taken(struct context *c, const char *name)
{
	autofree char *socket = session_socket(&c->places, name);

	return socket != NULL && path_is_taken(name, socket);
}

int
compat_name(struct context *c, const char *word, bool paths_only,
    char **ret_name)
{
	int r;

	if (paths_only || word[0] == '/' || strncmp(word, "./", 2) == 0 ||
	    strncmp(word, "../", 3) == 0)
		r = path_name(word, ret_name);
	else
		r = (*ret_name = strdup(word)) == NULL ? -ENOMEM : 0;
	return r < 0 ? compat_fail(c, r, word) : 0;
}
