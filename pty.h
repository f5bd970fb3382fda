/*
 * pty.h - the session's pseudo-terminal and the program on it (pty(7),
 * ioctl_tty(2), login_tty(3)).
 */
#ifndef PTY_H
#define PTY_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"

struct pty_size {
	unsigned short rows, cols;
	unsigned short xpixel, ypixel; /* of the whole terminal; 0: unknown */
};

/* What is to run, and where. Nothing is owned. */
struct pty_program {
	char *const *argv;
	char *const *env;
	int cwd; /* descriptor of its directory */
	mode_t umask;
	const struct termios *termios; /* NULL: the system's defaults */
	struct pty_size size;
	const int
	    *fds; /* three; where not -1: instead of the pty. NULL: none */
};

/*
 * Open a pty and start the program on it, in a session of its own. The
 * master is non-blocking and CLOEXEC; its description is shared with nobody.
 * When the program cannot be executed *RET_EXIT is what a shell would return
 * (127: not found, 126: cannot be executed) and E says it.
 */
int pty_start(const struct pty_program *p, int *ret_master, pid_t *ret_pid,
    int *ret_exit, struct err *e);

/* The same size again is no event for the program. */
int pty_resize(int master, const struct pty_size *size);

/* Size of the terminal on FD; -ENOTTY. A size of 0 is the default size. */
int pty_size(int fd, struct pty_size *ret_size);

/* Device number of the slave as /proc/PID/stat shows it; 0: unknown. */
unsigned pty_device(int master);

/* Are the two descriptors the same terminal? */
bool pty_same(int a, int b);

/* What cfmakeraw(3) makes of T, for a terminal that is lent. */
struct termios pty_raw(const struct termios *t);

#endif
