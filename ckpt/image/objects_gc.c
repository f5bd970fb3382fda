/*
 * objects_gc.c - removal of the kept copies that no image refers to any
 * more, see objects.h.
 */
#include "ckpt/image/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/image/image.h"
#include "ckpt/image/objects_dir.h"
#include "ckpt/image/objects_of.h"
#include "ckpt/image/store.h"

/* Objects that may go, sorted; those found in use are taken out. */
struct doomed {
	struct object_id *v; /* owned */
	size_t n;
};

static int
doomed_list(int dirfd, struct doomed *ret_d, struct err *e)
{
	autobuf struct buf v = BUF_INIT(64u << 20);
	autoclosedir DIR *d = NULL;
	struct object_id id;
	struct dirent *de;
	int fd, r = 0;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "listing kept copies");
	d = fdopendir(fd);
	if (d == NULL) {
		(void)close(fd);
		return err_num(e, -ENOMEM, "listing kept copies");
	}
	while (r == 0 && (de = readdir(d)) != NULL)
		if (object_parse(de->d_name, &id))
			r = buf_put(&v, &id, sizeof id);
	if (r < 0)
		return err_num(e, r, "listing kept copies");
	ret_d->n = v.len / sizeof id;
	ret_d->v = (struct object_id *)(void *)TAKE_PTR(v.data);
	if (ret_d->n > 1)
		qsort(ret_d->v, ret_d->n, sizeof id, object_cmp);
	return 0;
}

static void
doomed_spare(struct doomed *d, const struct object_id *id)
{
	struct object_id *p = NULL;

	if (d->n > 0)
		p = bsearch(id, d->v, d->n, sizeof *id, object_cmp);
	if (p == NULL)
		return;
	d->n--;
	memmove(p, p + 1, (size_t)(d->v + d->n - p) * sizeof *p);
}

/* Take out what generation NUMBER in DIRFD refers to. */
static int
spare_image(struct doomed *d, int dirfd, uint64_t number)
{
	scoped(object_ids_done) struct object_ids o = { .n = 0 };
	struct image *img;
	int r;

	if (image_open(dirfd, number, &img, NULL) < 0)
		return -EBUSY;
	r = object_ids_of(img, &o, NULL);
	image_close(img);
	for (size_t i = 0; r == 0 && i < o.n; i++)
		doomed_spare(d, &o.v[i]);
	return r < 0 ? -EBUSY : 0;
}

/* For each session; 1 ends the search: all are in use. */
static int
spare_session(void *arg, int dirfd, const char *key, struct err *e)
{
	autofree struct ckpt_generation *v = NULL;
	struct doomed *d = arg;
	size_t n;
	int r;

	(void)key;
	if (dirfd < 0)
		return -EBUSY;
	r = store_list(dirfd, &v, &n, e);
	while (r == 0 && n > 0 && d->n > 0)
		r = spare_image(d, dirfd, v[--n].number);
	return r < 0 ? r : d->n == 0;
}

/* Is an image being written anywhere? */
static int
save_under_way(void *arg, int dirfd, const char *key, struct err *e)
{
	(void)arg;
	(void)key;
	(void)e;
	return dirfd < 0 || temp_sweep(dirfd) != 0 ? -EBUSY : 0;
}

int
objects_gc(int saved_dirfd, struct err *e)
{
	struct doomed d = { 0 };
	autofree struct object_id *all = NULL;
	char name[OBJECT_NAME_CAP];
	autoclose int dirfd = -1;
	int r;

	r = objects_lock(saved_dirfd, LOCK_EX | LOCK_NB, &dirfd, e);
	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	(void)temp_sweep(dirfd);
	r = doomed_list(dirfd, &d, e);
	all = d.v;
	if (r < 0 || d.n == 0)
		return r;
	/*
	 * In this order: an image that is finished between the two is seen
	 * by the second; one begun after the first puts nothing before we
	 * let go of the lock.
	 */
	r = store_each(saved_dirfd, save_under_way, NULL, e);
	if (r == 0)
		r = store_each(saved_dirfd, spare_session, &d, e);
	if (r != 0)
		return r == -EBUSY || r == 1 ? 0 : r;
	for (size_t i = 0; i < d.n; i++) {
		object_name(&d.v[i], name);
		(void)unlinkat(dirfd, name, 0);
	}
	return 0;
}
