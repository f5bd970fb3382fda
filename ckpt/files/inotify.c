/*
 * inotify.c - inotify(7) instances: `tail -f` has one.
 *
 * /proc/PID/fdinfo/N tells of each watch the inode, not the path
 * (proc_pid_fdinfo(5)). The path is looked for among what the task has open,
 * the directories that lead there, its working directory and its arguments;
 * with the privilege for it, the kernel's file handle finds any; else the
 * working directory is searched, and the memory of the program for its name.
 * That takes time: what the check has found,
 * before anything stops, is remembered for the save. Events that wait to be
 * read are lost with the old instance, and said.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/files/inotify.h"
#include "ckpt/files/inotify_memory.h"

#define WD_MAX (1 << 20)    /* numbers beyond would take long to reach */
#define ARGS_MAX (1u << 16) /* bytes of a command line that are looked at */
#define WATCH_BITS (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)
#define SEARCH_DEPTH 8   /* levels of directories */
#define SEARCH_MAX 20000 /* names in all */
#define HANDLE_MAX 128   /* MAX_HANDLE_SZ */

static bool
inotify_match(const struct file *f)
{
	return strcmp(f->link, "anon_inode:inotify") == 0;
}

/* A watch, as fdinfo tells it. */
struct seen {
	int wd;
	uint32_t mask;
	dev_t dev;
	ino_t ino;
	struct file_handle *handle; /* in space */
	union {
		struct file_handle align;
		uint8_t space[sizeof(struct file_handle) + HANDLE_MAX];
	} u;
};

/* "f_handle:" in hexadecimal digits. */
static void
parse_handle(struct seen *s, unsigned bytes, int type, const char *hex)
{
	s->handle = NULL;
	if (bytes > HANDLE_MAX || strlen(hex) < 2 * (size_t)bytes)
		return;
	s->handle = &s->u.align;
	s->handle->handle_bytes = bytes;
	s->handle->handle_type = type;
	for (unsigned i = 0; i < bytes; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
			s->handle = NULL;
			return;
		}
		s->u.space[sizeof(struct file_handle) + i] = (uint8_t)byte;
	}
}

static bool
parse(const char *line, struct seen *s)
{
	unsigned long ino, dev;
	unsigned bytes = 0;
	int type = 0;
	char hex[2 * HANDLE_MAX + 1] = "";

	if (sscanf(line,
		"inotify wd:%x ino:%lx sdev:%lx mask:%x "
		"ignored_mask:%*x fhandle-bytes:%x fhandle-type:%x f_handle:%256s",
		(unsigned *)&s->wd, &ino, &dev, &s->mask, &bytes,
		(unsigned *)&type, hex) < 4)
		return false;
	/* The kernel's own dev_t: linux/kdev_t.h */
	s->dev = makedev(dev >> 20, dev & 0xfffff);
	s->ino = ino;
	parse_handle(s, bytes, type, hex);
	return true;
}

static const char *
next_line(const char *s)
{
	s = strstr(s, "\ninotify ");
	return s == NULL ? NULL : s + 1;
}

/* ---- which path ---- */

static bool
is_it(const struct seen *s, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == s->ino &&
	    st.st_dev == s->dev;
}

/* PATH or a directory on the way to it. */
static bool
try_upwards(const struct seen *s, char *path)
{
	while (path[0] == '/') {
		char *slash;

		if (is_it(s, path))
			return true;
		if (path[1] == '\0')
			break;
		slash = strrchr(path, '/');
		slash[slash == path ? 1 : 0] = '\0';
	}
	return false;
}

static bool
try_descriptors(const struct seen *s, pid_t pid, char *ret_path)
{
	autoclosedir DIR *d = NULL;
	const struct dirent *ent;
	char name[64];

	(void)snprintf(name, sizeof name, "/proc/%d/fd", pid);
	d = opendir(name);
	while (d != NULL && (ent = readdir(d)) != NULL) {
		ssize_t n;

		if (!isdigit((unsigned char)ent->d_name[0]))
			continue;
		n = readlinkat(dirfd(d), ent->d_name, ret_path, PATH_MAX - 1);
		if (n <= 0)
			continue;
		ret_path[n] = '\0';
		if (try_upwards(s, ret_path))
			return true;
	}
	return false;
}

