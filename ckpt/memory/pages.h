/*
 * pages.h - the content of memory on its way into the image. Pages are read
 * by pread(2) from /proc/PID/mem of the snapshot (never by process_vm_readv,
 * which would unshare them).
 */
#ifndef CKPT_PAGES_H
#define CKPT_PAGES_H

#include "ckpt/model.h"

/*
 * In the writer: store all pages and shared objects, and the records that
 * describe them (IMG_MM, IMG_MAPPED, IMG_OBJECT, IMG_SHM).
 */
int pages_write(struct ckpt *c, struct image_writer *w);

#endif
