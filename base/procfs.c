/*
 * procfs.c - see procfs.h. Fields that a kernel does not print stay 0: files
 * of /proc grow at their ends, and some lines depend on the configuration.
 */
#include "base/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/scope.h"

#define FILE_MAX (4 * 1024 * 1024)
#define STAT_MAX 4096 /* 52 numbers and a name */
#define STAT_FIRST 3  /* the first field behind the name */
#define STAT_LAST 52

enum kind {
	INT,    /* int32_t */
	UINT,   /* uint32_t */
	WORD,   /* uint64_t */
	HEX,    /* uint64_t, hexadecimal */
	OCTAL,  /* mode_t; sets has_umask */
	FLAG,   /* bool */
	IDS,    /* four of uint32_t */
	LAST,   /* int32_t: the last of a list */
	GROUPS, /* groups and n_groups */
};

struct field {
	int nr;          /* of /proc/PID/stat */
	const char *key; /* of /proc/PID/status */
	enum kind kind;
	size_t offset;
};

#define STAT(n, k, m)                                     \
	{                                                 \
		.nr = (n), .kind = (k),                   \
		.offset = offsetof(struct procfs_stat, m) \
	}

static const struct field stat_fields[] = {
	STAT(4, INT, ppid),
	STAT(5, INT, pgrp),
	STAT(6, INT, session),
	STAT(7, INT, tty_nr),
	STAT(8, INT, tpgid),
	STAT(9, UINT, flags),
	STAT(19, INT, nice),
	STAT(20, INT, num_threads),
	STAT(22, WORD, starttime),
	STAT(26, WORD, start_code),
	STAT(27, WORD, end_code),
	STAT(28, WORD, start_stack),
	STAT(38, INT, exit_signal),
	STAT(39, INT, processor),
	STAT(40, UINT, rt_priority),
	STAT(41, UINT, policy),
	STAT(45, WORD, start_data),
	STAT(46, WORD, end_data),
	STAT(47, WORD, start_brk),
	STAT(48, WORD, arg_start),
	STAT(49, WORD, arg_end),
	STAT(50, WORD, env_start),
	STAT(51, WORD, env_end),
	STAT(52, INT, exit_code),
};

#define STATUS(t, k, m)                                     \
	{                                                   \
		.key = (t), .kind = (k),                    \
		.offset = offsetof(struct procfs_status, m) \
	}

static const struct field status_fields[] = {
	STATUS("Umask", OCTAL, umask),
	STATUS("PPid", INT, ppid),
	STATUS("TracerPid", INT, tracer),
	STATUS("Uid", IDS, uids),
	STATUS("Gid", IDS, gids),
	STATUS("Groups", GROUPS, groups),
	STATUS("NSpid", LAST, nspid),
	STATUS("NSpgid", LAST, nspgid),
	STATUS("NSsid", LAST, nssid),
	STATUS("VmLck", WORD, vmlck_kib),
	STATUS("Threads", INT, threads),
	STATUS("SigPnd", HEX, sigpnd),
	STATUS("ShdPnd", HEX, shdpnd),
	STATUS("SigBlk", HEX, sigblk),
	STATUS("SigIgn", HEX, sigign),
	STATUS("SigCgt", HEX, sigcgt),
	STATUS("CapInh", HEX, cap_inh),
	STATUS("CapPrm", HEX, cap_prm),
	STATUS("CapEff", HEX, cap_eff),
	STATUS("CapBnd", HEX, cap_bnd),
	STATUS("CapAmb", HEX, cap_amb),
	STATUS("NoNewPrivs", FLAG, no_new_privs),
	STATUS("Seccomp", INT, seccomp),
	STATUS("Seccomp_filters", INT, seccomp_filters),
};

/* Is there a number of BASE at *P on the same line? Then step behind it. */
static bool
next_number(const char **p, int base, uint64_t *ret)
{
	const char *s = *p;
	char *end;

	while (*s == ' ' || *s == '\t')
		s++;
	if (*s == '\n' || *s == 0)
		return false;
	errno = 0;
	*ret = *s == '-' ? (uint64_t)strtoll(s, &end, base) :
			   strtoull(s, &end, base);
	if (end == s || errno != 0)
		return false;
	*p = end;
	return true;
}

static void
store_int(void *where, uint64_t v)
{
	int32_t i = (int32_t)v;

	memcpy(where, &i, sizeof i);
}

static int
parse_ids(const char *p, uint32_t ids[4])
{
	for (int i = 0; i < 4; i++) {
		uint64_t v;

		if (!next_number(&p, 10, &v))
			return -EBADMSG;
		ids[i] = (uint32_t)v;
	}
	return 0;
}

static int
parse_groups(const char *p, struct procfs_status *s)
{
	const char *q = p;
	uint64_t v;
	size_t n = 0;

	if (s->groups != NULL)
		return -EBADMSG;
	while (next_number(&q, 10, &v))
		n++;
	s->groups = calloc(n + 1, sizeof *s->groups);
	if (s->groups == NULL)
		return -ENOMEM;
	while (next_number(&p, 10, &v))
		s->groups[s->n_groups++] = (gid_t)v;
	return 0;
}

