/*
 * victim.h - what the victims share. A victim sets up one kind of state, says
 * `ready`, waits for SIGTERM and then verifies the state itself: `ok` and
 * exit 0, or `fail: reason` and exit 1. One that cannot set its state up on
 * this machine says why and exits 77 before it is ready.
 *
 * Victims are ordinary programs: nothing of sess is in them.
 */
#ifndef TEST_VICTIM_VICTIM_H
#define TEST_VICTIM_VICTIM_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

/* Fail with a sentence unless COND holds. */
#define EXPECT(cond, ...)                         \
	do {                                      \
		if (!(cond))                      \
			victim_fail(__VA_ARGS__); \
	} while (0)

/* The system call or library function must succeed (not be negative). */
#define MUST(call)                                                       \
	({                                                               \
		__typeof__(call) must_r = (call);                        \
		if (must_r < 0)                                          \
			victim_fail("%s:%d: %s: %s", __FILE__, __LINE__, \
			    #call, strerror(errno));                     \
		must_r;                                                  \
	})

/* A function of pthread.h must succeed: it returns the error's number. */
#define MUST0(call)                                                      \
	do {                                                             \
		int must_e = (call);                                     \
		if (must_e != 0)                                         \
			victim_fail("%s:%d: %s: %s", __FILE__, __LINE__, \
			    #call, strerror(must_e));                    \
	} while (0)

static volatile sig_atomic_t victim_told;

/* One line to the terminal, past stdio. */
static inline void
victim_say(const char *word, const char *fmt, va_list ap)
{
	char line[512];
	int n = snprintf(line, sizeof line, "%s", word);

	n += vsnprintf(line + n, sizeof line - (size_t)n - 2, fmt, ap);
	if (n > (int)sizeof line - 3)
		n = sizeof line - 3;
	memcpy(line + n, "\r\n", 2);
	(void)!write(1, line, (size_t)n + 2);
}

static inline __attribute__((noreturn, format(printf, 1, 2))) void
victim_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	victim_say("fail: ", fmt, ap);
	va_end(ap);
	_exit(1);
}

/* This machine or user cannot have the state of this victim. */
static inline __attribute__((noreturn, format(printf, 1, 2))) void
victim_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	victim_say("skip: ", fmt, ap);
	va_end(ap);
	_exit(77);
}

static inline __attribute__((noreturn)) void
victim_ok(void)
{
	(void)!write(1, "ok\r\n", 4);
	_exit(0);
}

static inline void
victim_on_term(int sig)
{
	(void)sig;
	victim_told = 1;
}

/*
 * First of all: SIGTERM has a handler, and is blocked here and in all threads
 * and children to come until victim_wait().
 */
static inline void
victim_init(void)
{
	struct sigaction sa = { .sa_handler = victim_on_term };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	MUST(sigaction(SIGTERM, &sa, NULL));
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
}

static inline void
victim_ready(void)
{
	(void)!write(1, "ready\r\n", 7);
}

/* Say `ready`, and sleep in sigsuspend(2) until SIGTERM has come. */
static inline void
victim_wait(void)
{
	sigset_t before, open, after;
	int sig;

	MUST(sigprocmask(SIG_BLOCK, NULL, &before));
	open = before;
	sigdelset(&open, SIGTERM);
	victim_ready();
	while (!victim_told)
		sigsuspend(&open);
	MUST(sigprocmask(SIG_BLOCK, NULL, &after));
	for (sig = 1; sig <= SIGRTMAX; sig++)
		EXPECT(sigismember(&before, sig) == sigismember(&after, sig),
		    "mask of signal %d changed in sigsuspend", sig);
}

static inline int64_t
victim_now_ns(clockid_t clock)
{
	struct timespec ts;

	MUST(clock_gettime(clock, &ts));
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

/* Sleep a little; for polling, in a victim that has nothing to wait on. */
static inline void
victim_nap(void)
{
	struct timespec ts = { .tv_nsec = 2 * MS };

	while (nanosleep(&ts, &ts) < 0)
		;
}

/* State letter of proc_pid_stat(5) of a thread; 0 when it is gone. */
static inline char
victim_state(pid_t pid, pid_t tid)
{
	char path[64], line[256], *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = '\0';
	p = strrchr(line, ')');
	return p == NULL ? 0 : p[2];
}

static inline void
victim_until_state(pid_t pid, pid_t tid, char state)
{
	while (victim_state(pid, tid) != state)
		victim_nap();
}

/* Wait for child PID, which must exit with STATUS. */
static inline void
victim_reap(pid_t pid, int status)
{
	int st;

	EXPECT(waitpid(pid, &st, 0) == pid, "waitpid(%d): %s", pid,
	    strerror(errno));
	EXPECT(WIFEXITED(st) && WEXITSTATUS(st) == status,
	    "child %d: wait status %#x, expected exit %d", pid, st, status);
}

/* A number that depends on all of its input: pattern of tests. */
static inline uint64_t
victim_mix(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x7fb5d329728ea185);
	x ^= x >> 27;
	x *= UINT64_C(0x81dadef4bc2dd44d);
	return x ^ x >> 33;
}

static inline void
victim_fill(void *p, size_t len, uint64_t seed)
{
	uint64_t *v = p;
	size_t i;

	for (i = 0; i < len / 8; i++)
		v[i] = victim_mix(seed + i);
}

static inline void
victim_compare(const void *p, size_t len, uint64_t seed, const char *what)
{
	const uint64_t *v = p;
	size_t i;

	for (i = 0; i < len / 8; i++)
		EXPECT(v[i] == victim_mix(seed + i),
		    "%s: byte %zu of %zu is wrong", what, i * 8, len);
}

static inline void
victim_zero(const void *p, size_t len, const char *what)
{
	const unsigned char *v = p;
	size_t i;

	for (i = 0; i < len; i++)
		EXPECT(v[i] == 0, "%s: byte %zu of %zu is not zero", what, i,
		    len);
}

/* Next line that begins with KEY in a file of /proc; 0: not there. */
static inline bool
victim_proc_line(const char *path, const char *key, char *line, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool found = false;

	if (f == NULL)
		return false;
	while (!found && fgets(line, (int)cap, f) != NULL)
		found = strncmp(line, key, strlen(key)) == 0;
	fclose(f);
	return found;
}

#endif
