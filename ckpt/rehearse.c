/*
 * rehearse.c - see rehearse.h. The steps are those of space.c, in the same
 * order, so that what is learnt here is what a revival would meet.
 *
 * Not kept from time to time: it costs less than the save it belongs to, and
 * a remedy is to be seen at once.
 */
#include "ckpt/rehearse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/io.h"
#include "base/scope.h"
#include "ckpt/space.h"
#include "ckpt/space_why.h"

#define SOME_TID 300

struct outcome {
	int result;
	struct err err;
};

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* As pid 1 of the namespaces. */
static int
inside(struct ckpt *c)
{
	pid_t tid = SOME_TID, pid;
	struct clone3_args args = { .exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&tid,
		.set_tid_size = 1 };
	int r = space_mount(c);

	if (r < 0)
		return r;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid < 0)
		return space_why(c->userns, SPACE_TID, -errno, c->err);
	if (pid == 0)
		_exit(0);
	reap(pid);
	return 0;
}

noreturn static void
rehearsal(int report, pid_t parent)
{
	struct outcome o = { .result = 0 };
	struct ckpt c = { .err = &o.err,
		.userns = space_needs_userns(),
		.session_master = -1 };
	Img__Machine m = IMG__MACHINE__INIT;
	pid_t pid = 0;

	child_begin(parent);
	m.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	m.boottime_ns = clock_ns(CLOCK_BOOTTIME);
	o.result = space_enter(&c, &m);
	if (o.result == 0) {
		pid = fork();
		if (pid < 0)
			o.result = err_sys(&o.err, "making a process");
		if (pid == 0)
			o.result = inside(&c);
	}
	if (pid > 0)
		reap(pid);
	else
		(void)io_write(report, &o, sizeof o);
	_exit(0);
}

int
rehearse(struct err *e)
{
	autoclose int from = -1, to = -1;
	pid_t self = getpid(), pid;
	struct outcome o;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "starting a rehearsal");
	from = fds[0];
	to = fds[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "starting a rehearsal");
	if (pid == 0)
		rehearsal(to, self);
	scope_close(&to);
	r = io_read(from, &o, sizeof o);
	reap(pid);
	if (r < 0)
		return err_set(e, -EIO, "the rehearsal was killed");
	if (o.result < 0 && e != NULL)
		*e = o.err;
	return o.result < 0 ? o.result : 0;
}
