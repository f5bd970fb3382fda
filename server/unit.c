/*
 * unit.c - see unit.h. Sources: org.freedesktop.systemd1(5) on
 * StartTransientUnit(), systemd.scope(5). busctl(1) says it for us: it is
 * where systemd is, and a session is not created often.
 */
#include "server/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"

#define BUSCTL "/usr/bin/busctl"
#define LINGER_DIR "/var/lib/systemd/linger"
#define CALL_MS 3000 /* for busctl */
#define MOVE_MS 10   /* between looks whether we were moved */
#define MOVE_TRIES 100

/* Are we below the user's manager, or in the unit that revives at boot? */
static bool
is_settled(void)
{
	struct buf b autobuf = BUF_INIT(8192);
	const char *text;

	if (io_read_file(AT_FDCWD, "/proc/self/cgroup", &b) < 0)
		return true; /* there is nothing to be moved in */
	text = (const char *)b.data;
	return strstr(text, "/user@") != NULL ||
	    strstr(text, "/sess.service") != NULL;
}

/* Does the user's manager live on when nobody is logged in? */
static bool
lingers(char *ret_runtime, size_t cap)
{
	unsigned uid = (unsigned)geteuid();
	const struct passwd *pw;
	char path[512];

	/* First what is no search through the system's accounts. */
	(void)snprintf(path, sizeof path, "/run/user/%u/bus", uid);
	(void)snprintf(ret_runtime, cap, "XDG_RUNTIME_DIR=/run/user/%u", uid);
	if (access(path, F_OK) < 0)
		return false;
	pw = getpwuid(uid);
	if (pw == NULL || strchr(pw->pw_name, '/') != NULL)
		return false;
	(void)snprintf(path, sizeof path, LINGER_DIR "/%s", pw->pw_name);
	return access(path, F_OK) == 0;
}

static _Noreturn void
call(char *runtime, const char *name, pid_t server)
{
	char unit[64], pid[16], description[512];
	char *env[] = { runtime, NULL };
	const char *argv[] = { BUSCTL, "--user", "--quiet", "call",
		"org.freedesktop.systemd1", "/org/freedesktop/systemd1",
		"org.freedesktop.systemd1.Manager", "StartTransientUnit",
		"ssa(sv)a(sa(sv))", unit, "fail", "5", /* properties: */
		"Description", "s", description, "PIDs", "au", "1", pid,
		"Before", "as", "1", "sess.service", "SendSIGHUP", "b", "true",
		"CollectMode", "s", "inactive-or-failed", "0", NULL };

	(void)snprintf(unit, sizeof unit, "sess-%d.scope", (int)server);
	(void)snprintf(pid, sizeof pid, "%d", (int)server);
	(void)snprintf(description, sizeof description, "Session %s", name);
	(void)execve(BUSCTL, (char *const *)(uintptr_t)argv, env);
	_exit(127);
}

/* True: it said yes in time. */
static bool
await(pid_t pid)
{
	autoclose int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status = 0;

	if (fd >= 0 && poll(&p, 1, CALL_MS) <= 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

void
unit_own(const char *name)
{
	const struct timespec pause = { .tv_nsec = MOVE_MS * 1000000 };
	pid_t server = getpid(), pid;
	char runtime[64];

	if (!lingers(runtime, sizeof runtime) || is_settled())
		return;
	pid = fork();
	if (pid == 0)
		call(runtime, name, server);
	if (pid < 0 || !await(pid))
		return;
	/* What is started now is to be in the scope, too. */
	for (int i = 0; i < MOVE_TRIES && !is_settled(); i++)
		(void)nanosleep(&pause, NULL);
}
