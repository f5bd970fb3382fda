/*
 * owners.c - descriptors that signal: owner, signal and O_ASYNC, of a pipe
 * for this process and of a socket for a group.
 */
#include <fcntl.h>
#include <sys/socket.h>

#include "test/victim/victim.h"

static volatile sig_atomic_t got_fd = -1;

static void
on_signal(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	got_fd = si->si_fd;
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO };
	struct f_owner_ex own = { .type = F_OWNER_PID };
	int p[2], s[2];

	victim_init();
	MUST(sigaction(SIGRTMIN + 1, &sa, NULL));
	MUST(pipe(p));
	own.pid = getpid();
	MUST(fcntl(p[0], F_SETOWN_EX, &own));
	MUST(fcntl(p[0], F_SETSIG, SIGRTMIN + 1));
	MUST(fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	MUST(fcntl(s[0], F_SETOWN, -getpgrp()));

	victim_wait();
	EXPECT(got_fd == -1, "signalled early about %d", (int)got_fd);
	MUST(fcntl(p[0], F_GETOWN_EX, &own));
	EXPECT(own.type == F_OWNER_PID && own.pid == getpid(), "owner %d %d",
	    own.type, own.pid);
	EXPECT(fcntl(p[0], F_GETSIG) == SIGRTMIN + 1, "signal %d",
	    fcntl(p[0], F_GETSIG));
	EXPECT(write(p[1], "x", 1) == 1, "write");
	EXPECT(got_fd == p[0], "signal about %d", (int)got_fd);
	MUST(fcntl(s[0], F_GETOWN_EX, &own));
	EXPECT(own.type == F_OWNER_PGRP && own.pid == getpgrp(),
	    "owner of the socket: %d %d", own.type, own.pid);
	victim_ok();
}
