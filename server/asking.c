/*
 * asking.c - see asking.h. All terminals that get the output as it is hear
 * the questions. One is chosen when a question comes; answers of the others
 * are dropped, and so are answers to a program that has ended before they
 * came: else the shell behind it would take them for typed.
 */
#include "server/asking.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "server.h"
#include "server/terminal.h"
#include "session/features.h"

/* Is there a terminal behind it that hears the program and may be heard? */
static bool
can_answer(const struct terminal *t)
{
	return terminal_is_raw(t) && !t->read_only && !t->no_input &&
	    (t->features & FEATURE_ADDRESS) != 0;
}

/* The one that was active last, which leads. */
static struct terminal *
choose(const struct server *s)
{
	struct terminal *t;

	LIST_FOREACH(t, &s->terminals, link)
	if (can_answer(t))
		return t;
	return NULL;
}

static void
on_answer(void *arg, const char *data, size_t len)
{
	struct server *s = arg;

	if (s->asked == NULL)
		(void)flow_input(s, (const uint8_t *)data, len);
}

void
asking_start(struct server *s)
{
	s->n_questions = modes_questions(screen_modes(s->screen));
	screen_answer(s->screen, on_answer, s);
	screen_pixels(s->screen, s->size.xpixel, s->size.ypixel);
}

void
asking_prepare(struct server *s)
{
	bool none = choose(s) == NULL;

	if (none && s->asked != NULL) {
		screen_flush(s->screen); /* what another one was asked */
		s->asked = NULL;
	}
	screen_answers(s->screen, none);
}

void
asking_look(struct server *s)
{
	uint32_t n = modes_questions(screen_modes(s->screen));

	if (n == s->n_questions)
		return;
	s->n_questions = n;
	s->asked = choose(s);
	s->asker = tcgetpgrp(s->master);
}

void
asking_forget(struct server *s, const struct terminal *t)
{
	if (s->asked != t)
		return;
	screen_flush(s->screen);
	s->asked = NULL;
}

/* Have all those ended who asked? */
static bool
is_late(const struct server *s)
{
	return s->asker > 0 && kill(-s->asker, 0) < 0 && errno == ESRCH;
}

int
asking_filter(struct terminal *t, const uint8_t *data, size_t len,
    struct buf *out, bool *ret_typed)
{
	struct server *s = t->server;
	const struct terminal *one = s->asked != NULL ? s->asked : choose(s);
	bool late = is_late(s);
	int r;

	*ret_typed = true;
	/* What is no terminal asks for nothing to be taken from its bytes. */
	if ((t == one && !late) || (t->features & FEATURE_ADDRESS) == 0)
		return buf_put(out, data, len);
	t->answers.pasting = t->answers.pasting || t->keys.pasting;
	r = answers_drop(&t->answers, data, len, t == one, out, ret_typed);
	if (*ret_typed)
		s->asker = 0;
	return r;
}
