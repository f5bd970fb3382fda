/*
 * login.c - see login.h.
 *
 * A bus address is a list of "transport:key=value,...", separated by
 * semicolons, its values escaped like %2F (D-Bus specification, "Server
 * addresses"); the first unix:path= of it counts.
 */
#include "session/login.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/dir.h"
#include "base/io.h"
#include "base/scope.h"

#define BUS_PATH "unix:path="
#define SUN_PATH_MAX 107 /* bytes in an address of unix(7) */
#define OPEN_TRIES 20    /* against a sweep, or a server about to end */

enum { AGENT, DISPLAY, WAYLAND, XAUTHORITY, BUS, RUNTIME };

const char *const login_names[N_LOGIN] = {
	[AGENT] = "SSH_AUTH_SOCK",
	[DISPLAY] = "DISPLAY",
	[WAYLAND] = "WAYLAND_DISPLAY",
	[XAUTHORITY] = "XAUTHORITY",
	[BUS] = "DBUS_SESSION_BUS_ADDRESS",
	[RUNTIME] = "XDG_RUNTIME_DIR",
};

/* Which of them are links, and sockets, whose paths must be short. */
static const struct {
	bool linked, socket;
} kinds[N_LOGIN] = {
	[AGENT] = { true, true },
	[WAYLAND] = { true, true },
	[XAUTHORITY] = { true, false },
	[BUS] = { true, true },
};

void
login_done(struct login *l)
{
	size_t i;

	for (i = 0; i < N_LOGIN; i++) {
		free(l->values[i]);
		l->values[i] = NULL;
	}
}

/* ---- values ---- */

/* Where NAME=VALUE has its value if the name is that of variable I. */
static const char *
value_in(const char *word, size_t i)
{
	size_t len = strlen(login_names[i]);

	return strncmp(word, login_names[i], len) == 0 && word[len] == '=' ?
	    word + len + 1 :
	    NULL;
}

/* The path in a bus address, malloc'd; NULL: it has none. */
static char *
bus_path(const char *address)
{
	const char *from = strstr(address, BUS_PATH);
	char *path, *p;

	if (from == NULL || (from != address && from[-1] != ';'))
		return NULL;
	from += strlen(BUS_PATH);
	p = path = strndup(from, strcspn(from, ",;"));
	for (from = path; from != NULL && *from != 0; from++, p++) {
		unsigned byte;

		*p = *from;
		if (*from == '%' && isxdigit((unsigned char)from[1]) &&
		    sscanf(from + 1, "%2x", &byte) == 1 && byte != 0) {
			*p = (char)byte;
			from += isxdigit((unsigned char)from[2]) ? 2 : 1;
		}
	}
	if (path != NULL)
		*p = 0;
	return path;
}

/* unix:path= and PATH, escaped; malloc'd. */
static char *
bus_address(const char *path)
{
	struct buf b autobuf = BUF_INIT(4 * PATH_MAX);
	int r = buf_printf(&b, "%s", BUS_PATH);

	for (; r == 0 && *path != 0; path++)
		r = isalnum((unsigned char)*path) ||
			strchr("-_/.\\*", *path) != NULL ?
		    buf_put(&b, path, 1) :
		    buf_printf(&b, "%%%02x", (unsigned char)*path);
	return r < 0 ? NULL : strndup((char *)b.data, b.len);
}

/* The path that variable I of L leads to, malloc'd; NULL: there is none. */
static char *
path_of(const struct login *l, size_t i)
{
	const char *value = l->values[i], *runtime = l->values[RUNTIME];
	char *path = NULL;

	if (!kinds[i].linked)
		return NULL;
	if (i == XAUTHORITY && value == NULL)
		value = getenv("HOME") == NULL ? NULL : "";
	if (value == NULL)
		return NULL;
	if (i == BUS)
		path = bus_path(value);
	else if (i == XAUTHORITY && value[0] == 0)
		(void)!asprintf(&path, "%s/.Xauthority", getenv("HOME"));
	else if (i == WAYLAND && value[0] != '/' && runtime != NULL)
		(void)!asprintf(&path, "%s/%s", runtime, value);
	else
		path = strdup(value);
	if (path != NULL && (path[0] != '/' || strlen(path) >= PATH_MAX)) {
		free(path);
		path = NULL;
	}
	return path;
}

/* If VALUE is a link below DIR, of a session: where it leads; malloc'd. */
static char *
follow(const char *dir, const char *value)
{
	size_t len = strlen(dir);
	char target[PATH_MAX];
	ssize_t n;

	if (strncmp(value, dir, len) != 0 || value[len] != '/')
		return strdup(value);
	n = readlink(value, target, sizeof target);
	return strndup(target, n < 0 || n == sizeof target ? 0 : (size_t)n);
}

/* The value of variable I without a session's links; malloc'd, or NULL. */
static char *
resolve(const char *dir, size_t i, const char *value)
{
	autofree char *path = NULL, *target = NULL;

	if (i != BUS)
		return follow(dir, value);
	path = bus_path(value);
	target = path == NULL ? NULL : follow(dir, path);
	if (target == NULL || strcmp(path, target) == 0)
		return strdup(value);
	return target[0] == 0 ? strdup("") : bus_address(target);
}

int
login_get(const struct places *p, char *const *env, struct login *ret_l)
{
	autofree char *dir = io_path(p->env, ".");
	struct login l autologin = { .values = { NULL } };
	size_t i;

	if (dir == NULL)
		return -ENOMEM;
	dir[strlen(dir) - 2] = 0; /* without the dot */
	for (; env != NULL && *env != NULL; env++)
		for (i = 0; i < N_LOGIN; i++) {
			const char *value = value_in(*env, i);

			if (value == NULL || l.values[i] != NULL ||
			    strlen(value) > LOGIN_VALUE_MAX)
				continue;
			l.values[i] = resolve(dir, i, value);
			if (l.values[i] == NULL)
				return -ENOMEM;
			if (l.values[i][0] == 0) { /* empty is unset */
				free(l.values[i]);
				l.values[i] = NULL;
			}
		}
	*ret_l = l;
	l = (struct login){ .values = { NULL } };
	return 0;
}

