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
#define DEPTH_MAX 8

int
own_new_id(char ret_id[OWN_ID_LEN + 1])
{
	uint64_t id;

	if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
		return -EIO;
	(void)snprintf(ret_id, OWN_ID_LEN + 1, "%016" PRIx64, id);
	return 0;
}

/* What the server of NAME says of itself. */
static int
ask(const struct places *p, const char *name, struct packet *ret_k)
{
	Sess__Message m = proto_message(SESS__KIND__STATUS);
	autoclose int sock = -1;
	int r = session_connect(p, name, &sock, NULL);

	if (r == 0)
		r = proto_send(sock, &m, NULL, 0, 0);
	if (r == 0)
		r = proto_await(sock, ANSWER_MS, ret_k);
	return r < 0 ? r : r == 1 ? 0 : -EPIPE;
}

/* Has the living session NAME this number? */
static bool
has_id(const struct places *p, const char *name, const char *id)
{
	struct packet k autopacket = PACKET_NONE;

	return ask(p, name, &k) == 0 && k.msg->id != NULL &&
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

/* DEPTH: how many sessions lie between, so that no circle catches us. */
static bool
is_seen_in(const struct places *p, const char *name, const char *id, int depth)
{
	struct packet k autopacket = PACKET_NONE;
	size_t i;

	if (name == NULL || depth > DEPTH_MAX || ask(p, name, &k) < 0)
		return false;
	for (i = 0; i < k.msg->n_seen_in; i++) {
		autofree char *between = NULL;

		if (strcmp(k.msg->seen_in[i], id) == 0)
			return true;
		between = find(p, k.msg->seen_in[i]);
		if (is_seen_in(p, between, id, depth + 1))
			return true;
	}
	return false;
}

bool
own_is_seen_in(const struct places *p, const char *name, const char *id)
{
	return is_seen_in(p, name, id, 0);
}
