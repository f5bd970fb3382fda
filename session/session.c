/*
 * session.c - see session.h.
 */
#include "session/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/name.h"
#include "base/scope.h"
#include "base/utf8.h"
#include "session/path.h"

#define KEY_MAX (NAME_KEY_CAP + 8) /* with a suffix */
#define LOCK_TRIES 50 /* 10 ms each: a starting server has no socket yet */
#define CONNECT_TIMEOUT_S 5

int
session_check_name(const char *name, struct err *e)
{
	size_t len = strlen(name), i;
	const char *at = strrchr(name, '@');
	int r;

	if (len == 0)
		return err_set(e, -EINVAL,
		    "a session needs a name: it is "
		    "empty");
	if (len > SESSION_NAME_MAX)
		return err_set(e, -ENAMETOOLONG,
		    "the name is too long: %zu bytes, at most %d", len,
		    SESSION_NAME_MAX);
	for (i = 0; i < len; i += (size_t)r) {
		r = utf8_len(name + i, len - i);
		if (r < 0)
			return err_set(e, -EINVAL, "the name is not UTF-8");
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f ||
		    (r == 2 && (unsigned char)name[i] == 0xc2 &&
			(unsigned char)name[i + 1] < 0xa0))
			return err_set(e, -EINVAL,
			    "the name contains a "
			    "control character: choose another");
		if (name[i] == '/')
			return err_set(e, -EINVAL,
			    "the name '%s' contains "
			    "a slash: choose another",
			    name);
	}
	if (at != NULL && at[1] != 0 &&
	    at[1 + strspn(at + 1, "0123456789")] == 0)
		return err_set(e, -EINVAL,
		    "the name '%s' ends like a "
		    "snapshot's (@%s): choose another",
		    name, at + 1);
	return 0;
}

void
session_split(char *name, uint64_t *ret_generation)
{
	char *at = strrchr(name, '@');

	*ret_generation = 0;
	if (at == NULL || at[1] == 0 ||
	    at[1 + strspn(at + 1, "0123456789")] != 0)
		return;
	*ret_generation = strtoull(at + 1, NULL, 10);
	if (*ret_generation != 0) /* @0 is no way to say: all of them */
		*at = 0;
}

/* File name of NAME in run/, with SUFFIX. */
static void
make_key(const char *name, const char *suffix, char *ret_key)
{
	char key[NAME_KEY_CAP];

	(void)name_key(name, key);
	(void)snprintf(ret_key, KEY_MAX, "%s%s", key, suffix);
}

