/*
 * names.c - names of UNIX sockets (unix(7)). A path is what the program gave
 * to bind(2), relative ones included; where it leads is found at the save by
 * the inode that sock_diag(7) tells, and put back at the revival: missing
 * directories in volatile places, the file with its mode and owner. In place
 * of a file that the same user's dead socket has left behind, never of
 * anything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/scope.h"
#include "ckpt/content/content.h"
#include "ckpt/sockets/socket.h"

#define UN_PATH offsetof(struct sockaddr_un, sun_path)
#define AUTOBIND_LEN 5 /* hexadecimal digits; kernel: unix_autobind() */

/* sun_path need not end in a zero. */
static void
path_of(const struct address *a, char ret_path[PATH_MAX])
{
	size_t len = a->len - UN_PATH;

	memcpy(ret_path, a->un.sun_path, len);
	ret_path[len] = '\0';
}

/* ---- save ---- */

/* Is the socket file PATH that of S? Upper file systems have own numbers. */
static bool
leads_to(const char *path, const struct sock *s, const struct diag *d,
    struct stat *ret_st)
{
	const struct diag_sock *ds = diag_find(d, s->ino);
	struct statfs fs;

	if (lstat(path, ret_st) < 0 || !S_ISSOCK(ret_st->st_mode))
		return false;
	if (ds == NULL || ds->file_ino == 0)
		return !d->told;
	return (uint32_t)ret_st->st_ino == ds->file_ino ||
	    (statfs(path, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC);
}

/* A relative name: below the working directory of one of the tree. */
static bool
find_relative(struct ckpt *c, struct sock *s, const char *name,
    struct stat *ret_st)
{
	char dir[PATH_MAX], path[2 * PATH_MAX + 32], link[64];
	ssize_t n;

	for (size_t i = 0; i < c->n_tasks; i++) {
		if (c->tasks[i].state == TASK_ZOMBIE)
			continue;
		(void)snprintf(link, sizeof link, "/proc/%d/cwd",
		    c->tasks[i].pid);
		n = readlink(link, dir, sizeof dir - 1);
		(void)snprintf(path, sizeof path, "%s/%s", link, name);
		if (n > 0 &&
		    leads_to(path, s, &c->files->sockets->diag, ret_st)) {
			dir[n] = '\0';
			s->rec.dir = strdup(dir);
			return s->rec.dir != NULL;
		}
	}
	return false;
}

void
name_find(struct ckpt *c, struct sock *s)
{
	char name[PATH_MAX];
	struct stat st;
	bool found;

	if (!address_is_path(&s->name))
		return;
	path_of(&s->name, name);
	found = name[0] == '/' ?
	    leads_to(name, s, &c->files->sockets->diag, &st) :
	    find_relative(c, s, name, &st);
	s->rec.deleted = !found;
	if (!found)
		return;
	s->rec.mode = st.st_mode & 07777;
	s->rec.uid = st.st_uid;
	s->rec.gid = st.st_gid;
}

/* ---- revival ---- */

/* Does a living socket answer to A? */
static bool
is_alive(const struct address *a, int type)
{
	autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);

	return fd < 0 || connect(fd, &a->any, a->len) == 0 ||
	    errno != ECONNREFUSED;
}

