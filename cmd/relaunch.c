/*
 * relaunch.c - see relaunch.h.
 */
#include "cmd/relaunch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "server/launch.h"

/* ENV becomes ours, but for what says where sess keeps its things. */
static int
take_environment(char **env)
{
	static const char *const places[] = { "SESS_DIR", "XDG_STATE_HOME",
		"HOME" };
	const char *is[N_ELEMENTS(places)];
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(places); i++)
		is[i] = getenv(places[i]);
	environ = env;
	for (size_t i = 0; i < N_ELEMENTS(places) && r == 0; i++)
		r = is[i] == NULL ? unsetenv(places[i]) :
				    setenv(places[i], is[i], 1);
	return r < 0 ? -ENOMEM : 0;
}

int
relaunch_command(struct context *c, const char *name, uint64_t generation)
{
	scoped(ckpt_command_done) struct ckpt_command k = { .cwd = NULL };
	struct err why = c->err, ignored;
	struct launch l = { .name = name, .relaunch = true };
	char **ours = environ;
	int r;

	r = ckpt_relaunch(c->places.saved, name, generation, &k, &ignored);
	if (r < 0)
		return r; /* the reason stays the first one */
	if (chdir(k.cwd) < 0)
		return err_sys(&c->err,
		    "%s; started again it cannot be either: %s", why.text,
		    k.cwd);
	(void)umask(k.umask);
	if (k.env != NULL)
		r = take_environment(k.env);
	if (r < 0)
		return err_set(&c->err, r, "no memory");
	l.argv = k.session.argv;
	l.generation = k.generation;
	l.size = (struct pty_size){ .rows = (unsigned short)k.session.rows,
		.cols = (unsigned short)k.session.cols };
	r = commands_start(c, &l, NULL);
	environ = ours;
	if (r < 0)
		return r;
	if (!c->quiet)
		say_line(stderr, "sess: %s", why.text);
	if (!c->quiet)
		say_line(stdout,
		    "%s@%llu could not be revived: its command was started "
		    "again, attach with sess -a %s",
		    name, (unsigned long long)k.generation, name);
	return 0;
}