static bool
try_arguments(const struct seen *s, pid_t pid, char *ret_path)
{
	autobuf struct buf b = BUF_INIT(ARGS_MAX);
	autofree char *cwd = NULL;

	if (procfs_link(pid, "cwd", &cwd) < 0)
		return false;
	(void)snprintf(ret_path, PATH_MAX, "%s", cwd);
	if (try_upwards(s, ret_path))
		return true;
	if (procfs_read(pid, "cmdline", &b) < 0)
		return false;
	for (const char *a = (const char *)b.data, *end = a + b.len; a < end;
	     a += strlen(a) + 1) {
		int n = a[0] == '/' ?
		    snprintf(ret_path, PATH_MAX, "%s", a) :
		    snprintf(ret_path, PATH_MAX, "%s/%s", cwd, a);

		if (n < PATH_MAX && try_upwards(s, ret_path))
			return true;
	}
	return false;
}

/* open_by_handle_at(2), which needs CAP_DAC_READ_SEARCH. */
static bool
try_handle(const struct seen *s, char *ret_path)
{
	autofclose FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[2 * PATH_MAX], where[PATH_MAX], self[64];
	unsigned maj, min;

	while (mounts != NULL && s->handle != NULL &&
	    fgets(line, sizeof line, mounts) != NULL) {
		autoclose int at = -1, fd = -1;
		ssize_t n;

		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &maj, &min,
			where) != 3 ||
		    makedev(maj, min) != s->dev)
			continue;
		at = open(where, O_RDONLY | O_CLOEXEC);
		fd = at < 0 ?
		    -1 :
		    open_by_handle_at(at, s->handle, O_PATH | O_CLOEXEC);
		if (fd < 0)
			continue;
		(void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
		n = readlink(self, ret_path, PATH_MAX - 1);
		if (n <= 0)
			continue;
		ret_path[n] = '\0';
		if (is_it(s, ret_path))
			return true;
	}
	return false;
}

/* Search below directory PATH, which has room for PATH_MAX. */
static bool
search(const struct seen *s, char *path, int depth, int *left)
{
	autoclosedir DIR *d = opendir(path);
	size_t len = strlen(path);
	const struct dirent *ent;

	while (d != NULL && (ent = readdir(d)) != NULL && --*left > 0) {
		bool down = ent->d_type == DT_DIR && depth > 0 &&
		    strcmp(ent->d_name, ".") != 0 &&
		    strcmp(ent->d_name, "..") != 0;

		if ((ent->d_ino != s->ino && !down) ||
		    len + strlen(ent->d_name) + 2 > PATH_MAX)
			continue;
		(void)sprintf(path + len, "/%s", ent->d_name);
		if (is_it(s, path) ||
		    (down && search(s, path, depth - 1, left)))
			return true;
		path[len] = '\0';
	}
	return false;
}

static bool
try_search(const struct seen *s, pid_t pid, char *ret_path)
{
	autofree char *cwd = NULL;
	int left = SEARCH_MAX;

	if (procfs_link(pid, "cwd", &cwd) < 0 || strlen(cwd) >= PATH_MAX)
		return false;
	(void)strcpy(ret_path, cwd);
	return search(s, ret_path, SEARCH_DEPTH, &left);
}

/* A watched inode and its path, as the check has found them. */
struct watched {
	struct watched *next;
	dev_t dev;
	ino_t ino;
	char path[];
};

static void
remember(struct files *fs, const struct seen *s, const char *path)
{
	struct watched *w = malloc(sizeof *w + strlen(path) + 1);

	if (w == NULL)
		return;
	*w = (struct watched){ .next = fs->watched,
		.dev = s->dev,
		.ino = s->ino };
	(void)strcpy(w->path, path);
	fs->watched = w;
}

static bool
find_path(struct ckpt *c, const struct seen *s, pid_t pid, char *ret_path)
{
	struct files *fs = files_get(c);

	if (fs == NULL)
		return false;
	for (const struct watched *w = fs->watched; w != NULL; w = w->next)
		if (w->dev == s->dev && w->ino == s->ino && is_it(s, w->path)) {
			(void)strcpy(ret_path, w->path);
			return true;
		}
	if (!try_descriptors(s, pid, ret_path) &&
	    !try_arguments(s, pid, ret_path) && !try_handle(s, ret_path) &&
	    !try_search(s, pid, ret_path) &&
	    !inotify_in_memory(pid, s->dev, s->ino, ret_path))
		return false;
	remember(fs, s, ret_path);
	return true;
}

void
inotify_forget(struct files *fs)
{
	while (fs->watched != NULL) {
		struct watched *w = fs->watched;

		fs->watched = w->next;
		free(w);
	}
}

/* ---- check and save ---- */

static int
not_found(struct ckpt *c, const struct file *f)
{
	return obstacle(c, f->task,
	    "descriptor %d is an inotify watch on a "
	    "file that has no name here or cannot be found: end the program",
	    f->fd);
}

