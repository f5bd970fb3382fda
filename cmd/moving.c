/*
 * moving.c - see moving.h.
 */
#include "cmd/moving.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"

static bool
is_standard(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* A file gets its name when it is complete, and never another one's. */
static int
open_file(struct context *c, struct moving *m)
{
	const char *slash = strrchr(c->out, '/');
	autofree char *dir = NULL;
	autoclose int dirfd = -1;
	int r;

	m->name = slash == NULL ? c->out : slash + 1;
	dir = slash == NULL ? strdup(".") :
			      strndup(c->out, (size_t)(slash - c->out) + 1);
	if (dir == NULL)
		return err_set(&c->err, -ENOMEM, "no memory");
	if (m->name[0] == 0)
		return err_set(&c->err, -EISDIR, "%s is no file", c->out);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_sys(&c->err, "%s", dir);
	r = temp_create(dirfd, 0600, &m->file);
	return r < 0 ? err_num(&c->err, r, "writing %s", c->out) : 0;
}

int
moving_open(struct context *c, struct moving *ret_m)
{
	struct stat st;

	if (is_standard(c->out)) {
		ret_m->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	} else if (stat(c->out, &st) == 0) {
		if (S_ISREG(st.st_mode))
			return err_set(&c->err, -EEXIST,
			    "%s exists: remove it, or choose another name",
			    c->out);
		ret_m->fd = open(c->out, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	} else {
		return open_file(c, ret_m);
	}
	if (ret_m->fd < 0)
		return err_sys(&c->err, "%s", c->out);
	if (isatty(ret_m->fd))
		return err_set(&c->err, -EINVAL,
		    "a snapshot is not for a terminal: send it into a pipe or "
		    "a file");
	return 0;
}

void
moving_close(struct moving *m)
{
	temp_done(&m->file);
	scope_close(&m->fd);
}

int
moving_send(struct context *c, struct moving *m, const char *name,
    uint64_t generation)
{
	uint64_t len;
	int r;

	r = ckpt_export(c->places.saved, name, generation,
	    m->fd >= 0 ? m->fd : m->file.fd, &len, &c->err);
	if (r < 0)
		return r;
	if (m->fd < 0) {
		r = temp_commit(&m->file, m->name);
		if (r < 0)
			return err_num(&c->err, r, "writing %s", c->out);
	}
	if (!c->quiet)
		say_line(stderr, "sent %s@%llu, %llu KiB", name,
		    (unsigned long long)generation,
		    (unsigned long long)len / 1024);
	return 0;
}

int
moving_receive(struct context *c, const char *name, uint64_t *ret_generation)
{
	autoclose int fd = is_standard(c->in) ?
	    fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) :
	    open(c->in, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_sys(&c->err, "%s", c->in);
	if (isatty(fd))
		return err_set(&c->err, -EINVAL,
		    "a snapshot does not come from a terminal: give a file or "
		    "a pipe");
	return ckpt_import(c->places.saved, name, fd, ret_generation, &c->err);
}

int
moving_stays(struct context *c, const char *name, uint64_t generation, int r)
{
	struct err why = c->err;

	return err_set(&c->err, r,
	    "%s; it is kept here as %s@%llu: sess -revive %s tries again",
	    why.text, name, (unsigned long long)generation, name);
}
