/*
 * moving.c - a snapshot to another place and from there: ckpt_export() and
 * ckpt_import() in ckpt.h. What streams are is told in image/stream.h.
 */
#include "ckpt/ckpt.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/image/stream.h"
#include "ckpt/machine.h"

/*
 * A full disk, or a pipe without a reader, is an error and not our end; and
 * with TIDY, where there is something to remove, what would end us in the
 * middle is read from *RET_FD instead.
 */
static int
hold_signals(bool tidy, int *ret_fd, sigset_t *ret_before, struct err *e)
{
	sigset_t ends;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGHUP);
	*ret_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (*ret_fd < 0)
		return err_sys(e, "watching for signals");
	if (!tidy)
		(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGPIPE);
	(void)sigaddset(&ends, SIGXFSZ);
	(void)sigprocmask(SIG_BLOCK, &ends, ret_before);
	return 0;
}

/* R is what became of it: a signal that ended it has done its work. */
static void
let_signals(const sigset_t *before, int r)
{
	const struct timespec none = { 0 };
	sigset_t drop;

	(void)sigemptyset(&drop);
	(void)sigaddset(&drop, SIGPIPE);
	(void)sigaddset(&drop, SIGXFSZ);
	if (r == -ECANCELED) {
		(void)sigaddset(&drop, SIGINT);
		(void)sigaddset(&drop, SIGTERM);
		(void)sigaddset(&drop, SIGHUP);
	}
	while (sigtimedwait(&drop, NULL, &none) > 0)
		;
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}

int
ckpt_export(int saved_dirfd, const char *name, uint64_t generation, int fd,
    uint64_t *ret_len, struct err *e)
{
	struct stream_end to = { .fd = fd };
	autoclose int stop_fd = -1;
	sigset_t before;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "the snapshot cannot be written");
	r = hold_signals(S_ISREG(st.st_mode), &stop_fd, &before, e);
	if (r < 0)
		return r;
	to.stop_fd = stop_fd;
	r = stream_put(saved_dirfd, name, generation, &to, ret_len, e);
	let_signals(&before, r);
	return r;
}

int
ckpt_check_source(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "the snapshot cannot be read");
	if (S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR,
		    "the snapshot cannot be read: it is a directory");
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, -EPERM,
		    "the file belongs to user %u, not to you: reviving it "
		    "would run their programs as you",
		    (unsigned)st.st_uid);
	if ((st.st_mode & 022) != 0)
		return err_set(e, -EPERM,
		    "the file can be written by others (mode %03o): if nobody "
		    "has changed it, chmod 600 it",
		    (unsigned)(st.st_mode & 0777));
	return 0;
}

/* Each object that is received is held open until all are. */
static void
raise_files(struct rlimit *ret_before)
{
	struct rlimit all;

	if (getrlimit(RLIMIT_NOFILE, ret_before) < 0)
		return;
	all = *ret_before;
	all.rlim_cur = all.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &all);
}

int
ckpt_import(int saved_dirfd, const char *name, int fd, uint64_t *ret_generation,
    struct err *e)
{
	struct stream_end from = { .fd = fd };
	struct rlimit files = { 0 };
	autoclose int stop_fd = -1;
	sigset_t before;
	int r;

	r = ckpt_check_source(fd, e);
	if (r == 0)
		r = hold_signals(true, &stop_fd, &before, e);
	if (r < 0)
		return r;
	from.stop_fd = stop_fd;
	raise_files(&files);
	r = stream_get(saved_dirfd, name, &from, machine_fits, ret_generation,
	    e);
	if (files.rlim_max > 0)
		(void)setrlimit(RLIMIT_NOFILE, &files);
	let_signals(&before, r);
	return r;
}