/* Make room for S at PATH, which A leads to from here. */
static int
clear_way(const struct sock *s, const struct address *a, const char *path,
    char *ret_why)
{
	struct stat st;

	if (lstat(a->un.sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		(void)snprintf(ret_why, ERR_MAX,
		    "%.500s is no longer a socket: move it away", path);
	else if (st.st_uid != geteuid() && st.st_uid != s->m->uid)
		(void)snprintf(ret_why, ERR_MAX,
		    "the socket %.500s belongs to another user now", path);
	else if (is_alive(a, (int)s->m->type))
		(void)snprintf(ret_why, ERR_MAX,
		    "the socket %.500s is in use by another program: end it",
		    path);
	else if (unlink(a->un.sun_path) == 0)
		return 0;
	else
		return -errno;
	return -EADDRINUSE;
}

/*
 * A name that had been removed is made for a moment (names_remove()). It goes
 * sooner when another needs the place.
 */
static void
make_way(struct sockets *ss, const char *path)
{
	for (size_t i = 0; i < ss->n; i++) {
		struct sock *s = &ss->v[i];

		if (s->made != NULL && s->m->deleted &&
		    strcmp(s->made, path) == 0) {
			(void)unlink(path);
			free(s->made);
			s->made = NULL;
		}
	}
}

/* Bind to the path A, from the directory that it is relative to. */
static int
bind_here(struct sockets *ss, struct sock *s, const struct address *a,
    const char *path, char *ret_why)
{
	const Img__Socket *m = s->m;
	int r;

	make_way(ss, path);
	r = clear_way(s, a, path, ret_why);
	if (r < 0 && m->deleted)
		return 1;
	if (r >= 0 && bind(s->fd, &a->any, a->len) < 0)
		r = -errno;
	if (r < 0)
		return r;
	free(s->made);
	s->made = strdup(path);
	if (!m->deleted) {
		(void)!lchown(a->un.sun_path, m->uid, m->gid); /* root can */
		(void)chmod(a->un.sun_path, m->mode & 07777);
	}
	return 0;
}

static int
bind_path(struct sockets *ss, struct sock *s, const struct address *a,
    char *ret_why)
{
	autoclose int back = open(".", O_PATH | O_CLOEXEC);
	char name[PATH_MAX], path[2 * PATH_MAX];
	int r;

	path_of(a, name);
	(void)snprintf(path, sizeof path, "%s%s%s",
	    name[0] == '/' ? "" : s->m->dir, name[0] == '/' ? "" : "/", name);
	content_make_parents(path);
	if (name[0] != '/' && chdir(s->m->dir) < 0)
		r = -errno;
	else
		r = bind_here(ss, s, a, path, ret_why);
	if (name[0] != '/' && back >= 0)
		(void)!fchdir(back);
	if (r < 0 && ret_why[0] == '\0')
		(void)snprintf(ret_why, ERR_MAX, "the socket %.500s: %s", path,
		    strerror(-r));
	return r;
}

/* A name that the kernel has chosen by itself. */
static bool
is_chosen(const struct address *a)
{
	return a->len == UN_PATH + 1 + AUTOBIND_LEN &&
	    a->un.sun_path[0] == '\0' &&
	    strspn(a->un.sun_path + 1, "0123456789abcdef") >= AUTOBIND_LEN;
}

int
name_bind(struct ckpt *c, struct sock *s, char *ret_why)
{
	char text[ADDRESS_TEXT];
	sa_family_t any = AF_UNIX;
	int r;

	ret_why[0] = '\0';
	if (address_is_path(&s->name))
		return bind_path(c->files->sockets, s, &s->name, ret_why);
	if (bind(s->fd, &s->name.any, s->name.len) == 0)
		return 0;
	r = -errno;
	if (r == -EADDRINUSE && is_chosen(&s->name) &&
	    bind(s->fd, (struct sockaddr *)&any, sizeof any) == 0)
		return 1;
	(void)snprintf(ret_why, ERR_MAX, "the UNIX socket %s %s",
	    address_text(&s->name, text),
	    r == -EADDRINUSE ? "is in use by another program: end it" :
			       strerror(-r));
	return r;
}

void
names_remove(struct sockets *ss, bool all)
{
	for (size_t i = 0; ss != NULL && i < ss->n; i++) {
		struct sock *s = &ss->v[i];

		if (s->made == NULL || (!all && !s->m->deleted))
			continue;
		(void)unlink(s->made);
		free(s->made);
		s->made = NULL;
	}
}

int
name_borrow(int fd, const struct address *a)
{
	struct stat st;

	if (address_is_path(a) && lstat(a->un.sun_path, &st) == 0)
		return -EADDRINUSE;
	if (address_is_path(a))
		content_make_parents(a->un.sun_path);
	return bind(fd, &a->any, a->len) < 0 ? -errno : 0;
}

void
name_return(const struct address *a)
{
	if (address_is_path(a))
		(void)unlink(a->un.sun_path);
}
