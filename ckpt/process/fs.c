/*
 * fs.c - where a process stands: working directory, root, umask; and that it
 * stands in the same namespaces as the rest of the session.
 *
 * A removed working directory comes back as a removed directory: one is
 * made, entered and removed again. The same is done, and said, when the
 * directory is not to be found at revival: that is what its removal would
 * have looked like.
 *
 * Paths are those that the tree sees: they are compared below the root of
 * the tree's parent, which shares its mounts.
 *
 * Sources: proc_pid_cwd(5), namespaces(7), kcmp(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/resource.h"

#define DELETED " (deleted)"
#define STAND_IN "/tmp/sess-XXXXXX"

/* What a process may have of its own, and in words. */
static const struct {
	const char *name;
	const char *of; /* compared with this one of the tree's parent */
	const char *words;
} namespaces[] = {
	{ "mnt", "mnt", "has mounts of its own (a mount namespace)" },
	{ "pid", "pid", "lives in a pid namespace of its own" },
	{ "pid_for_children", "pid",
	    "puts its children into a pid namespace of their own" },
	{ "net", "net", "lives in a network namespace of its own" },
	{ "user", "user", "lives in a user namespace of its own" },
	{ "ipc", "ipc", "lives in an IPC namespace of its own" },
	{ "uts", "uts", "has a host name of its own (a UTS namespace)" },
	{ "cgroup", "cgroup", "lives in a cgroup namespace of its own" },
	{ "time", "time", "lives in a time namespace of its own" },
	{ "time_for_children", "time",
	    "puts its children into a time namespace of their own" },
};

/* Who shares mounts and namespaces with the tree. */
static pid_t
anchor(const struct ckpt *c)
{
	return c->parent != 0 ? c->parent : getpid();
}

/* ---- check ---- */

static int
check_namespaces(struct ckpt *c, struct task *t)
{
	uint64_t its, ours;

	for (size_t i = 0; i < N_ELEMENTS(namespaces); i++) {
		if (procfs_namespace(t->pid, namespaces[i].name, &its) < 0 ||
		    procfs_namespace(anchor(c), namespaces[i].of, &ours) < 0 ||
		    its == ours)
			continue;
		return obstacle(c, t, "it %s: end it before saving",
		    namespaces[i].words);
	}
	return 0;
}

/* Do A and B have the same working directory, root and umask for ever? */
static bool
shares_fs(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_FS, 0, 0) == 0;
}

