/*
 * remove.c - dropping snapshots (ckpt_remove(), ckpt_prune() in ckpt.h).
 * Newer ones go first, so that at no moment one is there whose parent
 * (IMG_PARENT) is not.
 */
#include "ckpt/ckpt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/name.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"
#include "ckpt/image/objects.h"
#include "ckpt/image/store.h"

/* The generations of one session. */
struct shelf {
	int dirfd;
	struct ckpt_generation *v; /* oldest first */
	bool *keep;
	size_t n;
};

static void
shelf_done(struct shelf *s)
{
	scope_close(&s->dirfd);
	free(s->v);
	free(s->keep);
	*s = (struct shelf){ .dirfd = -1 };
}

static int
shelf_init(struct shelf *s, int saved_dirfd, const char *name, struct err *e)
{
	int r;

	*s = (struct shelf){ .dirfd = -1 };
	r = store_open(saved_dirfd, name, false, &s->dirfd, e);
	if (r < 0)
		return r;
	r = store_list(s->dirfd, &s->v, &s->n, e);
	if (r < 0)
		return r;
	s->keep = calloc(s->n + 1, sizeof *s->keep);
	return s->keep == NULL ? err_num(e, -ENOMEM, "%s", name) : 0;
}

/* Keep the parents of generation I; false when it cannot be read. */
static bool
shelf_keep_parents(struct shelf *s, size_t i)
{
	struct image *img;

	if (image_open(s->dirfd, s->v[i].number, &img, NULL) < 0)
		return false;
	for (size_t p = 0; p < image_count(img, IMG_PARENT); p++) {
		Img__Parent *m = image_get(img, IMG_PARENT, p,
		    &img__parent__descriptor, NULL, NULL);

		for (size_t j = 0; m != NULL && j < i; j++)
			if (s->v[j].number == m->generation)
				s->keep[j] = true;
		if (m != NULL)
			img__parent__free_unpacked(m, NULL);
	}
	image_close(img);
	return true;
}

/* Remove the empty directory. If a save begins just now, it keeps it. */
static void
shelf_remove(const struct shelf *s, int saved_dirfd, const char *name)
{
	autoclose int dirfd = -1;
	char key[NAME_KEY_CAP];

	(void)name_key(name, key);
	(void)unlinkat(s->dirfd, "name", 0);
	if (unlinkat(saved_dirfd, key, AT_REMOVEDIR) < 0)
		(void)store_open(saved_dirfd, name, true, &dirfd, NULL);
}

/*
 * Remove what is not kept, the directory too when nothing is left in it, and
 * then what nothing refers to any more.
 */
static int
shelf_clear(struct shelf *s, int saved_dirfd, const char *name, struct err *e)
{
	char file[IMAGE_NAME_MAX];
	size_t left = 0;
	int r;

	for (size_t i = s->n; i > 0; i--) {
		if (s->keep[i - 1]) {
			left++;
			continue;
		}
		r = FAULT("store.remove", e);
		if (r < 0)
			return r;
		image_name(s->v[i - 1].number, file);
		if (unlinkat(s->dirfd, file, 0) < 0 && errno != ENOENT)
			return err_sys(e, "removing snapshot %s@%" PRIu64, name,
			    s->v[i - 1].number);
	}
	if (left == s->n)
		return 0;
	r = temp_sync_dir(s->dirfd);
	if (r < 0)
		return err_num(e, r, "removing snapshots of %s", name);
	if (left == 0 && temp_sweep(s->dirfd) == 0)
		shelf_remove(s, saved_dirfd, name);
	return objects_gc(saved_dirfd, e);
}

int
ckpt_remove(int saved_dirfd, const char *name, uint64_t generation,
    struct err *e)
{
	scoped(shelf_done) struct shelf s = { .dirfd = -1 };
	bool found = false;
	int r;

	r = shelf_init(&s, saved_dirfd, name, e);
	if (r < 0)
		return r;
	for (size_t i = s.n; i > 0; i--) {
		if (generation == 0 || s.v[i - 1].number == generation) {
			found = true;
			if (!s.keep[i - 1])
				continue;
			return err_set(e, -EBUSY,
			    "snapshot %s@%" PRIu64 " is needed by a newer one: "
			    "remove that first",
			    name, generation);
		}
		s.keep[i - 1] = true;
		(void)shelf_keep_parents(&s, i - 1);
	}
	if (!found && generation != 0)
		return err_set(e, -ENOENT, "there is no snapshot %s@%" PRIu64,
		    name, generation);
	if (!found)
		return err_set(e, -ENOENT, "there is no snapshot of %s", name);
	return shelf_clear(&s, saved_dirfd, name, e);
}

int
ckpt_prune(int saved_dirfd, const char *name, unsigned keep, struct err *e)
{
	scoped(shelf_done) struct shelf s = { .dirfd = -1 };
	size_t i, good = 0;
	int r;

	r = shelf_init(&s, saved_dirfd, name, e);
	if (r < 0)
		return r;
	/*
	 * One that cannot be read does not count as one of those kept, and
	 * is not removed while it is newer than the oldest that does.
	 */
	if (keep == 0)
		keep = 1;
	for (i = s.n; i > 0; i--) {
		if (good >= keep && !s.keep[i - 1])
			continue;
		s.keep[i - 1] = true;
		if (shelf_keep_parents(&s, i - 1))
			good++;
	}
	return shelf_clear(&s, saved_dirfd, name, e);
}
