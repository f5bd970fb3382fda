/*
 * after.c - life goes on: a process does afterwards what it has not done
 * before. Threads, children, programs by each way, libraries loaded late,
 * new terminals, new memory; and in the end it executes itself.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "test/victim/victim.h"

extern char **environ;

static void *
in_thread(void *arg)
{
	return (char *)arg + 1;
}

static void
start_threads(void)
{
	static char mark[8];
	pthread_t t[8];
	void *ret;
	size_t i;

	for (i = 0; i < COUNT(t); i++)
		MUST0(pthread_create(&t[i], NULL, in_thread, mark + i % 4));
	for (i = 0; i < COUNT(t); i++) {
		MUST0(pthread_join(t[i], &ret));
		EXPECT(ret == mark + i % 4 + 1, "a new thread");
	}
}

static void
start_programs(void)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 5", NULL };
	char line[16] = "";
	pid_t pid;
	FILE *f;

	pid = MUST(fork());
	if (pid == 0)
		_exit(execv("/bin/sh", argv));
	victim_reap(pid, 5);
	MUST0(posix_spawnp(&pid, "sh", NULL, NULL, argv, environ));
	victim_reap(pid, 5);
	EXPECT(WEXITSTATUS(system("exit 6")) == 6, "system()");
	f = popen("echo from a pipe", "re");
	EXPECT(f != NULL && fgets(line, sizeof line, f) != NULL &&
		strncmp(line, "from a pipe", 11) == 0,
	    "popen(): '%s'", line);
	EXPECT(pclose(f) == 0, "pclose()");
}

static void
take_memory(void)
{
	size_t len = 16u << 20;
	unsigned char *p = malloc(len), *q;

	EXPECT(p != NULL, "malloc");
	memset(p, 1, len);
	free(p);
	q = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	EXPECT(q != MAP_FAILED, "mmap: %s", strerror(errno));
	q[len - 1] = 1;
	MUST(munmap(q, len));
}

static void
open_things(void)
{
	int master, slave, fd, pair[2];
	char byte;

	MUST(openpty(&master, &slave, NULL, NULL, NULL));
	EXPECT(write(master, "x\n", 2) == 2 && read(slave, &byte, 1) == 1,
	    "a new pty");
	fd = MUST(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
	EXPECT(read(fd, &byte, 1) == 1, "/proc/self");
	fd = MUST(open("after.file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	EXPECT(write(fd, "x", 1) == 1, "a new file");
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT(getrandom(&byte, 1, 0) == 1, "getrandom");
	EXPECT(getpwuid(getuid()) != NULL || geteuid() != 0, "getpwuid");
}

static void
load_library(void)
{
	void *lib = dlopen("libresolv.so.2", RTLD_NOW);

	EXPECT(lib != NULL, "dlopen: %s", dlerror());
	EXPECT(dlsym(lib, "ns_name_uncompress") != NULL, "dlsym");
	dlclose(lib);
}

int
main(int argc, char **argv)
{
	char *again[] = { argv[0], (char *)"again", NULL };
	static uint64_t canary[64];

	if (argc > 1)
		victim_ok();
	victim_init();
	victim_fill(canary, sizeof canary, 9);
	victim_wait();
	start_threads();
	start_programs();
	take_memory();
	open_things();
	load_library();
	victim_compare(canary, sizeof canary, 9, "static memory");
	execv("/proc/self/exe", again);
	victim_fail("execv: %s", strerror(errno));
}
