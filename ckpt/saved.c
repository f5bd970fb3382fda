/*
 * saved.c - see saved.h.
 */
#include "ckpt/saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "ckpt/image/store.h"

int
saved_open(struct ckpt *c, const char *name, uint64_t *generation)
{
	struct ckpt_generation *v = NULL;
	autoclose int dirfd = -1;
	size_t n;
	int r;

	r = store_open(c->saved_dirfd, name, false, &dirfd, c->err);
	if (r < 0)
		return r;
	if (*generation == 0) {
		r = store_list(dirfd, &v, &n, c->err);
		if (r >= 0 && n == 0)
			r = err_set(c->err, -ENOENT, "no snapshot of %s", name);
		if (r >= 0)
			*generation = v[n - 1].number;
		free(v);
	}
	return r < 0 ? r : image_open(dirfd, *generation, &c->img, c->err);
}

int
saved_session(struct ckpt *c, struct ckpt_session *ret_s)
{
	Img__Session *m = image_find(c->img, IMG_SESSION, 0,
	    &img__session__descriptor, c->err);
	int r = 0;

	if (m == NULL)
		return -EBADMSG;
	*ret_s = (struct ckpt_session){ .created_s = m->created_s,
		.rows = m->rows,
		.cols = m->cols,
		.screen = BUF_INIT(IMAGE_RECORD_MAX),
		.input = BUF_INIT(IMAGE_RECORD_MAX) };
	ret_s->name = strdup(m->name);
	ret_s->id = m->id[0] == 0 ? NULL : strdup(m->id);
	ret_s->argv = calloc(m->n_argv + 1, sizeof *ret_s->argv);
	if (ret_s->name == NULL || ret_s->argv == NULL)
		r = -ENOMEM;
	for (size_t i = 0; r >= 0 && i < m->n_argv; i++) {
		ret_s->argv[i] = strdup(m->argv[i]);
		if (ret_s->argv[i] == NULL)
			r = -ENOMEM;
	}
	if (r >= 0)
		r = buf_put(&ret_s->screen, m->screen.data, m->screen.len);
	if (r >= 0)
		r = buf_put(&ret_s->input, m->input.data, m->input.len);
	img__session__free_unpacked(m, NULL);
	return r < 0 ? err_set(c->err, r, "out of memory") : 0;
}