static int
check_sharing(struct ckpt *c, struct task *t)
{
	autofree pid_t *tids = NULL;
	size_t n;

	if (t->parent != NULL && shares_fs(t->pid, t->parent->pid))
		return obstacle(c, t,
		    "it shares its working directory with "
		    "its parent (CLONE_FS): end it before saving");
	if (procfs_tids(t->pid, &tids, &n) < 0)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (syscall(SYS_kcmp, t->pid, tids[i], KCMP_FS, 0, 0) > 0)
			return obstacle(c, t,
			    "its threads have working "
			    "directories of their own: end it before saving");
	return 0;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is the root of T that of the tree? Unknown counts as yes. */
static bool
same_root(const struct ckpt *c, const struct task *t)
{
	char path[64];
	struct stat its, ours;

	(void)snprintf(path, sizeof path, "/proc/%d/root", t->pid);
	if (stat(path, &its) < 0)
		return true;
	(void)snprintf(path, sizeof path, "/proc/%d/root", anchor(c));
	return stat(path, &ours) < 0 || same_file(&its, &ours);
}

/*
 * Whether path CWD, as the tree would resolve it, leads where T stands. When
 * not, *RET_DELETED tells a removed directory from one that is hidden.
 */
static bool
leads_there(const struct ckpt *c, const struct task *t, const char *cwd,
    bool *ret_deleted)
{
	size_t len = strlen(cwd), tail = strlen(DELETED);
	autofree char *below = NULL;
	char path[64];
	struct stat its, found;

	*ret_deleted = len > tail && strcmp(cwd + len - tail, DELETED) == 0;
	(void)snprintf(path, sizeof path, "/proc/%d/cwd", t->pid);
	if (stat(path, &its) < 0)
		return !*ret_deleted;
	if (asprintf(&below, "/proc/%d/root%s", anchor(c), cwd) < 0)
		return !*ret_deleted;
	if (stat(below, &found) < 0)
		return errno != ENOENT && errno != ENOTDIR && !*ret_deleted;
	return same_file(&its, &found);
}

static int
fs_check(struct ckpt *c, struct task *t)
{
	autofree char *cwd = NULL;
	bool deleted;

	/* What may not be read is told by cred.c, what is gone is no matter. */
	if (procfs_link(t->pid, "cwd", &cwd) < 0)
		return 0;
	if (cwd[0] != '/' || (!leads_there(c, t, cwd, &deleted) && !deleted))
		(void)obstacle(c, t,
		    "its working directory %s cannot be "
		    "reached by that path: let it change to another one",
		    cwd);
	if (geteuid() != 0 && !same_root(c, t))
		(void)obstacle(c, t,
		    "it lives in a root directory of its own "
		    "(chroot): only root can save it");
	(void)check_sharing(c, t);
	return check_namespaces(c, t);
}

/* ---- save ---- */

static ProtobufCBinaryData
bytes(char *text)
{
	return (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
}

static int
fs_save(struct ckpt *c, struct task *t)
{
	Img__Fs m = IMG__FS__INIT;
	autofree char *cwd = NULL, *root = NULL;
	struct procfs_status st;
	bool deleted;
	int r;

	r = procfs_link(t->pid, "cwd", &cwd);
	if (r >= 0 && !same_root(c, t))
		r = procfs_link(t->pid, "root", &root);
	if (r >= 0)
		r = procfs_status(t->pid, &st);
	if (r < 0)
		return err_num(c->err, r,
		    "%s (pid %d): finding its "
		    "directories",
		    t->comm, t->pid);
	m.umask = st.umask;
	procfs_status_done(&st);
	if (!leads_there(c, t, cwd, &deleted) && deleted) {
		m.cwd_deleted = true;
		cwd[strlen(cwd) - strlen(DELETED)] = 0;
	}
	m.cwd = bytes(cwd);
	if (root != NULL)
		m.root = bytes(root);
	r = record_put(c, IMG_FS, (uint64_t)t->vpid, &m.base);
	return r < 0 ? r : check_namespaces(c, t);
}

/* ---- revival ---- */

/* A NUL-terminated copy, NULL when V is no absolute path. */
static char *
path_of(const ProtobufCBinaryData *v)
{
	if (v->len == 0 || v->data[0] != '/' ||
	    memchr(v->data, 0, v->len) != NULL)
		return NULL;
	return strndup((const char *)v->data, v->len);
}

/*
 * Make PATH, enter and remove it, all in T. 1: done; 0: it cannot be made,
 * or is somebody else's by now.
 */
static int
enter_remade(struct ckpt *c, struct task *t, const char *path)
{
	raddr at;
	int r;

	if (access(path, F_OK) == 0)
		return 0;
	at = tracee_put(&t->area, path, strlen(path) + 1);
	struct tracee_op ops[] = {
		{ .nr = SYS_mkdir, .args = { at, 0700 } },
		{ .nr = SYS_chdir, .args = { at } },
		{ .nr = SYS_rmdir, .args = { at } },
	};
	r = task_run(c, t, ops, N_ELEMENTS(ops));
	return r < 0 ? r : ops[0].ret == 0 && ops[1].ret == 0;
}

/*
 * Put T into a directory that is removed: the one of that PATH where it can
 * be made again, so that its name is as before, else any.
 */
static int
enter_removed(struct ckpt *c, struct task *t, const char *path)
{
	char other[] = STAND_IN;
	int64_t val;
	int r;

	r = enter_remade(c, t, path);
	if (r != 0)
		return r < 0 ? r : 0;
	if (mkdtemp(other) == NULL)
		return err_sys(c->err,
		    "%s (pid %d): making a directory for "
		    "it",
		    t->comm, t->vpid);
	val = task_must(c, t, "entering a directory", SYS_chdir,
	    tracee_put(&t->area, other, sizeof other), 0, 0, 0, 0, 0);
	(void)rmdir(other);
	return val < 0 ? (int)val : 0;
}

static int
revive_cwd(struct ckpt *c, struct task *t, const Img__Fs *m)
{
	autofree char *path = path_of(&m->cwd);
	int64_t val;

	if (path == NULL || m->cwd.len >= PATH_MAX)
		return err_set(c->err, -EBADMSG,
		    "the image is damaged: "
		    "working directory");
	if (m->cwd_deleted)
		return enter_removed(c, t, path);
	val = task_call(c, t, SYS_chdir,
	    tracee_put(&t->area, path, m->cwd.len + 1), 0, 0, 0, 0, 0);
	if (val == 0 || val == -ESRCH)
		return (int)val;
	note(c, t,
	    "its directory %s is gone (%s): it stands in a removed "
	    "one",
	    path, strerror((int)-val));
	return enter_removed(c, t, path);
}

static int
fs_put_back(struct ckpt *c, struct task *t, const Img__Fs *m)
{
	autofree char *root = path_of(&m->root);
	int64_t val;
	int r;

	r = revive_cwd(c, t, m);
	if (r < 0)
		return r;
	if (m->root.len != 0) {
		if (root == NULL || m->root.len >= PATH_MAX)
			return err_set(c->err, -EBADMSG,
			    "the image is "
			    "damaged: root directory");
		/* Behind the working directory, whose path is not below it. */
		val = task_must(c, t, "its root directory", SYS_chroot,
		    tracee_put(&t->area, root, m->root.len + 1), 0, 0, 0, 0, 0);
		if (val < 0)
			return (int)val;
	}
	val = task_must(c, t, "umask", SYS_umask, m->umask, 0, 0, 0, 0, 0);
	return val < 0 ? (int)val : 0;
}

static int
fs_revive(struct ckpt *c, struct task *t)
{
	Img__Fs *m = image_find(c->img, IMG_FS, (uint64_t)t->vpid,
	    &img__fs__descriptor, c->err);
	int r;

	if (m == NULL)
		return -EBADMSG;
	r = fs_put_back(c, t, m);
	img__fs__free_unpacked(m, NULL);
	return r;
}

const struct resource res_fs = {
	.name = "fs",
	.check = fs_check,
	.save = fs_save,
	.revive = fs_revive,
};
