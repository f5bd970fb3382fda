/*
 * own.c - see own.h.
 */
#include "session/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/scope.h"
#include "session/proto.h"
#include "session/session.h"

#define ANSWER_MS 2000

int
own_new_id(char ret_id[OWN_ID_LEN + 1])
{
	uint64_t id;

	if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
		return -EIO;
	(void)snprintf(ret_id, OWN_ID_LEN + 1, "%016" PRIx64, id);
	return 0;
}

/* Has the living session NAME this number? */
static bool
has_id(const struct places *p, const char *name, const char *id)
{
	Sess__Message m = proto_message(SESS__KIND__STATUS);
	struct packet k autopacket = PACKET_NONE;
	autoclose int sock = -1;

	return session_connect(p, name, &sock, NULL) == 0 &&
	    proto_send(sock, &m, NULL, 0, 0) == 0 &&
	    proto_await(sock, ANSWER_MS, &k) == 1 && k.msg->id != NULL &&
	    strcmp(k.msg->id, id) == 0;
}

/* The name of the living session with this number, or NULL. */
static char *
find(const struct places *p, const char *id)
{
	char **names = NULL, *found = NULL;
	size_t n = 0, i;

	if (session_names(p, &names, &n, NULL) < 0)
		return NULL;
	for (i = 0; i < n && found == NULL; i++)
		if (has_id(p, names[i], id))
			found = strdup(names[i]);
	session_names_free(names, n);
	return found;
}

int
own_session(const struct places *p, char **ret_name)
{
	const char *name = getenv("SESS_SESSION"), *id = getenv("SESS_ID");
	char *found = NULL;

	if (name == NULL || session_check_name(name, NULL) < 0)
		return -ENOENT;
	if (id != NULL && !has_id(p, name, id))
		found = find(p, id);
	if (found == NULL)
		found = strdup(name);
	if (found == NULL)
		return -ENOMEM;
	*ret_name = found;
	return 0;
}
