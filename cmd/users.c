/*
 * users.c - see users.h.
 */
#include "cmd/users.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/account.h"
#include "base/scope.h"
#include "server/broker.h"

const char *
users_prefix(const struct context *c, char buf[64])
{
	buf[0] = 0;
	if (c->everyone && c->user != NULL)
		(void)snprintf(buf, 64, "%.60s: ", c->user);
	return buf;
}

int
users_enter(struct context *c, bool revive)
{
	struct account a autoaccount = ACCOUNT_NONE;
	int r;

	if (geteuid() != 0)
		return err_set(&c->err, -EPERM,
		    "only root can act for user '%s'", c->user);
	r = account_find(c->user, &a, &c->err);
	if (r == 0)
		r = account_enter(&a, &c->err);
	/* For root this is all: he needs no help, and keeps his rights. */
	if (r == 0 && a.uid != 0 && revive)
		r = broker_start(&a, &c->broker, &c->err);
	if (r == 0 && a.uid != 0)
		r = account_become(&a, false, &c->err);
	if (r < 0 || !c->everyone || places_exist())
		return r;
	c->exit_status = 0;
	return 1;
}

/* All names once; malloc'd vector of malloc'd strings. */
static int
list_users(char ***ret_names, size_t *ret_n, struct err *e)
{
	char **names = NULL, **grown;
	struct passwd *pw;
	size_t n = 0;

	setpwent();
	while ((pw = getpwent()) != NULL) {
		grown = reallocarray(names, n + 1, sizeof *names);
		if (grown == NULL)
			break;
		names = grown;
		names[n] = strdup(pw->pw_name);
		if (pw->pw_dir == NULL || pw->pw_dir[0] != '/')
			scope_free(&names[n]);
		n += names[n] != NULL;
	}
	endpwent();
	if (n == 0)
		return err_set(e, -ENOENT, "there are no users");
	*ret_names = names;
	*ret_n = n;
	return 0;
}

/* False: that process had something to complain about. */
static bool
await(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

int
users_each(struct context *c, bool at_once)
{
	autofree pid_t *pids = NULL;
	char **names = NULL;
	size_t n = 0, n_failed = 0, i;
	int r;

	if (geteuid() != 0)
		return err_set(&c->err, -EPERM,
		    "only root can act for every user");
	r = list_users(&names, &n, &c->err);
	if (r < 0)
		return r;
	pids = calloc(n, sizeof *pids);
	if (pids == NULL)
		return err_set(&c->err, -ENOMEM, "no memory");
	for (i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			c->user = names[i];
			return 0;
		}
		if (pids[i] < 0)
			n_failed++;
		else if (!at_once)
			n_failed += !await(pids[i]);
	}
	for (i = 0; at_once && i < n; i++)
		if (pids[i] > 0)
			n_failed += !await(pids[i]);
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	c->exit_status = n_failed > 0;
	return 1;
}
