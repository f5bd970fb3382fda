/*
 * attributes.c - what a process is, beyond memory and descriptors: one child
 * for each attribute sets it, and looks at it when told to.
 */
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define ODD_NAME "odd) name ("
#define IOPRIO IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6)

static char *const *args;

static bool
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	bool done = f != NULL && fputs(text, f) >= 0;

	if (f != NULL && fclose(f) != 0)
		done = false;
	return done;
}

static bool
file_says(const char *path, const char *text)
{
	char line[4096];
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return false;
	n = fread(line, 1, sizeof line - 1, f);
	line[n] = '\0';
	fclose(f);
	return strncmp(line, text, strlen(text)) == 0;
}

/* In pairs: set (false: not here), and whether it is still so. */

static bool
set_umask(void)
{
	umask(0135);
	return true;
}

static bool
is_umask(void)
{
	return umask(0) == 0135;
}

static bool
set_name(void)
{
	return prctl(PR_SET_NAME, ODD_NAME) == 0;
}

static bool
is_name(void)
{
	char name[16];

	return prctl(PR_GET_NAME, name) == 0 && strcmp(name, ODD_NAME) == 0;
}

static bool
set_title(void)
{
	memcpy(args[0], "=title=", 7); /* as setproctitle() does */
	return true;
}

static bool
is_title(void)
{
	return file_says("/proc/self/cmdline", "=title=");
}

static bool
set_nice(void)
{
	return setpriority(PRIO_PROCESS, 0, 7) == 0;
}

static bool
is_nice(void)
{
	return getpriority(PRIO_PROCESS, 0) == 7;
}

static bool
set_batch(void)
{
	struct sched_param p = { 0 };

	return sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &p) ==
	    0;
}

static bool
is_batch(void)
{
	return sched_getscheduler(0) == (SCHED_BATCH | SCHED_RESET_ON_FORK);
}

static bool
set_idle(void)
{
	struct sched_param p = { 0 };

	return sched_setscheduler(0, SCHED_IDLE, &p) == 0;
}

static bool
is_idle(void)
{
	return sched_getscheduler(0) == SCHED_IDLE;
}

static int
last_cpu(const cpu_set_t *set)
{
	int i = CPU_SETSIZE - 1;

	while (i > 0 && !CPU_ISSET(i, set))
		i--;
	return i;
}

static bool
set_affinity(void)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof all, &all) < 0 || CPU_COUNT(&all) < 2)
		return false;
	CPU_SET(last_cpu(&all), &one);
	return sched_setaffinity(0, sizeof one, &one) == 0;
}

static bool
is_affinity(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 &&
	    CPU_COUNT(&set) == 1;
}

static bool
set_pdeathsig(void)
{
	return prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0;
}

static bool
is_pdeathsig(void)
{
	int sig = 0;

	return prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGUSR1;
}

static bool
set_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool
is_no_new_privs(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool
set_timerslack(void)
{
	return prctl(PR_SET_TIMERSLACK, 123456) == 0;
}

static bool
is_timerslack(void)
{
	return prctl(PR_GET_TIMERSLACK) == 123456;
}

static bool
set_thp_disable(void)
{
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0;
}

static bool
is_thp_disable(void)
{
	return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1;
}

static bool
set_personality(void)
{
	return personality(ADDR_NO_RANDOMIZE) >= 0;
}

static bool
is_personality(void)
{
	return personality(0xffffffff) == ADDR_NO_RANDOMIZE;
}

static const struct {
	int which;
	struct rlimit lim;
} limits[] = {
	{ RLIMIT_NOFILE, { 100, 200 } },
	{ RLIMIT_CORE, { 0, 0 } },
	{ RLIMIT_FSIZE, { 1u << 20, 1u << 30 } },
	{ RLIMIT_STACK, { 4u << 20, 64u << 20 } },
	{ RLIMIT_MEMLOCK, { 4096, 32768 } },
	{ RLIMIT_CPU, { 5000, RLIM_INFINITY } },
};

static bool
set_limits(void)
{
	size_t i;

	for (i = 0; i < COUNT(limits); i++)
		if (setrlimit(limits[i].which, &limits[i].lim) < 0)
			return false;
	return true;
}

static bool
is_limits(void)
{
	struct rlimit lim;
	size_t i;

	for (i = 0; i < COUNT(limits); i++)
		if (getrlimit(limits[i].which, &lim) < 0 ||
		    lim.rlim_cur != limits[i].lim.rlim_cur ||
		    lim.rlim_max != limits[i].lim.rlim_max)
			return false;
	return true;
}

static bool
set_oom(void)
{
	return write_file("/proc/self/oom_score_adj", "500\n");
}

static bool
is_oom(void)
{
	return file_says("/proc/self/oom_score_adj", "500\n");
}

static bool
set_coredump_filter(void)
{
	return write_file("/proc/self/coredump_filter", "0x11\n");
}

static bool
is_coredump_filter(void)
{
	return file_says("/proc/self/coredump_filter", "00000011\n");
}

static bool
set_ioprio(void)
{
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO) == 0;
}

