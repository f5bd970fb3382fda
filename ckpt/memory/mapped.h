/*
 * mapped.h - the files that are mapped or executed somewhere in the tree, on
 * their way into the image.
 */
#ifndef CKPT_MAPPED_H
#define CKPT_MAPPED_H

#include "ckpt/model.h"

/*
 * In the writer: keep a copy of MP, number ID, in objects/ (D12) and record
 * it (IMG_MAPPED, IMG_OBJECT). A file that is mapped shared for writing is
 * the user's data and is not kept. -EAGAIN: it was replaced meanwhile.
 */
int mapped_write(struct ckpt *c, struct image_writer *w, struct mapped *mp,
    uint64_t id);

#endif
