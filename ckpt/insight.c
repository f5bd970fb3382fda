/*
 * insight.c - see insight.h. What an image does not say, or says in a way
 * that cannot be understood, is left out: only the session's own record and
 * that of the machine must be there.
 */
#include "ckpt/insight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "ckpt/image/objects_of.h"
#include "ckpt/image/stream.h"
#include "ckpt/machine.h"
#include "ckpt/memory/mapping.h"
#include "ckpt/peek.h"
#include "ckpt/rehearse.h"
#include "ckpt/saved.h"

#define LINE_MAX_LEN (64u << 10)

static void
process_done(struct insight_process *p)
{
	free(p->command);
	free(p->cwd);
	while (p->n_files > 0)
		free(p->files[--p->n_files]);
	free(p->files);
}

void
insight_done(struct insight *s)
{
	free(s->name);
	free(s->command);
	free(s->arch);
	free(s->release);
	free(s->notes);
	free(s->unfit);
	while (s->n > 0)
		process_done(&s->v[--s->n]);
	free(s->v);
	*s = (struct insight){ .name = NULL };
}

/* Words with blanks between; NULL without memory. */
static char *
join(char *const *words, size_t n)
{
	autobuf struct buf b = BUF_INIT(LINE_MAX_LEN);

	for (size_t i = 0; i < n && words[i] != NULL; i++)
		if (buf_printf(&b, "%s%s", i > 0 ? " " : "", words[i]) < 0)
			break;
	return strndup(b.data == NULL ? "" : (char *)b.data, b.len);
}

/* ---- the session and the machine ---- */

static int
read_session(const struct image *img, struct insight *s, struct err *e)
{
	Img__Session *m = image_find(img, IMG_SESSION, 0,
	    &img__session__descriptor, e);

	if (m == NULL)
		return -EBADMSG;
	s->name = strdup(m->name);
	s->command = join(m->argv, m->n_argv);
	s->saved_s = m->saved_s;
	s->created_s = m->created_s;
	s->rows = m->rows;
	s->cols = m->cols;
	s->notes = strdup(m->notes);
	img__session__free_unpacked(m, NULL);
	return s->name == NULL || s->command == NULL || s->notes == NULL ?
	    err_set(e, -ENOMEM, "out of memory") :
	    0;
}

/* SAVED_DIRFD: where the kept copies are; -1: they came with the image. */
static int
read_machine(struct image *img, int saved_dirfd, struct insight *s,
    struct err *e)
{
	Img__Machine *m = image_find(img, IMG_MACHINE, 0,
	    &img__machine__descriptor, e);
	struct err why = { "" };
	struct ckpt c = { .err = &why, .img = img, .saved_dirfd = saved_dirfd };

	if (m == NULL)
		return -EBADMSG;
	s->arch = strdup(m->arch);
	s->release = strdup(m->release);
	img__machine__free_unpacked(m, NULL);
	if (machine_fits(img, &why) < 0 || rehearse(&why) < 0 ||
	    (saved_dirfd >= 0 && mapping_look(&c) < 0))
		s->unfit = strdup(why.text);
	return 0;
}

static void
read_objects(const struct image *img, struct insight *s)
{
	scoped(object_ids_done) struct object_ids o = { .n = 0 };

	if (object_ids_of(img, &o, NULL) < 0)
		return;
	s->n_objects = o.n;
	for (size_t i = 0; i < o.n; i++)
		s->objects_len += o.v[i].size;
}

/* ---- processes ---- */

static void
read_memory(const struct image *img, struct image_pages *pages,
    struct insight_process *p)
{
	Img__Mm *mm = image_find(img, IMG_MM, p->pid, &img__mm__descriptor,
	    NULL);
	autofree char **words = NULL;
	size_t n = 0;

	if (mm == NULL)
		return;
	for (size_t i = 0; i < mm->n_pages; i++)
		p->memory += mm->pages[i]->n_pages * IMAGE_PAGE;
	if (peek_words(pages, mm, mm->arg_start, mm->arg_end, &words, NULL) ==
	    0) {
		while (words[n] != NULL)
			n++;
		if (n > 0) {
			free(p->command);
			p->command = join(words, n);
		}
	}
	img__mm__free_unpacked(mm, NULL);
}

static void
read_rights(const struct image *img, struct insight_process *p)
{
	Img__Fs *fs = image_find(img, IMG_FS, p->pid, &img__fs__descriptor,
	    NULL);
	Img__Cred *cred = image_find(img, IMG_CRED, p->pid,
	    &img__cred__descriptor, NULL);

	if (fs != NULL) {
		p->cwd = strndup((char *)fs->cwd.data, fs->cwd.len);
		img__fs__free_unpacked(fs, NULL);
	}
	if (cred != NULL) {
		if (cred->n_uids > 1)
			p->uid = cred->uids[1];
		img__cred__free_unpacked(cred, NULL);
	}
}