static bool
is_ioprio(void)
{
	return syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == IOPRIO;
}

static bool
set_cwd(void)
{
	(void)mkdir("attributes.d", 0700);
	return chdir("attributes.d") == 0;
}

static bool
is_cwd(void)
{
	char path[4096], *end;

	if (getcwd(path, sizeof path) == NULL)
		return false;
	end = strrchr(path, '/');
	return strcmp(end, "/attributes.d") == 0;
}

static char exe_before[4096], environ_before[16];

static bool
set_exe(void)
{
	(void)setenv("VICTIM_LATER", "1", 1);
	return readlink("/proc/self/exe", exe_before, sizeof exe_before) > 0;
}

static bool
is_exe(void)
{
	char exe[4096] = "";

	return readlink("/proc/self/exe", exe, sizeof exe) > 0 &&
	    strcmp(exe, exe_before) == 0 && getenv("VICTIM_LATER") != NULL &&
	    file_says("/proc/self/environ", environ_before);
}

#define ATTRIBUTE(x)                \
	{                           \
#x, set_##x, is_##x \
	}
static const struct attribute {
	const char *name;
	bool (*set)(void), (*is)(void);
} attributes[] = {
	ATTRIBUTE(umask),
	ATTRIBUTE(name),
	ATTRIBUTE(title),
	ATTRIBUTE(nice),
	ATTRIBUTE(batch),
	ATTRIBUTE(idle),
	ATTRIBUTE(affinity),
	ATTRIBUTE(pdeathsig),
	ATTRIBUTE(no_new_privs),
	ATTRIBUTE(timerslack),
	ATTRIBUTE(thp_disable),
	ATTRIBUTE(personality),
	ATTRIBUTE(limits),
	ATTRIBUTE(oom),
	ATTRIBUTE(coredump_filter),
	ATTRIBUTE(ioprio),
	ATTRIBUTE(cwd),
	ATTRIBUTE(exe),
};

static pid_t
start(const struct attribute *a, int go, int done)
{
	char c;
	bool here;
	pid_t pid = MUST(fork());

	if (pid != 0)
		return pid;
	here = a->set();
	EXPECT(!here || a->is(), "%s: cannot be looked at", a->name);
	if (strcmp(a->name, "umask") == 0)
		a->set(); /* looking changes it */
	EXPECT(write(done, "", 1) == 1, "reporting");
	if (read(go, &c, 1) != 1)
		_exit(1);
	EXPECT(!here || a->is(), "%s is not as it was", a->name);
	_exit(0);
}

int
main(int argc, char **argv)
{
	pid_t pid[COUNT(attributes)];
	int go[2], done[2];
	size_t i;
	FILE *f;
	char c;

	(void)argc;
	args = argv;
	victim_init();
	f = fopen("/proc/self/environ", "re");
	if (f != NULL) {
		(void)!fread(environ_before, 1, sizeof environ_before - 1, f);
		fclose(f);
	}
	MUST(pipe(go));
	MUST(pipe(done));
	for (i = 0; i < COUNT(attributes); i++) {
		pid[i] = start(&attributes[i], go[0], done[1]);
		EXPECT(read(done[0], &c, 1) == 1, "no report");
	}

	victim_wait();
	for (i = 0; i < COUNT(attributes); i++)
		EXPECT(write(go[1], "", 1) == 1, "telling a child");
	for (i = 0; i < COUNT(attributes); i++)
		victim_reap(pid[i], 0);
	victim_ok();
}
