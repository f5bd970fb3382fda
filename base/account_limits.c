/*
 * account_limits.c - the limits of a login: /etc/security/limits.conf and
 * limits.d/<any>.conf, read as pam_limits(8) does (limits.conf(5)). A line for the
 * user counts more than one for a group of his, that more than one for all;
 * among equals the last one.
 */
#include "base/account.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/scope.h"

#define CONF_FILE "/etc/security/limits.conf"
#define CONF_DIR "/etc/security/limits.d"
#define NICE_TOP 20 /* RLIMIT_NICE is 20 - nice */
#define MINUTE_S 60

enum level { FOR_NOBODY, FOR_ALL, FOR_GROUP, FOR_USER };

static const struct item {
	const char *word;
	int resource;
	unsigned unit;
} items[] = {
	{ "core", RLIMIT_CORE, 1024 },
	{ "data", RLIMIT_DATA, 1024 },
	{ "fsize", RLIMIT_FSIZE, 1024 },
	{ "memlock", RLIMIT_MEMLOCK, 1024 },
	{ "nofile", RLIMIT_NOFILE, 1 },
	{ "rss", RLIMIT_RSS, 1024 },
	{ "stack", RLIMIT_STACK, 1024 },
	{ "cpu", RLIMIT_CPU, MINUTE_S },
	{ "nproc", RLIMIT_NPROC, 1 },
	{ "as", RLIMIT_AS, 1024 },
	{ "locks", RLIMIT_LOCKS, 1 },
	{ "sigpending", RLIMIT_SIGPENDING, 1 },
	{ "msgqueue", RLIMIT_MSGQUEUE, 1 },
	{ "nice", RLIMIT_NICE, 1 },
	{ "rtprio", RLIMIT_RTPRIO, 1 },
};

/* What the files say so far of one item. */
struct wish {
	enum level soft_level, hard_level;
	rlim_t soft, hard;
};

static enum level
level_of(const struct account *a, const char *domain)
{
	struct group *gr;

	if (strcmp(domain, a->name) == 0)
		return FOR_USER;
	if (strcmp(domain, "*") == 0)
		return a->uid == 0 ? FOR_NOBODY : FOR_ALL; /* as pam_limits */
	if (domain[0] != '@' || (gr = getgrnam(domain + 1)) == NULL)
		return FOR_NOBODY;
	for (int i = 0; i < a->n_groups; i++)
		if (a->groups[i] == gr->gr_gid)
			return FOR_GROUP;
	return FOR_NOBODY;
}

static bool
parse_value(const struct item *it, const char *text, rlim_t *ret_value)
{
	long long n;
	char *end;

	if (strcmp(text, "unlimited") == 0 || strcmp(text, "infinity") == 0 ||
	    (strcmp(text, "-1") == 0 && it->resource != RLIMIT_NICE)) {
		*ret_value = RLIM_INFINITY;
		return true;
	}
	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end != 0 || errno != 0)
		return false;
	if (it->resource == RLIMIT_NICE)
		n = NICE_TOP - n;
	if (n < 0 || n > INT64_MAX / it->unit)
		return false;
	*ret_value = (rlim_t)n * it->unit;
	return true;
}

static void
wish_add(struct wish *w, enum level level, const char *type, rlim_t value)
{
	bool both = strcmp(type, "-") == 0;

	if ((both || strcmp(type, "soft") == 0) && level >= w->soft_level) {
		w->soft = value;
		w->soft_level = level;
	}
	if ((both || strcmp(type, "hard") == 0) && level >= w->hard_level) {
		w->hard = value;
		w->hard_level = level;
	}
}

/* DOMAIN TYPE ITEM VALUE */
static void
read_line(const struct account *a, char *line,
    struct wish wishes[N_ELEMENTS(items)])
{
	char *word[4] = { NULL }, *save = NULL;
	enum level level;
	rlim_t value;

	line[strcspn(line, "#\n")] = 0;
	for (size_t i = 0; i < N_ELEMENTS(word); i++) {
		word[i] = strtok_r(i == 0 ? line : NULL, " \t", &save);
		if (word[i] == NULL)
			return;
	}
	level = level_of(a, word[0]);
	for (size_t i = 0; level != FOR_NOBODY && i < N_ELEMENTS(items); i++)
		if (strcmp(items[i].word, word[2]) == 0 &&
		    parse_value(&items[i], word[3], &value))
			wish_add(&wishes[i], level, word[1], value);
}

static void
read_conf(const struct account *a, int dirfd, const char *name,
    struct wish wishes[N_ELEMENTS(items)])
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	autofree char *line = NULL;
	size_t cap = 0;

	if (f == NULL)
		return;
	while (getline(&line, &cap, f) >= 0)
		read_line(a, line, wishes);
	(void)fclose(f);
}

static int
is_conf(const struct dirent *de)
{
	size_t len = strlen(de->d_name);

	return len > 5 && strcmp(de->d_name + len - 5, ".conf") == 0;
}

static void
read_all(const struct account *a, struct wish wishes[N_ELEMENTS(items)])
{
	autoclose int fd = open(CONF_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **v = NULL;
	int n = fd < 0 ? 0 : scandir(CONF_DIR, &v, is_conf, alphasort);

	read_conf(a, AT_FDCWD, CONF_FILE, wishes);
	for (int i = 0; i < n; i++) {
		read_conf(a, fd, v[i]->d_name, wishes);
		free(v[i]);
	}
	free(v);
}

static void
apply(const struct item *it, const struct wish *w)
{
	struct rlimit now, rl;

	if (getrlimit((__rlimit_resource_t)it->resource, &now) < 0)
		return;
	rl = now;
	if (w->hard_level != FOR_NOBODY)
		rl.rlim_max = w->hard;
	if (w->soft_level != FOR_NOBODY)
		rl.rlim_cur = w->soft;
	if (rl.rlim_cur > rl.rlim_max)
		rl.rlim_cur = rl.rlim_max;
	if (setrlimit((__rlimit_resource_t)it->resource, &rl) == 0)
		return;
	/* Nobody may raise it here: as much as is allowed. */
	rl.rlim_max = now.rlim_max;
	if (rl.rlim_cur > rl.rlim_max)
		rl.rlim_cur = rl.rlim_max;
	(void)setrlimit((__rlimit_resource_t)it->resource, &rl);
}

void
account_limits(const struct account *a)
{
	struct wish wishes[N_ELEMENTS(items)] = { { FOR_NOBODY } };

	read_all(a, wishes);
	for (size_t i = 0; i < N_ELEMENTS(items); i++)
		apply(&items[i], &wishes[i]);
}