int
login_copy(const struct login *from, struct login *ret_l)
{
	struct login l autologin = { .values = { NULL } };
	size_t i;

	for (i = 0; i < N_LOGIN; i++)
		if (from->values[i] != NULL &&
		    (l.values[i] = strdup(from->values[i])) == NULL)
			return -ENOMEM;
	*ret_l = l;
	l = (struct login){ .values = { NULL } };
	return 0;
}

char **
login_words(const struct login *l)
{
	char **words = calloc(N_LOGIN + 1, sizeof *words);
	size_t i;

	for (i = 0; words != NULL && i < N_LOGIN; i++)
		if (asprintf(&words[i], "%s%s%s", login_names[i],
			l->values[i] == NULL ? "" : "=",
			l->values[i] == NULL ? "" : l->values[i]) < 0) {
			words[i] = NULL;
			login_words_free(words);
			return NULL;
		}
	return words;
}

void
login_words_free(char **words)
{
	size_t i;

	for (i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

int
login_parse(char *const *words, size_t n, struct login *ret_l)
{
	struct login l autologin = { .values = { NULL } };
	size_t w, i;

	for (w = 0; w < n; w++)
		for (i = 0; i < N_LOGIN; i++) {
			const char *value = value_in(words[w], i);

			if (value == NULL || strlen(value) > LOGIN_VALUE_MAX)
				continue;
			free(l.values[i]);
			l.values[i] = strdup(value);
			if (l.values[i] == NULL)
				return -ENOMEM;
		}
	*ret_l = l;
	l = (struct login){ .values = { NULL } };
	return 0;
}

/* ---- links ---- */

/* Is FD, which is locked, still what ID leads to? */
static bool
is_linked(const struct places *p, const char *id, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	    fstatat(p->env, id, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int
login_open(const struct places *p, const char *id,
    struct login_links *ret_links, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	struct login_links l = LOGIN_LINKS_NONE;
	int r = 0, i;

	for (i = 0; i < OPEN_TRIES && l.dirfd < 0; i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		r = dir_open(p->env, id, true, &l.dirfd, e);
		if (r < 0 && r != -ENOENT)
			return r;
		if (l.dirfd >= 0 &&
		    (flock(l.dirfd, LOCK_EX | LOCK_NB) < 0 ||
			!is_linked(p, id, l.dirfd)))
			scope_close(&l.dirfd);
	}
	if (l.dirfd < 0)
		return err_set(e, -EBUSY,
		    "the directory of links '%s' cannot "
		    "be made",
		    id);
	l.dir = io_path(p->env, id);
	l.id = strdup(id);
	if (l.dir == NULL || l.id == NULL) {
		login_close(p, &l);
		return err_set(e, -ENOMEM, "no memory");
	}
	*ret_links = l;
	return 0;
}

void
login_point(const struct login_links *links, const struct login *l)
{
	size_t i;

	for (i = 0; links->dirfd >= 0 && i < N_LOGIN; i++) {
		autofree char *path = path_of(l, i);

		if (!kinds[i].linked)
			continue;
		(void)unlinkat(links->dirfd, ".new", 0);
		if (path == NULL)
			(void)unlinkat(links->dirfd, login_names[i], 0);
		else if (symlinkat(path, links->dirfd, ".new") == 0)
			(void)renameat(links->dirfd, ".new", links->dirfd,
			    login_names[i]);
	}
}

int
login_export(const struct login_links *links, const struct login *l)
{
	size_t i;

	for (i = 0; links->dirfd >= 0 && i < N_LOGIN; i++) {
		autofree char *path = path_of(l, i), *link = NULL, *bus = NULL;

		if (!kinds[i].linked ||
		    (i != AGENT && (l->values[i] == NULL || path == NULL)))
			continue;
		if (asprintf(&link, "%s/%s", links->dir, login_names[i]) < 0)
			return -ENOMEM;
		if (kinds[i].socket && strlen(link) > SUN_PATH_MAX)
			continue;
		if (i == BUS && (bus = bus_address(link)) == NULL)
			return -ENOMEM;
		if (setenv(login_names[i], bus != NULL ? bus : link, 1) < 0)
			return -errno;
	}
	return 0;
}

/* Remove all in DIRFD, and ID itself. */
static void
remove_links(const struct places *p, const char *id, int dirfd)
{
	size_t i;

	(void)unlinkat(dirfd, ".new", 0);
	for (i = 0; i < N_LOGIN; i++)
		(void)unlinkat(dirfd, login_names[i], 0);
	(void)unlinkat(p->env, id, AT_REMOVEDIR);
}

void
login_close(const struct places *p, struct login_links *links)
{
	if (links->dirfd >= 0 && links->id != NULL)
		remove_links(p, links->id, links->dirfd);
	scope_close(&links->dirfd);
	free(links->dir);
	free(links->id);
	*links = LOGIN_LINKS_NONE;
}

void
login_sweep(const struct places *p)
{
	autoclosedir DIR *d = NULL;
	struct dirent *de;
	int fd = openat(p->env, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	while (d != NULL && (de = readdir(d)) != NULL) {
		autoclose int left = -1;

		if (de->d_name[0] == '.')
			continue;
		left = openat(p->env, de->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (left >= 0 && flock(left, LOCK_EX | LOCK_NB) == 0)
			remove_links(p, de->d_name, left);
	}
}