/* The descriptors of file ID in F, then what it is. */
static char *
file_line(const struct image *img, const Img__Files *f, uint64_t id)
{
	Img__File *m = image_find(img, IMG_FILE, id, &img__file__descriptor,
	    NULL);
	autobuf struct buf b = BUF_INIT(LINE_MAX_LEN);
	int r = 0;

	if (m == NULL)
		return NULL;
	for (size_t i = 0; i < f->n_fds && r == 0; i++)
		if (f->fds[i]->file == id)
			r = buf_printf(&b, "%u ", f->fds[i]->fd);
	if (r == 0)
		r = buf_printf(&b, "%s%s%s%s", m->kind,
		    m->path[0] != 0 ? " " : "", m->path,
		    m->deleted ? " (deleted)" : "");
	if (r == 0 && m->pos > 0)
		r = buf_printf(&b, ", at %llu", (unsigned long long)m->pos);
	img__file__free_unpacked(m, NULL);
	return r < 0 ? NULL : strndup((char *)b.data, b.len);
}

static void
read_files(const struct image *img, struct insight_process *p)
{
	Img__Files *f = image_find(img, IMG_FILES, p->pid,
	    &img__files__descriptor, NULL);

	if (f == NULL)
		return;
	p->files = calloc(f->n_fds + 1, sizeof *p->files);
	for (size_t i = 0; p->files != NULL && i < f->n_fds; i++) {
		size_t k = 0;
		char *line;

		while (f->fds[k]->file != f->fds[i]->file)
			k++;
		if (k < i) /* told already */
			continue;
		line = file_line(img, f, f->fds[i]->file);
		if (line != NULL)
			p->files[p->n_files++] = line;
	}
	img__files__free_unpacked(f, NULL);
}

static int
read_processes(const struct image *img, struct insight *s, struct err *e)
{
	struct image_pages *pages;
	size_t n = image_count(img, IMG_TASK);
	int r;

	s->v = calloc(n + 1, sizeof *s->v);
	if (s->v == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	r = image_pages_open(img, &pages, e);
	for (; r == 0 && s->n < n; s->n++) {
		struct insight_process *p = &s->v[s->n];
		Img__Task *t = image_get(img, IMG_TASK, s->n,
		    &img__task__descriptor, NULL, e);

		if (t == NULL) {
			r = -EBADMSG;
			break;
		}
		p->pid = t->vpid;
		p->parent = t->vppid;
		p->state = (char)t->state;
		p->n_threads = t->n_threads;
		p->command = strndup((char *)t->comm.data, t->comm.len);
		img__task__free_unpacked(t, NULL);
		read_memory(img, pages, p);
		read_rights(img, p);
		read_files(img, p);
	}
	if (r == 0)
		image_pages_close(pages);
	return r;
}

/* ---- from outside ---- */

static int
look(struct image *img, int saved_dirfd, struct insight *ret_s, struct err *e)
{
	struct insight s = { .generation = image_generation(img),
		.image_len = image_file_len(img) };
	int r;

	r = read_session(img, &s, e);
	if (r == 0)
		r = read_machine(img, saved_dirfd, &s, e);
	if (r == 0)
		r = read_processes(img, &s, e);
	if (r < 0) {
		insight_done(&s);
		return r;
	}
	read_objects(img, &s);
	*ret_s = s;
	return 0;
}

int
insight_saved(int saved_dirfd, const char *name, uint64_t generation,
    struct insight *ret_s, struct err *e)
{
	struct ckpt c = { .err = e,
		.saved_dirfd = saved_dirfd,
		.session_master = -1 };
	int r;

	r = saved_open(&c, name, &generation);
	if (r == 0)
		r = look(c.img, saved_dirfd, ret_s, e);
	if (c.img != NULL)
		image_close(c.img);
	return r;
}

int
insight_file(const char *file, struct insight *ret_s, struct err *e)
{
	autoclose int fd = open(file,
	    O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	uint64_t off = 0, len = 0;
	struct image *img;
	int r;

	if (fd < 0)
		return err_sys(e, "%s", file);
	r = ckpt_check_source(fd, e);
	if (r < 0)
		return r;
	(void)stream_find_image(fd, &off, &len);
	r = image_open_part(fd, file, off, len, &img, e);
	if (r < 0)
		return r;
	r = look(img, -1, ret_s, e);
	image_close(img);
	return r;
}
