/*
 * inotify_memory.c - the path of a watched file, from the memory of who
 * watches it: hardly a program forgets what it watches. What looks like an
 * absolute path there is tried, within bounds.
 */
#include "ckpt/files/inotify_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

#define READ_LEN (64u << 10) /* bytes looked at at once */
#define LOOK_MAX (16u << 20) /* bytes looked at in all */
#define TRIES_MAX 20000      /* paths tried */
#define PATH_SHORTEST 3      /* "/a" and its end */

struct search {
	dev_t dev;
	ino_t ino;
	size_t left; /* bytes */
	int tries;
	char *path; /* PATH_MAX */
};

/* Is the string of LEN bytes at P, its end included, the path? */
static bool
try_string(struct search *s, const uint8_t *p, size_t len)
{
	struct stat st;

	if (len < PATH_SHORTEST || len > PATH_MAX || s->tries-- <= 0)
		return false;
	memcpy(s->path, p, len);
	return stat(s->path, &st) == 0 && st.st_ino == s->ino &&
	    st.st_dev == s->dev;
}

/* *RET_USED: what need not be looked at again; the rest is a string begun. */
static bool
look_at(struct search *s, const uint8_t *p, size_t len, size_t *ret_used)
{
	size_t at = 0;

	while (at < len) {
		const uint8_t *end = memchr(p + at, '\0', len - at);
		const uint8_t *slash;
		size_t n = end == NULL ? len - at : (size_t)(end - p) - at;

		if (end == NULL && at > 0)
			break;
		/* Behind what a program keeps in front of its strings. */
		slash = memchr(p + at, '/', n);
		if (end != NULL && slash != NULL &&
		    try_string(s, slash, (size_t)(end - slash) + 1))
			return true;
		at += n + 1;
	}
	*ret_used = at < len ? at : len;
	return false;
}

static bool
look_in(struct search *s, int mem, uint64_t from, uint64_t to, uint8_t *data)
{
	size_t held = 0;

	while (from < to && s->left > 0) {
		size_t want = READ_LEN - held, used;
		ssize_t n;

		if (want > to - from)
			want = to - from;
		n = pread(mem, data + held, want, (off_t)from);
		if (n <= 0)
			return false;
		from += (uint64_t)n;
		s->left -= s->left < (size_t)n ? s->left : (size_t)n;
		held += (size_t)n;
		if (look_at(s, data, held, &used))
			return true;
		memmove(data, data + used, held - used);
		held -= used;
	}
	return false;
}

bool
inotify_in_memory(pid_t pid, dev_t dev, ino_t ino, char *ret_path)
{
	struct search s = { .dev = dev,
		.ino = ino,
		.left = LOOK_MAX,
		.tries = TRIES_MAX,
		.path = ret_path };
	autofree uint8_t *data = malloc(READ_LEN);
	autofclose FILE *maps = NULL;
	autoclose int mem = -1;
	char name[64], line[2 * PATH_MAX], what[64];
	uint64_t from, to;

	(void)snprintf(name, sizeof name, "/proc/%d/maps", pid);
	maps = fopen(name, "re");
	(void)snprintf(name, sizeof name, "/proc/%d/mem", pid);
	mem = open(name, O_RDONLY | O_CLOEXEC);
	while (data != NULL && maps != NULL && mem >= 0 &&
	    fgets(line, sizeof line, maps) != NULL) {
		what[0] = '\0';
		if (sscanf(line,
			"%" SCNx64 "-%" SCNx64 " rw-p %*s %*s %*s %63s", &from,
			&to, what) < 2 ||
		    strstr(line, " rw-p ") == NULL)
			continue;
		if ((what[0] == '\0' || what[0] == '[') &&
		    look_in(&s, mem, from, to, data))
			return true;
	}
	return false;
}
