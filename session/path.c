/*
 * path.c - see path.h.
 */
#include "session/path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/scope.h"
#include "session/session.h"

/* What stands in a name for what must not. */
static const struct {
	char byte;
	const char *stand_in;
} letters[] = {
	{ '/', "\xe2\x88\x95" },
	{ '@', "\xef\xbc\xa0" },
};

static int
put_letter(struct buf *b, char byte)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(letters); i++)
		if (letters[i].byte == byte)
			return buf_put(b, letters[i].stand_in,
			    strlen(letters[i].stand_in));
	return buf_put(b, &byte, 1);
}

/* Append TEXT, and a slash before it unless there is one. */
static int
put_part(struct buf *b, const char *text, bool slash)
{
	int r = slash ? put_letter(b, '/') : 0;

	for (; r == 0 && *text != 0; text++)
		r = put_letter(b, *text);
	return r;
}

int
path_name(const char *path, char **ret_name)
{
	autofree char *copy = strdup(path), *dir = NULL, *name = NULL;
	struct buf b autobuf = BUF_INIT(3 * PATH_MAX);
	struct stat st;
	char *base;
	int r;

	if (copy == NULL)
		return -ENOMEM;
	base = strrchr(copy, '/');
	if (base != NULL)
		*base++ = 0;
	dir = realpath(base == NULL ? "." : copy[0] == 0 ? "/" : copy, NULL);
	if (dir == NULL || stat(dir, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	base = base == NULL ? copy : base;
	if (base[0] == 0 || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return base[0] == 0 && path[0] == 0 ? -ENOENT : -EADDRINUSE;
	r = put_part(&b, strcmp(dir, "/") == 0 ? "" : dir, false);
	if (r == 0)
		r = put_part(&b, base, true);
	if (r < 0)
		return r;
	name = strndup((char *)b.data, b.len);
	if (name == NULL)
		return -ENOMEM;
	r = session_check_name(name, NULL);
	if (r == 0)
		*ret_name = TAKE_PTR(name);
	return r;
}

char *
path_of(const char *name)
{
	struct buf b autobuf = BUF_INIT(PATH_MAX);
	size_t i, len = strlen(letters[0].stand_in);
	int r = 0;

	if (strncmp(name, letters[0].stand_in, len) != 0)
		return NULL;
	for (; r == 0 && *name != 0; name += len) {
		char byte = *name;

		len = 1;
		for (i = 0; i < N_ELEMENTS(letters); i++)
			if (strncmp(name, letters[i].stand_in,
				strlen(letters[i].stand_in)) == 0) {
				byte = letters[i].byte;
				len = strlen(letters[i].stand_in);
			}
		r = buf_put(&b, &byte, 1);
	}
	return r < 0 ? NULL : strndup((char *)b.data, b.len);
}

/* Does the link at PATH lead to SOCKET? */
static bool
leads_to(const char *path, const char *socket)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target);

	return n > 0 && (size_t)n == strlen(socket) &&
	    memcmp(target, socket, (size_t)n) == 0;
}

bool
path_is_taken(const char *name, const char *socket)
{
	autofree char *path = path_of(name);
	struct stat st;

	return path != NULL && lstat(path, &st) == 0 &&
	    (!S_ISLNK(st.st_mode) ||
		(!leads_to(path, socket) && stat(path, &st) == 0));
}

void
path_link(const char *name, const char *socket)
{
	autofree char *path = path_of(name);

	if (path == NULL || leads_to(path, socket))
		return;
	if (symlink(socket, path) == 0 || errno != EEXIST)
		return;
	if (!path_is_taken(name, socket) && unlink(path) == 0)
		(void)!symlink(socket, path);
}

void
path_unlink(const char *name, const char *socket)
{
	autofree char *path = path_of(name);

	if (path != NULL && leads_to(path, socket))
		(void)unlink(path);
}
