/*
 * writer.c - see writer.h.
 */
#include "ckpt/writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/scope.h"
#include "ckpt/files/files.h"
#include "ckpt/image/store.h"
#include "ckpt/memory/pages.h"
#include "ckpt/rehearse.h"

/* The writer keeps no terminal open (D2) and no socket. */
static void
drop_terminals(void)
{
	autoclosedir DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	struct stat st;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		int fd = (int)strtol(d->d_name, NULL, 10);

		if (d->d_name[0] != '.' && fstat(fd, &st) == 0 &&
		    (S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode)))
			(void)close(fd);
	}
}

static int
put_session(struct save *s, struct image_writer *w)
{
	Img__Session m = IMG__SESSION__INIT;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	m.name = s->session.name;
	m.id = s->session.id;
	m.argv = s->session.argv;
	while (m.argv != NULL && m.argv[m.n_argv] != NULL)
		m.n_argv++;
	m.created_s = s->session.created_s;
	m.saved_s = (uint64_t)now.tv_sec;
	m.rows = s->session.rows;
	m.cols = s->session.cols;
	m.screen.data = s->session.screen.data;
	m.screen.len = s->session.screen.len;
	m.input.data = s->session.input.data;
	m.input.len = s->session.input.len;
	m.stop = s->req.stop;
	if (buf_put(&s->c.notes, "", 1) == 0) {
		s->c.notes.len--;
		m.notes = (char *)s->c.notes.data;
	}
	return image_put(w, IMG_SESSION, 0, &m.base, s->c.err);
}

static int
write_image(struct save *s, uint64_t *ret_len)
{
	struct ckpt *c = &s->c;
	struct image_writer *w = NULL;
	autoclose int dirfd = -1;
	int r;

	r = store_open(s->req.saved_dirfd, s->req.name, true, &dirfd, c->err);
	if (r >= 0)
		r = FAULT("save.create-image", c->err);
	if (r >= 0)
		r = image_create(dirfd, s->generation, s->req.zstd_level, &w,
		    c->err);
	if (r >= 0)
		r = put_session(s, w);
	if (r >= 0)
		r = pages_write(c, w);
	if (r >= 0)
		r = files_write(c, w);
	for (size_t i = 0; r >= 0 && i < c->n_records; i++)
		r = image_put_packed(w, c->records[i].tag, c->records[i].id,
		    c->records[i].data, c->records[i].len, c->err);
	if (r >= 0)
		r = FAULT("save.commit-image", c->err);
	if (r < 0) {
		image_abort(w);
		return r;
	}
	return image_commit(w, ret_len, c->err);
}

static void
writer_main(struct save *s, int report, pid_t server)
{
	struct verdict v = { .generation = s->generation };
	size_t noted = s->c.notes.len;

	child_begin(server);            /* killed before: the tree runs */
	(void)signal(SIGXFSZ, SIG_IGN); /* then RLIMIT_FSIZE is an error */
	drop_terminals();
	s->err.text[0] = '\0';
	v.result = write_image(s, &v.image_len);
	if (s->c.notes.len > noted)
		(void)snprintf(v.written.text, sizeof v.written.text, "%.*s",
		    (int)(s->c.notes.len - noted - 1),
		    (const char *)s->c.notes.data + noted);
	v.err = s->err;
	if (v.result >= 0)
		(void)rehearse(&v.rehearsal);
	(void)io_write(report, &v, sizeof v);
	_exit(v.result < 0);
}

int
writer_fork(struct save *s)
{
	pid_t server = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(&s->err, "starting the writer");
	s->writer = fork();
	if (s->writer < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		s->writer = 0;
		return err_sys(&s->err, "starting the writer");
	}
	if (s->writer == 0)
		writer_main(s, fds[1], server);
	(void)close(fds[1]);
	s->report = fds[0];
	return 0;
}