/* The value of field F, whose text begins at P, into its place below BASE. */
static int
parse_field(const struct field *f, const char *p, void *base)
{
	int radix = f->kind == HEX ? 16 : f->kind == OCTAL ? 8 : 10;
	struct procfs_status *status = base;
	char *where = (char *)base + f->offset;
	uint64_t v, last;

	if (f->kind == IDS)
		return parse_ids(p, (uint32_t *)(void *)where);
	if (f->kind == GROUPS)
		return parse_groups(p, status);
	if (!next_number(&p, radix, &v))
		return -EBADMSG;
	switch (f->kind) {
	case LAST:
		for (last = v; next_number(&p, 10, &v);)
			last = v;
		store_int(where, last);
		break;
	case WORD:
	case HEX:
		memcpy(where, &v, sizeof v);
		break;
	case FLAG:
		*(bool *)(void *)where = v != 0;
		break;
	case OCTAL:
		status->umask = (mode_t)v;
		status->has_umask = true;
		break;
	default:
		store_int(where, v);
	}
	return 0;
}

/* Fill ST from the fields behind the name, P; the first is the state. */
static int
parse_stat_fields(const char *p, struct procfs_stat *st)
{
	size_t f = 0;
	int r;

	if (p[0] != ' ' || p[1] == 0)
		return -EBADMSG;
	st->state = p[1];
	p += 2;
	for (int nr = STAT_FIRST + 1; nr <= STAT_LAST; nr++) {
		if (*p != ' ')
			return -EBADMSG;
		if (stat_fields[f].nr == nr) {
			r = parse_field(&stat_fields[f++], p, st);
			if (r < 0)
				return r;
		}
		p += 1 + strcspn(p + 1, " \n");
	}
	return 0;
}

int
procfs_parse_stat(const char *text, struct procfs_stat *ret_stat)
{
	struct procfs_stat st = { 0 };
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t pid;
	size_t len;
	int r;

	if (open == NULL || close == NULL || close < open)
		return -EBADMSG;
	if (!next_number(&text, 10, &pid))
		return -EBADMSG;
	st.pid = (pid_t)pid;
	len = (size_t)(close - open) - 1;
	if (len > sizeof st.comm - 1)
		len = sizeof st.comm - 1;
	memcpy(st.comm, open + 1, len);
	r = parse_stat_fields(close + 1, &st);
	if (r < 0)
		return r;
	*ret_stat = st;
	return 0;
}

static const struct field *
find_status_field(const char *line, size_t key_len)
{
	for (size_t i = 0; i < N_ELEMENTS(status_fields); i++) {
		const char *key = status_fields[i].key;

		if (strncmp(key, line, key_len) == 0 && key[key_len] == 0)
			return &status_fields[i];
	}
	return NULL;
}

void
procfs_status_done(struct procfs_status *s)
{
	free(s->groups);
	s->groups = NULL;
	s->n_groups = 0;
}

int
procfs_parse_status(const char *text, struct procfs_status *ret_status)
{
	scoped(procfs_status_done) struct procfs_status s = { 0 };
	const struct field *f;
	int r;

	/* The kernel escapes newlines in the name, so lines are lines. */
	while (*text != 0) {
		size_t len = strcspn(text, ":\n");

		f = text[len] == ':' ? find_status_field(text, len) : NULL;
		if (f != NULL) {
			r = parse_field(f, text + len + 1, &s);
			if (r < 0)
				return r;
		}
		text += len + strcspn(text + len, "\n");
		text += *text == '\n';
	}
	if (s.nspid <= 0 || s.groups == NULL)
		return -EBADMSG;
	*ret_status = s;
	s.groups = NULL;
	return 0;
}

/* "signal/pid.12", "none/pid.12", "signal/tid.12", "thread/pid.12" */
static int
parse_notify(const char *text, struct procfs_timer *t)
{
	char how[8], whom[4];
	int id;

	if (sscanf(text, "%7[a-z]/%3[a-z].%d", how, whom, &id) != 3)
		return -EBADMSG;
	t->notify = strcmp(how, "none") == 0 ? SIGEV_NONE :
	    strcmp(how, "thread") == 0       ? SIGEV_THREAD :
					       SIGEV_SIGNAL;
	if (strcmp(whom, "tid") == 0)
		t->notify |= SIGEV_THREAD_ID;
	t->notify_id = id;
	return 0;
}

/* The four lines at *P; steps behind them. */
static int
parse_timer(const char **p, struct procfs_timer *ret_t)
{
	struct procfs_timer t = { 0 };
	unsigned long long value;
	char notify[40];
	int len = 0;

	if (sscanf(*p, "ID: %d signal: %d/%llx notify: %39[^\n] ClockID: %d%n",
		&t.id, &t.signo, &value, notify, &t.clock, &len) != 5)
		return -EBADMSG;
	t.value = value;
	if (parse_notify(notify, &t) < 0)
		return -EBADMSG;
	*p += len;
	*p += strspn(*p, "\n");
	*ret_t = t;
	return 0;
}

