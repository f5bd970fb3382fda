/*
 * fuzz_proto.c - any datagram as a message between client and server: it is
 * refused or read, and what it brings of names, paths and logins is taken
 * apart without harm. What was read reads the same when it is sent on.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"
#include "session/login.h"
#include "session/path.h"
#include "session/proto.h"
#include "session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
use_login(const Sess__Message *m)
{
	struct login l autologin = { .values = { NULL } };
	struct login again autologin = { .values = { NULL } };
	char **words;
	size_t i, n;

	if (login_parse(m->login, m->n_login, &l) < 0 ||
	    (words = login_words(&l)) == NULL)
		return;
	for (n = 0; words[n] != NULL; n++)
		;
	if (n != N_LOGIN || login_parse(words, n, &again) < 0)
		abort();
	for (i = 0; i < N_LOGIN; i++)
		if ((l.values[i] == NULL) != (again.values[i] == NULL) ||
		    (l.values[i] != NULL &&
			strcmp(l.values[i], again.values[i]) != 0))
			abort();
	login_words_free(words);
}

static void
use_name(const char *name)
{
	autofree char *path = NULL;

	if (name == NULL || session_check_name(name, NULL) < 0)
		return;
	path = path_of(name);
	if (path != NULL && path[0] != '/')
		abort();
}

static void
send_on(const Sess__Message *m)
{
	struct packet k autopacket = PACKET_NONE;
	int pair[2];

	/* Nobody sends on what it does not know, and protobuf-c 1.4 writes some
	 * of it so that it cannot be read again. */
	if (m->base.n_unknown_fields > 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	if (proto_send(pair[0], m, NULL, 0, MSG_DONTWAIT) == 0 &&
	    (proto_recv(pair[1], MSG_DONTWAIT, &k) != 1 ||
		k.msg->kind != m->kind || k.msg->n_login != m->n_login ||
		k.msg->data.len != m->data.len))
		abort();
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct packet k autopacket = PACKET_NONE;
	int pair[2];

	if (len == 0 || len > PROTO_MAX ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	if (send(pair[0], data, len, MSG_DONTWAIT) == (ssize_t)len &&
	    proto_recv(pair[1], MSG_DONTWAIT, &k) == 1) {
		use_login(k.msg);
		use_name(k.msg->name);
		send_on(k.msg);
	}
	(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}