/* Does somebody hold the lock on FD? Descriptions of our own count not. */
static bool
is_locked(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

/* In RUN, open KEY.lock. */
static int
open_lock(int run, const char *name, int flags)
{
	char key[KEY_MAX];

	make_key(name, ".lock", key);
	return openat(run, key, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Which run/ holds a living NAME? Its descriptor, or -1. */
static int
find_run(const struct places *p, const char *name)
{
	int i;

	for (i = 0; i < N_RUN; i++) {
		autoclose int fd = -1;

		if (p->run[i] < 0)
			continue;
		fd = open_lock(p->run[i], name, 0);
		if (fd >= 0 && is_locked(fd))
			return p->run[i];
	}
	return -1;
}

bool
session_lives(const struct places *p, const char *name)
{
	return find_run(p, name) >= 0;
}

/* Is FD still what the name of the lock leads to? */
static bool
is_linked(int run, const char *name, int fd)
{
	struct stat a, b;
	char key[KEY_MAX];

	make_key(name, ".lock", key);
	return fstat(fd, &a) == 0 &&
	    fstatat(run, key, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

bool
session_holds(const struct places *p, const char *name, int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return is_linked(p->run[0], name, fd) &&
	    fcntl(fd, F_OFD_SETLK, &fl) == 0;
}

bool
session_is_here(const struct places *p, const char *name, int fd)
{
	for (int i = 0; i < N_RUN; i++)
		if (p->run[i] >= 0 && is_linked(p->run[i], name, fd))
			return true;
	return false;
}

/* One try. 0, -EAGAIN: held by somebody. */
static int
try_lock(int run, const char *name, int *ret_fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char key[KEY_MAX];
	autoclose int fd = -1;
	int r;

	fd = open_lock(run, name, O_CREAT);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &fl) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if (!is_linked(run, name, fd))
		return -EAGAIN;
	r = ftruncate(fd, 0) < 0 ? -errno :
				   io_pwrite(fd, name, strlen(name), 0);
	if (r < 0) { /* as on a full disk: an empty lock is nobody's */
		make_key(name, ".lock", key);
		(void)unlinkat(run, key, 0);
		return r;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int
session_lock(const struct places *p, const char *name, int *ret_fd,
    struct err *e)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int r, i, sock;

	for (i = 0; i < LOCK_TRIES; i++) {
		r = find_run(p, name) >= 0 ? -EAGAIN :
					     try_lock(p->run[0], name, ret_fd);
		if (r == 0)
			return 0;
		if (r != -EAGAIN)
			return err_num(e, r, "cannot lock session '%s'", name);
		/* A server that answers is one; else it is starting, ending,
		 * or somebody looks after stale ones. */
		if (session_connect(p, name, &sock, NULL) >= 0) {
			(void)close(sock);
			break;
		}
		(void)nanosleep(&pause, NULL);
	}
	return err_set(e, -EEXIST,
	    "a session '%s' runs already: "
	    "sess -a %s attaches to it",
	    name, name);
}

/* The address of KEY.sock in RUN, by way of its descriptor: any depth. */
static int
make_address(int run, const char *name, struct sockaddr_un *ret_sun)
{
	char key[KEY_MAX];

	make_key(name, ".sock", key);
	ret_sun->sun_family = AF_UNIX;
	if ((size_t)snprintf(ret_sun->sun_path, sizeof ret_sun->sun_path,
		"/proc/self/fd/%d/%s", run, key) >= sizeof ret_sun->sun_path)
		return -ENAMETOOLONG;
	return 0;
}

char *
session_socket(const struct places *p, const char *name)
{
	char key[KEY_MAX];

	make_key(name, ".sock", key);
	return io_path(p->run[0], key);
}

/* Remove KEY.sock in RUN, and where NAME is a path the link to it. */
static void
remove_socket(int run, const char *name)
{
	autofree char *socket = NULL;
	char key[KEY_MAX];

	make_key(name, ".sock", key);
	socket = io_path(run, key);
	if (socket != NULL)
		path_unlink(name, socket);
	(void)unlinkat(run, key, 0);
}

int
session_listen(const struct places *p, const char *name, int *ret_fd,
    struct err *e)
{
	struct sockaddr_un sun = { 0 };
	autofree char *socket_path = NULL;
	autoclose int fd = -1;
	char key[KEY_MAX];
	mode_t mask;
	int r;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "cannot make a socket");
	r = make_address(p->run[0], name, &sun);
	if (r < 0)
		return err_num(e, r, "session '%s'", name);
	make_key(name, ".sock", key);
	(void)unlinkat(p->run[0], key, 0);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	r = r < 0 ? -errno : 0;
	(void)umask(mask);
	if (r < 0)
		return err_num(e, r, "cannot bind the socket of '%s'", name);
	if (listen(fd, SESSION_BACKLOG) < 0)
		return err_sys(e, "cannot listen for '%s'", name);
	socket_path = session_socket(p, name);
	if (socket_path != NULL)
		path_link(name, socket_path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void
session_forget(const struct places *p, const char *name)
{
	char key[KEY_MAX];

	remove_socket(p->run[0], name);
	make_key(name, ".lock", key);
	(void)unlinkat(p->run[0], key, 0);
}

/* The other side must be us: a socket is no better than who listens on it. */
static int
check_peer(int fd, struct err *e)
{
	struct ucred uc;
	socklen_t len = sizeof uc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &len) < 0)
		return err_sys(e, "cannot tell whose server this is");
	if (uc.uid != geteuid())
		return err_set(e, -EPERM,
		    "that server belongs to uid %u and not to you",
		    (unsigned)uc.uid);
	return 0;
}

/* To whichever NAME there is that listens. */
static int
connect_any(const struct places *p, const char *name, int fd)
{
	struct sockaddr_un sun = { 0 };
	int i, r = -ENOENT, tried;

	for (i = 0; i < N_RUN; i++) {
		if (p->run[i] < 0)
			continue;
		tried = make_address(p->run[i], name, &sun);
		if (tried < 0)
			return tried;
		if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
			return 0;
		/* What is there but does not answer says more than nothing. */
		r = r == -ENOENT ? -errno : r;
	}
	return r;
}

int
session_connect(const struct places *p, const char *name, int *ret_fd,
    struct err *e)
{
	struct timeval tv = { .tv_sec = CONNECT_TIMEOUT_S };
	autoclose int fd = -1;
	int r;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "cannot make a socket");
	/* connect(2) to a full backlog waits for as long as sends may. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	r = connect_any(p, name, fd);
	if (r < 0 && !session_lives(p, name))
		return err_set(e, -ENOENT, "there is no session '%s'", name);
	if (r < 0)
		return err_num(e, r, "session '%s' cannot be reached", name);
	r = check_peer(fd, e);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The true name in a lock file; NULL when it is none. */
static char *
read_name(int fd)
{
	char name[SESSION_NAME_MAX + 1];
	ssize_t n = pread(fd, name, sizeof name, 0);

	if (n <= 0 || n > SESSION_NAME_MAX)
		return NULL;
	name[n] = 0;
	if (strlen(name) != (size_t)n || session_check_name(name, NULL) < 0)
		return NULL;
	return strdup(name);
}

/* Take away what a killed server left, unless somebody is about to use it. */
static void
sweep(int run, const char *name)
{
	autoclose int fd = -1;
	char key[KEY_MAX];

	if (try_lock(run, name, &fd) < 0)
		return;
	remove_socket(run, name);
	make_key(name, ".lock", key);
	(void)unlinkat(run, key, 0);
}

/* Append the name behind directory entry ENTRY of RUN if it lives. */
static int
add_name(int run, const char *entry, char ***names, size_t *n)
{
	size_t len = strlen(entry);
	autofree char *name = NULL;
	autoclose int fd = -1;
	char **v;

	if (len < 5 || strcmp(entry + len - 5, ".lock") != 0)
		return 0;
	fd = openat(run, entry, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || (name = read_name(fd)) == NULL)
		return 0;
	if (!is_locked(fd)) {
		sweep(run, name);
		return 0;
	}
	v = reallocarray(*names, *n + 1, sizeof *v);
	if (v == NULL)
		return -ENOMEM;
	*names = v;
	v[(*n)++] = TAKE_PTR(name);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
session_names(const struct places *p, char ***ret_names, size_t *ret_n,
    struct err *e)
{
	char **names = NULL;
	size_t n = 0;
	int i, r = 0;

	for (i = 0; i < N_RUN && r == 0; i++) {
		autoclosedir DIR *d = NULL;
		struct dirent *de;
		int fd;

		if (p->run[i] < 0)
			continue;
		fd = openat(p->run[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		d = fd < 0 ? NULL : fdopendir(fd);
		if (d == NULL) {
			r = -errno;
			break;
		}
		while (r == 0 && (de = readdir(d)) != NULL)
			r = add_name(p->run[i], de->d_name, &names, &n);
	}
	if (r < 0) {
		session_names_free(names, n);
		return err_num(e, r, "cannot list the sessions");
	}
	if (n > 0)
		qsort(names, n, sizeof *names, compare);
	*ret_names = names;
	*ret_n = n;
	return 0;
}

void
session_names_free(char **names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
}
