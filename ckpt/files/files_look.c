/*
 * files_look.c - the table of kinds, and which of them a descriptor is. It
 * is looked at through /proc/PID/fd/N (readlink and stat follow it without
 * opening anything) and /proc/PID/fdinfo/N (proc_pid_fdinfo(5)).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/files/files.h"
#include "ckpt/files/files_table.h"
#include "ckpt/files/inotify.h"

#define INFO_MAX (16u << 20) /* bytes of a fdinfo file: one line a watch */

/* The first that matches is it. */
const struct file_kind *const file_kinds[] = {
	&kind_path,  /* O_PATH: whatever it is, nothing but its name */
	&kind_slave, /* before devices: it is one */
	&kind_master,
	&kind_ctty,
	&kind_device,
	&kind_pipe,
	&kind_fifo,
	&kind_proc, /* before files and directories: they look like them */
	&kind_memfd,
	&kind_mqueue,
	&kind_dir,
	&kind_regular,
	&kind_socket,
	&kind_unix,
	&kind_inotify,
	&kind_eventfd,
	&kind_timerfd,
	&kind_signalfd,
	&kind_pidfd,
	&kind_epoll,
	NULL,
};

/* What there is besides, by the beginning of its link, for a sentence. */
static const struct {
	const char *link, *what;
} others[] = {
	{ "anon_inode:[fanotify", "a fanotify watch" },
	{ "anon_inode:[io_uring", "an io_uring" },
	{ "anon_inode:[userfaultfd", "a userfaultfd" },
	{ "anon_inode:[perf_event", "a performance counter" },
	{ "anon_inode:bpf", "a BPF object" },
	{ "anon_inode:seccomp", "a seccomp listener" },
	{ "anon_inode:[fscontext", "a mount being made" },
	{ "anon_inode:kvm", "a KVM machine" },
	{ "/dmabuf:", "a DMA buffer" },
};

static int
read_link(const char *path, char **ret_link)
{
	char text[PATH_MAX];
	ssize_t n = readlink(path, text, sizeof text - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	*ret_link = strdup(text);
	return *ret_link == NULL ? -ENOMEM : 0;
}

static int
read_info(const char *path, char **ret_info)
{
	autobuf struct buf b = BUF_INIT(INFO_MAX);
	int r;

	r = io_read_file(AT_FDCWD, path, &b);
	if (r < 0)
		return r;
	*ret_info = (char *)TAKE_PTR(b.data);
	b.len = b.cap = 0;
	return 0;
}

/* "pos:" and "flags:" of fdinfo; the flags carry FD_CLOEXEC as O_CLOEXEC. */
static int
parse_info(struct file *f)
{
	unsigned long long pos;
	unsigned flags;

	if (sscanf(f->info, "pos: %llu flags: %o", &pos, &flags) != 2)
		return -EBADMSG;
	f->cloexec = (flags & O_CLOEXEC) != 0;
	f->rec.pos = pos;
	f->rec.flags = flags & ~(unsigned)O_CLOEXEC;
	return 0;
}

static const struct file_kind *
find_kind(const struct file *f)
{
	for (size_t i = 0; file_kinds[i] != NULL; i++)
		if (file_kinds[i]->match(f))
			return file_kinds[i];
	return NULL;
}

static void
fill_rec(struct file *f)
{
	Img__File *m = &f->rec;

	m->path = f->link;
	m->mode = f->st.st_mode;
	m->dev = f->st.st_dev;
	m->ino = f->st.st_ino;
	m->rdev = f->st.st_rdev;
	m->size = (uint64_t)f->st.st_size;
	m->mtime_ns = f->st.st_mtim.tv_sec * 1000000000LL +
	    f->st.st_mtim.tv_nsec;
}

int
file_look(struct task *t, int fd, struct file **ret_f)
{
	struct file *f;
	char path[64];
	int r;

	f = calloc(1, sizeof *f);
	if (f == NULL)
		return -ENOMEM;
	img__file__init(&f->rec);
	f->m = &f->rec;
	f->task = t;
	f->fd = fd;
	f->relay[0] = f->relay[1] = -1;
	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", t->pid, fd);
	r = read_link(path, &f->link);
	if (r >= 0 && stat(path, &f->st) < 0)
		r = -errno;
	(void)snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", t->pid, fd);
	if (r >= 0)
		r = read_info(path, &f->info);
	if (r >= 0)
		r = parse_info(f);
	if (r < 0) {
		file_free(f);
		return r;
	}
	fill_rec(f);
	f->kind = find_kind(f);
	if (f->kind != NULL)
		f->rec.kind = (char *)f->kind->name;
	*ret_f = f;
	return 0;
}

int
file_pull(struct ckpt *c, const struct file *f)
{
	return tracee_pull_fd(f->task->pid, f->fd, c->err);
}

int
file_reopen(const struct file *f, int flags)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", f->task->pid,
	    f->fd);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

void
file_describe(const struct file *f, char *ret_text, size_t cap)
{
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		if (strncmp(f->link, others[i].link, strlen(others[i].link)) ==
		    0) {
			(void)snprintf(ret_text, cap, "%s", others[i].what);
			return;
		}
	if (S_ISCHR(f->st.st_mode) || S_ISBLK(f->st.st_mode))
		(void)snprintf(ret_text, cap, "the device %s", f->link);
	else
		(void)snprintf(ret_text, cap, "%s", f->link);
}
