/*
 * relay CMD... - run CMD on a pty and copy what it writes to the terminal this
 * is started on: the least that can stand between two terminals, one blocking
 * read and one blocking write at a time, and so the floor for all that do.
 */
#include <err.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	static char block[1 << 16];
	struct termios before, raw;
	ssize_t n, put, done;
	int master;
	pid_t pid;

	if (argc < 2 || tcgetattr(STDIN_FILENO, &before) < 0)
		errx(2, "usage, on a terminal: relay CMD...");
	raw = before;
	cfmakeraw(&raw);
	pid = forkpty(&master, NULL, &before, NULL);
	if (pid < 0)
		err(1, "forkpty");
	if (pid == 0) {
		(void)execvp(argv[1], argv + 1);
		err(127, "%s", argv[1]);
	}
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	while ((n = read(master, block, sizeof block)) > 0)
		for (done = 0; done < n; done += put) {
			put = write(STDOUT_FILENO, block + done,
			    (size_t)(n - done));
			if (put < 0)
				err(1, "write");
		}
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	(void)waitpid(pid, NULL, 0);
	return 0;
}
