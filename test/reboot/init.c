/*
 * init.c - pid 1 of the machine in test_reboot.py: what a real one's does,
 * as far as sess can see it. /tmp, /run, /run/user/UID and /dev/shm are
 * empty at every boot; /dev/vdb, with the homes, stays. A root shell runs on
 * the serial console, and when it exits the machine is shut down in order:
 * SIGTERM, SIGKILL, unmount, power off.
 *
 * Where the kernel's command line has pid1=PROGRAM, the disks are mounted, the
 * root to be written to, and PROGRAM takes over.
 *
 * It lies in an initramfs, static, with the kernel modules that the disks
 * need in /modules, named in the order of loading.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof(a)[0])
#define TICK_NS 10000000 /* between two looks */
#define DISK_TICKS 1000  /* for a disk to appear */
#define END_TICKS 300    /* from SIGTERM to SIGKILL */

static const struct {
	const char *what, *where, *type, *options;
	unsigned long flags;
	bool ours;
} mounts[] = {
	{ "proc", "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC,
	    false },
	{ "sysfs", "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC,
	    false },
	{ "devtmpfs", "/dev", "devtmpfs", "mode=0755", MS_NOSUID, true },
	{ "devpts", "/dev/pts", "devpts", "gid=5,mode=0620,ptmxmode=0666",
	    MS_NOSUID | MS_NOEXEC, false },
	{ "tmpfs", "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV,
	    false },
	{ "tmpfs", "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false },
	{ "tmpfs", "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV, false },
	{ "tmpfs", "/run/user/0", "tmpfs", "mode=0700", MS_NOSUID | MS_NODEV,
	    false },
	{ "tmpfs", "/run/user/1000", "tmpfs", "mode=0700,uid=1000,gid=1000",
	    MS_NOSUID | MS_NODEV, false },
	{ "/dev/vdb", "/disk", "ext4", NULL, MS_NOSUID | MS_NODEV, true },
	{ "/disk/home", "/home", NULL, NULL, MS_BIND, true },
	{ "/disk/root", "/root", NULL, NULL, MS_BIND, true },
};

static void
wait_a_tick(void)
{
	struct timespec ts = { .tv_nsec = TICK_NS };

	(void)nanosleep(&ts, NULL);
}

static void
power_off(void)
{
	sync();
	(void)reboot(RB_POWER_OFF);
	for (;;)
		(void)pause();
}

static void
fail(const char *what, const char *which)
{
	(void)printf("init: %s %s: %s\n", what, which, strerror(errno));
	(void)fflush(stdout);
	power_off();
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
load_modules(void)
{
	char *names[32], path[300];
	struct dirent *de;
	size_t n = 0;
	DIR *d = opendir("/modules");

	while (d != NULL && n < N_ELEMENTS(names) && (de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			names[n++] = strdup(de->d_name);
	qsort(names, n, sizeof names[0], by_name);
	for (size_t i = 0; i < n; i++) {
		int fd;

		(void)snprintf(path, sizeof path, "/modules/%s", names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			fail("loading", path);
		(void)close(fd);
	}
}

static void
await_disk(const char *path)
{
	for (int i = 0; access(path, F_OK) < 0; i++) {
		if (i == DISK_TICKS)
			fail("waiting for", path);
		wait_a_tick();
	}
}

/* The system's root is /dev/vda: FLAGS say whether it stays as it is. */
static void
enter_root(unsigned long flags)
{
	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0)
		fail("mounting", "/dev");
	load_modules();
	await_disk("/dev/vda");
	await_disk("/dev/vdb");
	if (mount("/dev/vda", "/system", "ext4", flags, NULL) < 0)
		fail("mounting", "/dev/vda");
	if (chdir("/system") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		fail("entering", "/dev/vda");
}

/* ALL of it, or what a system's own pid 1 does not know of. */
static void
mount_things(bool all)
{
	(void)umask(0);
	for (size_t i = 0; i < N_ELEMENTS(mounts); i++) {
		if (!all && !mounts[i].ours)
			continue;
		if (strncmp(mounts[i].where, "/run/user", 9) == 0)
			(void)mkdir("/run/user", 0755);
		(void)mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].what, mounts[i].where, mounts[i].type,
			mounts[i].flags, mounts[i].options) < 0)
			fail("mounting", mounts[i].where);
	}
	(void)umask(022);
}

static pid_t
start_console(void)
{
	char *argv[] = { "bash", "--noediting", "--rcfile", "/etc/consolerc",
		"-i", NULL };
	char *envp[] = { "HOME=/root", "USER=root", "LOGNAME=root",
		"SHELL=/bin/bash", "TERM=vt100", "LANG=C.UTF-8",
		"PATH=/disk/bin:/usr/bin:/usr/sbin", NULL };
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	(void)setsid();
	fd = open("/dev/ttyS0", O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 1) < 0)
		fail("opening", "/dev/ttyS0");
	for (int i = 0; i < 3; i++)
		(void)dup2(fd, i);
	if (fd > 2)
		(void)close(fd);
	if (chdir("/root") == 0)
		(void)execve("/bin/bash", argv, envp);
	fail("running", "/bin/bash");
	return 0;
}

/* All others end; then there is nothing left to wait for. */
static void
end_all(void)
{
	(void)kill(-1, SIGTERM);
	(void)kill(-1, SIGCONT);
	for (int i = 0; i < END_TICKS; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (kill(-1, 0) < 0)
			return;
		wait_a_tick();
	}
	(void)kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

int
main(void)
{
	const char *pid1 = getenv("pid1"); /* init/main.c: not the kernel's */
	pid_t console, pid;

	enter_root(pid1 == NULL ? MS_RDONLY : 0);
	if (pid1 != NULL) {
		mount_things(false);
		(void)execl(pid1, pid1, (char *)NULL);
		fail("running", pid1);
	}
	mount_things(true);
	(void)sethostname("machine", 7);
	console = start_console();
	do
		pid = waitpid(-1, NULL, 0);
	while (pid != console && (pid > 0 || errno == EINTR));
	end_all();
	for (size_t i = N_ELEMENTS(mounts); i-- > 0;)
		(void)umount2(mounts[i].where, MNT_DETACH);
	power_off();
}
