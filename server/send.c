/*
 * send.c - see send.h.
 */
#include "server/send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/control.h"

struct piece {
	TAILQ_ENTRY(piece) link;
	struct peer *peer; /* who waits for the answer */
	bool given;        /* to the input queue */
	size_t len;
	uint8_t data[];
};

static struct piece *
find(const struct server *s, const struct peer *p)
{
	struct piece *w;

	TAILQ_FOREACH(w, &s->pieces, link)
	if (w->peer == p)
		return w;
	return NULL;
}

static void
drop(struct server *s, struct piece *w)
{
	TAILQ_REMOVE(&s->pieces, w, link);
	free(w);
}

void
send_init(struct server *s)
{
	TAILQ_INIT(&s->pieces);
}

int
send_put(struct server *s, struct peer *p, const uint8_t *data, size_t len,
    struct err *e)
{
	struct piece *w;

	if (s->over)
		return err_set(e, -ESRCH, "session '%s' has ended", s->name);
	if (len > SEND_PIECE_MAX)
		return err_set(e, -EMSGSIZE,
		    "%zu bytes in one piece are too many: at most %d", len,
		    SEND_PIECE_MAX);
	if (find(s, p) != NULL)
		return err_set(e, -EBUSY, "a piece is on its way already");
	w = malloc(sizeof *w + len);
	if (w == NULL)
		return err_set(e, -ENOMEM, "no memory");
	w->peer = p;
	w->given = false;
	w->len = len;
	if (len > 0)
		memcpy(w->data, data, len);
	TAILQ_INSERT_TAIL(&s->pieces, w, link);
	send_next(s);
	return 0;
}

void
send_next(struct server *s)
{
	struct piece *w;

	/* An empty queue: what has been given is in the terminal. */
	while (s->input.len == 0 && (w = TAILQ_FIRST(&s->pieces)) != NULL) {
		if (!w->given) {
			w->given = true;
			(void)flow_input(s, w->data, w->len);
			continue;
		}
		control_ok(w->peer);
		drop(s, w);
	}
}

bool
send_is_from(const struct server *s, const struct peer *p)
{
	return find(s, p) != NULL;
}

void
send_forget(struct server *s, const struct peer *p)
{
	struct piece *w = find(s, p);

	if (w != NULL)
		drop(s, w);
}

void
send_stop(struct server *s)
{
	struct err e = { .text = "" };
	struct piece *w;

	(void)err_set(&e, -EPIPE,
	    "session '%s' has ended and has not taken everything", s->name);
	while ((w = TAILQ_FIRST(&s->pieces)) != NULL) {
		control_fail(w->peer, &e);
		drop(s, w);
	}
}
