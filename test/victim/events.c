/*
 * events.c - descriptors that tell of something: eventfds (a counter, a
 * semaphore, one that a child is asleep in, one shared and dup'ed), signalfds
 * and what waits in them, pidfds of a child, of a dead one and of oneself.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

static uint64_t
take(int fd)
{
	uint64_t v;

	EXPECT(read(fd, &v, sizeof v) == sizeof v, "reading %d: %s", fd,
	    strerror(errno));
	return v;
}

static void
give(int fd, uint64_t v)
{
	EXPECT(write(fd, &v, sizeof v) == sizeof v, "writing %d: %s", fd,
	    strerror(errno));
}

static void
nothing(int fd)
{
	char b[sizeof(struct signalfd_siginfo)];

	EXPECT(read(fd, b, sizeof b) < 0 && errno == EAGAIN,
	    "%d: something is there, or: %s", fd, strerror(errno));
}

static bool
readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return MUST(poll(&p, 1, 0)) == 1;
}

/* Asleep in FD; exits with 5 when it has read 77 there. */
static pid_t
start_reader(int fd)
{
	pid_t pid = MUST(fork());

	if (pid == 0)
		_exit(take(fd) == 77 ? 5 : 6);
	victim_until_state(pid, pid, 'S');
	return pid;
}

int
main(void)
{
	int plain, empty, sem, sleepy, big, twin, sig, child_fd, gone_fd, own;
	struct signalfd_siginfo si;
	sigset_t set;
	pid_t pid, gone;

	victim_init();
	plain = MUST(eventfd(5, EFD_CLOEXEC));
	empty = MUST(eventfd(0, EFD_NONBLOCK));
	sem = MUST(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
	sleepy = MUST(eventfd(0, 0));
	big = MUST(eventfd(0, EFD_NONBLOCK));
	give(big, UINT64_C(0xfffffffffffffffe));
	twin = MUST(dup(sem));

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	sig = MUST(signalfd(-1, &set, SFD_NONBLOCK));
	pid = start_reader(sleepy);
	MUST(
	    sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 9 }));

	gone = MUST(fork());
	if (gone == 0)
		_exit(0);
	gone_fd = (int)MUST(syscall(SYS_pidfd_open, gone, 0));
	victim_reap(gone, 0);
	child_fd = (int)MUST(syscall(SYS_pidfd_open, pid, O_NONBLOCK));
	own = (int)MUST(syscall(SYS_pidfd_open, getpid(), 0));

	victim_wait();
	EXPECT(take(plain) == 5, "the counter is not 5");
	EXPECT(MUST(fcntl(plain, F_GETFD)) == FD_CLOEXEC, "cloexec is lost");
	nothing(empty);
	EXPECT(take(sem) == 1 && take(twin) == 1 && take(sem) == 1,
	    "the semaphore does not count down by one");
	nothing(twin);
	EXPECT(take(big) == UINT64_C(0xfffffffffffffffe), "the highest count");
	nothing(big);

	EXPECT(read(sig, &si, sizeof si) == sizeof si &&
		si.ssi_signo == (uint32_t)SIGRTMIN + 3 && si.ssi_int == 9,
	    "the signal that waited is gone");
	nothing(sig);
	MUST(kill(getpid(), SIGUSR1));
	EXPECT(read(sig, &si, sizeof si) == sizeof si &&
		si.ssi_signo == SIGUSR1,
	    "a new signal is not read");

	EXPECT(readable(gone_fd), "the dead child is alive to its pidfd");
	EXPECT(syscall(SYS_pidfd_send_signal, gone_fd, 0, NULL, 0) < 0 &&
		errno == ESRCH,
	    "the dead child can be signalled");
	EXPECT(!readable(child_fd) && !readable(own), "a pidfd tells an end");
	MUST(syscall(SYS_pidfd_send_signal, own, SIGUSR1, NULL, 0));
	EXPECT(read(sig, &si, sizeof si) == sizeof si &&
		si.ssi_pid == (uint32_t)getpid(),
	    "a signal by the own pidfd");
	EXPECT(MUST(fcntl(child_fd, F_GETFL)) & O_NONBLOCK, "flags of a pidfd");
	give(sleepy, 77);
	EXPECT(MUST(poll(&(struct pollfd){ child_fd, POLLIN, 0 }, 1, -1)) == 1,
	    "waiting by a pidfd");
	victim_reap(pid, 5);
	victim_ok();
}
