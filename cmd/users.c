/*
 * users.c - see users.h.
 */
#include "cmd/users.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/account.h"
#include "base/scope.h"
#include "server/broker.h"

#define GRACE_S 5

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

/* Milliseconds until LIMIT_S after BEGAN; -1: for ever. */
static int
left_ms(const struct timespec *began, unsigned limit_s)
{
	struct timespec now;
	int64_t ms;

	if (limit_s == 0)
		return -1;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (began->tv_sec + limit_s - now.tv_sec) * INT64_C(1000) +
	    (began->tv_nsec - now.tv_nsec) / 1000000;
	return ms < 0 ? 0 : (int)ms;
}

/*
 * Until PID has ended or the time is over: what one user keeps in the way is
 * no reason to leave the others waiting. False: not all went well.
 */
static bool
await(pid_t pid, int timeout_ms)
{
	autoclose int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status = 0, r;

	do
		r = poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* In the waiting process. */
static int
await_all(struct context *c, const pid_t *pids, char *const *names, size_t n)
{
	struct timespec began;
	size_t n_failed = 0, i;

	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	/* The users themselves see to the limit, too, and say who is late. */
	if (c->limit_s > 0)
		began.tv_sec += GRACE_S;
	for (i = 0; i < n; i++)
		if (pids[i] < 0 || !await(pids[i], left_ms(&began, c->limit_s)))
			n_failed++;
	for (i = 0; i < n; i++)
		free(names[i]);
	c->exit_status = n_failed > 0;
	return 1;
}

int
users_each(struct context *c)
{
	autofree pid_t *pids = NULL;
	char **names = NULL;
	size_t n = 0, i;
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
	}
	r = await_all(c, pids, names, n);
	free(names);
	return r;
}
