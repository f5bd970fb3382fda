/*
 * waits.c - see waits.h. Sources: sigtimedwait(2), semop(2), epoll_wait(2),
 * socket(7) on SO_RCVTIMEO.
 */
#include "ckpt/process/waits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"

#define NS_PER_S UINT64_C(1000000000)

static const struct wait_kind {
	uint64_t nr;
	int arg;    /* the number of the timespec among the arguments, or... */
	int option; /* ...of a socket, argument 0; 0: none */
	int64_t answer;
} kinds[] = {
	{ .nr = SYS_rt_sigtimedwait, .arg = 2, .answer = -EAGAIN },
	{ .nr = SYS_semtimedop, .arg = 3, .answer = -EAGAIN },
	{ .nr = SYS_epoll_pwait2, .arg = 3, .answer = 0 },
	{ .nr = SYS_read, .option = SO_RCVTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_readv, .option = SO_RCVTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_recvfrom, .option = SO_RCVTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_recvmsg, .option = SO_RCVTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_accept, .option = SO_RCVTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_accept4, .option = SO_RCVTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_write, .option = SO_SNDTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_writev, .option = SO_SNDTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_sendto, .option = SO_SNDTIMEO, .answer = -EAGAIN },
	{ .nr = SYS_sendmsg, .option = SO_SNDTIMEO, .answer = -EAGAIN },
};

static const struct wait_kind *
find(uint64_t nr)
{
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (kinds[i].nr == nr)
			return &kinds[i];
	return NULL;
}

static bool
is_socket(pid_t pid, uint64_t fd)
{
	char path[64], link[16];

	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, (int)fd);
	return readlink(path, link, sizeof link) > 7 &&
	    strncmp(link, "socket:", 7) == 0;
}

static uint64_t
ask_socket(pid_t pid, uint64_t fd, int option)
{
	autoclose int copy = -1;
	struct timeval tv;
	socklen_t len = sizeof tv;

	copy = tracee_pull_fd(pid, (int)fd, NULL);
	if (copy < 0 || getsockopt(copy, SOL_SOCKET, option, &tv, &len) < 0 ||
	    tv.tv_sec < 0)
		return 0;
	return (uint64_t)tv.tv_sec * NS_PER_S + (uint64_t)tv.tv_usec * 1000;
}

bool
wait_has_end(pid_t pid, uint64_t nr, const uint64_t args[6])
{
	const struct wait_kind *k = find(nr);

	if (k == NULL)
		return false;
	if (k->option == 0)
		return args[k->arg] != 0;
	return is_socket(pid, args[0]) &&
	    ask_socket(pid, args[0], k->option) != 0;
}

uint64_t
wait_whole_ns(struct task *t, uint64_t nr, const uint64_t args[6])
{
	const struct wait_kind *k = find(nr);
	struct timespec ts;

	if (k == NULL)
		return 0;
	if (k->option != 0)
		return ask_socket(t->pid, args[0], k->option);
	if (args[k->arg] == 0 ||
	    tracee_read(&t->area, args[k->arg], &ts, sizeof ts, NULL) < 0 ||
	    ts.tv_sec < 0 || (uint64_t)ts.tv_sec > UINT64_MAX / NS_PER_S / 4)
		return 0;
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

int64_t
wait_answer(uint64_t nr)
{
	const struct wait_kind *k = find(nr);

	return k == NULL ? -EINTR : k->answer;
}