static int
inotify_check(struct ckpt *c, struct file *f)
{
	char path[PATH_MAX];
	struct seen s;

	for (const char *l = f->info; (l = next_line(l)) != NULL;)
		if (parse(l, &s) && !find_path(c, &s, f->task->pid, path))
			return not_found(c, f);
	return 0;
}

static int
save_watch(struct ckpt *c, struct file *f, const struct seen *s, Img__Watch *m)
{
	char path[PATH_MAX];

	img__watch__init(m);
	if (s->wd > WD_MAX || !find_path(c, s, f->task->pid, path))
		return not_found(c, f);
	m->wd = s->wd;
	m->mask = s->mask & WATCH_BITS;
	m->path = strdup(path);
	if (m->path == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->rec.watches[f->rec.n_watches++] = m;
	return 0;
}

static int
inotify_save(struct ckpt *c, struct file *f)
{
	autoclose int fd = -1;
	Img__Watch *v;
	struct seen s;
	size_t n = 0, i = 0;
	int len = 0, r = 0;

	for (const char *l = f->info; (l = next_line(l)) != NULL;)
		n++;
	/* The pointers and, behind them, what they lead to. */
	f->rec.watches = calloc(n + 1, sizeof(*f->rec.watches) + sizeof *v);
	if (f->rec.watches == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	v = (Img__Watch *)(f->rec.watches + n + 1);
	for (const char *l = f->info; r >= 0 && (l = next_line(l)) != NULL;)
		if (parse(l, &s))
			r = save_watch(c, f, &s, &v[i++]);
	fd = file_pull(c, f);
	if (fd < 0)
		return fd;
	if (ioctl(fd, FIONREAD, &len) == 0 && len > 0)
		note(c, f->task,
		    "descriptor %d has inotify events waiting, "
		    "which a revival does not bring back",
		    f->fd);
	return r;
}

void
inotify_free(struct file *f)
{
	for (size_t i = 0; i < f->rec.n_watches; i++)
		free(f->rec.watches[i]->path);
	free(f->rec.watches);
	f->rec.watches = NULL;
	f->rec.n_watches = 0;
}

/* ---- revival ---- */

static int
inotify_plan(struct ckpt *c, struct file *f)
{
	for (size_t i = 0; i < f->m->n_watches; i++) {
		const Img__Watch *m = f->m->watches[i];

		if (m->wd <= 0 || m->wd > WD_MAX)
			return err_set(c->err, -EBADMSG,
			    "the image's inotify watches make no sense");
	}
	return 0;
}

static int
inotify_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	(void)f;
	*ret_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return *ret_fd < 0 ? err_sys(c->err, "making an inotify instance") : 0;
}

static int
by_wd(const void *a, const void *b)
{
	const Img__Watch *x = *(Img__Watch *const *)a;
	const Img__Watch *y = *(Img__Watch *const *)b;

	return x->wd < y->wd ? -1 : x->wd > y->wd;
}

/*
 * Numbers are given in ascending order and not again (kernel:
 * inotify_add_to_idr()): those between are used up.
 */
static void
add_watch(struct ckpt *c, int fd, const Img__Watch *m)
{
	int wd;

	for (;;) {
		wd = inotify_add_watch(fd, m->path, m->mask & WATCH_BITS);
		if (wd < 0 || wd >= m->wd)
			break;
		(void)inotify_rm_watch(fd, wd);
	}
	if (wd != m->wd) {
		note(c, NULL, "%s is no longer watched (inotify): %s", m->path,
		    wd < 0 ? strerror(errno) : "its number is taken");
		if (wd >= 0)
			(void)inotify_rm_watch(fd, wd);
	}
}

/* All events so far are our own doing. */
static void
drain(int fd)
{
	char events[8192];
	int flags = fcntl(fd, F_GETFL);

	(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (read(fd, events, sizeof events) > 0)
		;
	(void)fcntl(fd, F_SETFL, flags);
}

void
inotify_finish(struct ckpt *c)
{
	for (size_t i = 0; i < c->files->n; i++) {
		struct file *f = c->files->v[i];

		if (f->kind != &kind_inotify)
			continue;
		if (f->m->n_watches > 0)
			qsort(f->m->watches, f->m->n_watches,
			    sizeof f->m->watches[0], by_wd);
		for (size_t k = 0; k < f->m->n_watches; k++)
			add_watch(c, f->fd, f->m->watches[k]);
		drain(f->fd);
	}
}

const struct file_kind kind_inotify = {
	.name = "inotify",
	.match = inotify_match,
	.check = inotify_check,
	.save = inotify_save,
	.plan = inotify_plan,
	.open = inotify_open,
};
