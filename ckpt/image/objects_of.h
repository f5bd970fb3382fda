/*
 * objects_of.h - which kept copies an image needs (IMG_OBJECT).
 */
#ifndef CKPT_OBJECTS_OF_H
#define CKPT_OBJECTS_OF_H

#include <stddef.h>

#include "base/err.h"
#include "ckpt/image/image.h"
#include "ckpt/image/objects.h"

/* In the order of object_cmp(), each once. */
struct object_ids {
	struct object_id *v; /* owned */
	size_t n;
};

void object_ids_done(struct object_ids *o);

/* -EBADMSG when a record cannot be understood. */
int object_ids_of(const struct image *img, struct object_ids *ret_o,
    struct err *e);

#endif
