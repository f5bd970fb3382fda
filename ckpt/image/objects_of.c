/*
 * objects_of.c - see objects_of.h.
 */
#include "ckpt/image/objects_of.h"

#include <errno.h>
#include <stdlib.h>

#include "base/scope.h"
#include "ckpt/image/image.pb-c.h"
#include "ckpt/image/objects_dir.h"

void
object_ids_done(struct object_ids *o)
{
	free(o->v);
	*o = (struct object_ids){ .v = NULL };
}

/* Sorted: each id once. */
static void
drop_doubles(struct object_ids *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		if (n == 0 || object_cmp(&o->v[n - 1], &o->v[i]) != 0)
			o->v[n++] = o->v[i];
	o->n = n;
}

int
object_ids_of(const struct image *img, struct object_ids *ret_o, struct err *e)
{
	scoped(object_ids_done) struct object_ids o = { .n = 0 };
	size_t n = image_count(img, IMG_OBJECT);

	o.v = calloc(n + 1, sizeof *o.v);
	if (o.v == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	for (; o.n < n; o.n++) {
		Img__Object *m = image_get(img, IMG_OBJECT, o.n,
		    &img__object__descriptor, NULL, e);

		if (m == NULL)
			return -EBADMSG;
		o.v[o.n] = (struct object_id){ m->hash_hi, m->hash_lo,
			m->size };
		img__object__free_unpacked(m, NULL);
	}
	qsort(o.v, o.n, sizeof *o.v, object_cmp);
	drop_doubles(&o);
	*ret_o = o;
	o = (struct object_ids){ .v = NULL };
	return 0;
}
