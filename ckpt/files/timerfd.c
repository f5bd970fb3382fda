/*
 * timerfd.c - timerfd_create(2): clock, time left, interval, and how often
 * it has expired unread. What is set to a time of day expires at that time;
 * all else goes on with what was left of it, on the tree's own clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/files/fdinfo.h"
#include "ckpt/files/files.h"

#define NS_PER_S INT64_C(1000000000)
#define AGAIN_NS 50000 /* a timer that expires now has counted by then */

/* linux/timerfd.h */
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

static bool
timerfd_match(const struct file *f)
{
	return strncmp(f->link, "anon_inode:[timerfd", 19) == 0;
}

static bool
by_time_of_day(uint32_t clock, uint32_t flags)
{
	return (flags & TFD_TIMER_ABSTIME) != 0 &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM);
}

static int64_t
to_ns(struct timespec ts)
{
	if (ts.tv_sec > INT64_MAX / NS_PER_S - 1)
		return INT64_MAX;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static struct timespec
from_ns(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S,
		.tv_nsec = ns % NS_PER_S };
}

/* ---- save ---- */

static int
read_ticks(int fd, uint64_t *ret_ticks)
{
	autobuf struct buf b = BUF_INIT(4096);
	char path[64];
	int r;

	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	r = io_read_file(AT_FDCWD, path, &b);
	if (r < 0)
		return r;
	return fdinfo_number((const char *)b.data, "ticks:", 10, ret_ticks) ?
	    0 :
	    -EBADMSG;
}

/*
 * Time left and ticks of one moment: timerfd_gettime(2) counts intervals
 * that have passed (kernel: fs/timerfd.c), and the timer may expire between
 * the two questions.
 */
static int
ask(int fd, struct itimerspec *ret_its, uint64_t *ret_ticks)
{
	const struct timespec moment = { .tv_nsec = AGAIN_NS };
	uint64_t before;
	int r;

	do {
		r = timerfd_gettime(fd, ret_its) < 0 ? -errno : 0;
		if (r >= 0)
			r = read_ticks(fd, &before);
		if (r >= 0)
			r = timerfd_gettime(fd, ret_its) < 0 ? -errno : 0;
		if (r >= 0 && before == 0 && to_ns(ret_its->it_value) == 0)
			(void)nanosleep(&moment, NULL);
		if (r >= 0)
			r = read_ticks(fd, ret_ticks);
	} while (r >= 0 && before != *ret_ticks);
	return r;
}

static int
timerfd_save(struct ckpt *c, struct file *f)
{
	Img__Timerfd *m = malloc(sizeof *m);
	autoclose int fd = -1;
	struct itimerspec its;
	struct timespec now;
	uint64_t clock, flags;
	int r;

	if (m == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->extra = m;
	f->rec.timerfd = m;
	img__timerfd__init(m);
	fd = file_pull(c, f);
	if (fd < 0)
		return fd;
	r = ask(fd, &its, &m->ticks);
	if (r >= 0 &&
	    (!fdinfo_number(f->info, "clockid:", 10, &clock) ||
		!fdinfo_number(f->info, "settime flags:", 8, &flags)))
		r = -EBADMSG;
	if (r < 0)
		return err_num(c->err, r,
		    "%s (pid %d): descriptor %d: asking a timer", f->task->comm,
		    f->task->pid, f->fd);
	m->clock = (uint32_t)clock;
	m->flags = (uint32_t)flags;
	m->left_ns = to_ns(its.it_value);
	m->interval_ns = to_ns(its.it_interval);
	if (m->left_ns != 0 && by_time_of_day(m->clock, m->flags)) {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		m->at_ns = m->left_ns < INT64_MAX - to_ns(now) ?
		    to_ns(now) + m->left_ns :
		    INT64_MAX;
	}
	return 0;
}

/* ---- revival ---- */

static int
timerfd_plan(struct ckpt *c, struct file *f)
{
	const Img__Timerfd *m = f->m->timerfd;

	if (m == NULL || m->left_ns < 0 || m->interval_ns < 0 || m->at_ns < 0)
		return image_damaged(c, "a timer descriptor");
	return 0;
}

/* A clock that wakes the machine up needs a capability. */
static int
make(const Img__Timerfd *m)
{
	int fd = timerfd_create((int)m->clock, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0 && errno == EPERM)
		fd = timerfd_create(m->clock == CLOCK_REALTIME_ALARM ?
			CLOCK_REALTIME :
			CLOCK_BOOTTIME,
		    TFD_CLOEXEC | TFD_NONBLOCK);
	return fd;
}

/*
 * Setting the timer makes its ticks 0. Where the kernel cannot set them one
 * tick is better than none: it is left to expire, and said.
 */
static int
set(struct ckpt *c, int fd, const Img__Timerfd *m)
{
	bool day = m->at_ns != 0 && by_time_of_day(m->clock, m->flags);
	struct itimerspec its = {
		.it_value = from_ns(day ? m->at_ns : m->left_ns),
		.it_interval = from_ns(m->interval_ns),
	};
	int flags = day ?
	    (int)(m->flags & (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) :
	    0;

	if (m->left_ns != 0 && timerfd_settime(fd, flags, &its, NULL) < 0)
		return err_sys(c->err, "setting a timer descriptor");
	if (m->ticks == 0 || ioctl(fd, TFD_IOC_SET_TICKS, &m->ticks) == 0)
		return 0;
	its.it_value = from_ns(1);
	note(c, NULL,
	    "a timer descriptor that had expired %llu times will be seen to "
	    "have expired once: this kernel cannot count for it",
	    (unsigned long long)m->ticks);
	return timerfd_settime(fd, 0, &its, NULL) < 0 ?
	    err_sys(c->err, "setting a timer descriptor") :
	    0;
}

static int
timerfd_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	autoclose int fd = make(f->m->timerfd);
	int r;

	if (fd < 0)
		return err_sys(c->err, "making a timer descriptor");
	r = set(c, fd, f->m->timerfd);
	if (r >= 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

const struct file_kind kind_timerfd = {
	.name = "timerfd",
	.match = timerfd_match,
	.save = timerfd_save,
	.plan = timerfd_plan,
	.open = timerfd_open,
};
