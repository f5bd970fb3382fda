/*
 * wait.c - see wait.h. The wait is a poll: a batch takes a few microseconds,
 * less than being put to sleep and woken, so the first PATIENCE_NS are spent
 * yielding; afterwards the sleeps grow with the time already waited.
 */
#include "tracee/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"

#define PATIENCE_NS 300000u /* yield, do not sleep */
#define NAP_MAX_NS 2000000u /* longest sleep between two looks */
#define SUSPECT_NS 5000000u /* from here on look for a dead leader */

uint64_t
wait_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* State and parent of TID, taken behind the last ')': a name may hold one. */
static int
read_stat(pid_t tid, char *ret_state, pid_t *ret_parent)
{
	autoclose int fd = -1;
	char path[64], text[512], *p;
	ssize_t n;
	int parent;

	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/stat", tid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof text - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (p == NULL || sscanf(p + 1, " %c %d", ret_state, &parent) != 2)
		return -EBADMSG;
	*ret_parent = parent;
	return 0;
}

char
wait_state(pid_t tid)
{
	char state;
	pid_t parent;

	return read_stat(tid, &state, &parent) < 0 ? 0 : state;
}

static bool
has_died(pid_t tid, bool suspect)
{
	siginfo_t si = { .si_pid = 0 };
	char state;

	if (waitid(P_PID, (id_t)tid, &si,
		WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return errno == ECHILD;
	if (si.si_pid != 0) /* a stop of a tracee is told unasked */
		return si.si_code == CLD_EXITED || si.si_code == CLD_KILLED ||
		    si.si_code == CLD_DUMPED;
	if (!suspect)
		return false;
	state = wait_state(tid);
	return state == 0 || state == 'Z' || state == 'X';
}

void
wait_reap(const struct tracee *t)
{
	siginfo_t si;
	char state;
	pid_t parent;

	if (t->tid == t->tgid && read_stat(t->tid, &state, &parent) == 0 &&
	    parent == getpid())
		return;
	(void)waitid(P_PID, (id_t)t->tid, &si, WEXITED | WNOHANG | __WALL);
}

static void
nap(uint64_t waited_ns)
{
	struct timespec ts = { .tv_sec = 0 };

	if (waited_ns < PATIENCE_NS) {
		(void)sched_yield();
		return;
	}
	ts.tv_nsec = (long)(waited_ns / 16);
	if (waited_ns / 16 > NAP_MAX_NS)
		ts.tv_nsec = NAP_MAX_NS;
	(void)nanosleep(&ts, NULL);
}

int
wait_next(struct tracee *t, uint64_t deadline_ns, struct stop *ret_stop)
{
	uint64_t start = wait_now_ns(), now = start;
	siginfo_t si;
	unsigned n = 0;

	t->stopped = false;
	if (t->tid <= 0)
		return -ESRCH;
	for (;; now = wait_now_ns(), n++) {
		si.si_pid = 0;
		if (waitid(P_PID, (id_t)t->tid, &si,
			WSTOPPED | WNOHANG | __WALL) == 0 &&
		    si.si_pid != 0) {
			t->stopped = true;
			ret_stop->sig = si.si_status & 0x7f;
			ret_stop->event = si.si_status >> 8;
			return 0;
		}
		/* Every look at death costs a call: not at every turn. */
		if (n % 16 == 15 &&
		    has_died(t->tid, now - start > SUSPECT_NS)) {
			t->dead = true;
			wait_reap(t);
			return -ESRCH;
		}
		if (now >= deadline_ns)
			return -ETIMEDOUT;
		nap(now - start);
	}
}