int
procfs_parse_timers(const char *text, struct procfs_timer **ret_timers,
    size_t *ret_n)
{
	autofree struct procfs_timer *v = NULL;
	size_t n = 0, cap = 0;
	int r;

	while (*text != 0) {
		if (array_room(&v, n, &cap) < 0)
			return -ENOMEM;
		r = parse_timer(&text, &v[n]);
		if (r < 0)
			return r;
		n++;
	}
	*ret_timers = TAKE_PTR(v);
	*ret_n = n;
	return 0;
}

int
procfs_read(pid_t pid, const char *name, struct buf *b)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	return io_read_file(AT_FDCWD, path, b);
}

/* A process that is gone is ENOENT at open and ESRCH at read: one answer. */
static int
read_file(pid_t pid, const char *name, struct buf *b)
{
	int r = procfs_read(pid, name, b);

	return r == -ENOENT ? -ESRCH : r;
}

int
procfs_stat_open(pid_t pid)
{
	char path[64];
	int fd;

	/* Of the thread: /proc/PID/stat adds up the times of all threads. */
	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

int
procfs_stat_look(int fd, struct procfs_stat *ret_stat)
{
	char text[STAT_MAX];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = 0;
	return procfs_parse_stat(text, ret_stat);
}

int
procfs_stat(pid_t pid, struct procfs_stat *ret_stat)
{
	autoclose int fd = procfs_stat_open(pid);

	return fd < 0 ? fd : procfs_stat_look(fd, ret_stat);
}

int
procfs_status(pid_t pid, struct procfs_status *ret_status)
{
	autobuf struct buf b = BUF_INIT(FILE_MAX);
	int r;

	r = read_file(pid, "status", &b);
	if (r < 0)
		return r;
	return procfs_parse_status((const char *)b.data, ret_status);
}

int
procfs_timers(pid_t pid, struct procfs_timer **ret_timers, size_t *ret_n)
{
	autobuf struct buf b = BUF_INIT(FILE_MAX);
	int r;

	r = read_file(pid, "timers", &b);
	if (r < 0)
		return r;
	return procfs_parse_timers((const char *)b.data, ret_timers, ret_n);
}

/* The names of PATH that are numbers; FIRST, if among them, comes first. */
static int
list_numbers(const char *path, pid_t first, pid_t **ret_pids, size_t *ret_n)
{
	autoclosedir DIR *d = opendir(path);
	autofree pid_t *v = NULL;
	size_t n = 0, cap = 0;
	struct dirent *ent;

	if (d == NULL)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((errno = 0, ent = readdir(d)) != NULL) {
		char *end;
		long pid = strtol(ent->d_name, &end, 10);

		if (*end != 0 || pid <= 0 || pid > INT_MAX)
			continue;
		if (array_room(&v, n, &cap) < 0)
			return -ENOMEM;
		v[n++] = (pid_t)pid;
		if (pid == first) {
			v[n - 1] = v[0];
			v[0] = first;
		}
	}
	if (errno != 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_pids = TAKE_PTR(v);
	*ret_n = n;
	return 0;
}

bool
procfs_is_ending(pid_t pid)
{
	enum { EXITING = 0x4 }; /* PF_EXITING of include/linux/sched.h */
	struct procfs_stat st;

	return procfs_stat(pid, &st) < 0 || st.state == 'Z' ||
	    st.state == 'X' || (st.flags & EXITING) != 0;
}

int
procfs_tids(pid_t pid, pid_t **ret_tids, size_t *ret_n)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/task", pid);
	return list_numbers(path, pid, ret_tids, ret_n);
}

int
procfs_pids(pid_t **ret_pids, size_t *ret_n)
{
	return list_numbers("/proc", 0, ret_pids, ret_n);
}

int
procfs_link(pid_t pid, const char *name, char **ret_target)
{
	char path[64], *target;
	ssize_t len;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	target = malloc(PATH_MAX + 1);
	if (target == NULL)
		return -ENOMEM;
	len = readlink(path, target, PATH_MAX + 1);
	if (len < 0 || len > PATH_MAX) {
		int r = len < 0 ? -errno : -ENAMETOOLONG;

		free(target);
		return r;
	}
	target[len] = 0;
	*ret_target = target;
	return 0;
}

int
procfs_namespace(pid_t pid, const char *name, uint64_t *ret_ino)
{
	char path[64], text[64];
	ssize_t len;

	/* The link says "net:[4026531840]", at half the price of a stat(2). */
	(void)snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, name);
	len = readlink(path, text, sizeof text - 1);
	if (len < 0)
		return -errno;
	text[len] = 0;
	return sscanf(text, "%*[a-z_]:[%" SCNu64 "]", ret_ino) == 1 ? 0 :
								      -EBADMSG;
}
