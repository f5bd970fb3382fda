/*
 * pages.h - the content of memory, on its way into the image and back.
 *
 * Pages are read by pread(2) from /proc/PID/mem of the snapshot (never by
 * process_vm_readv, which would unshare them) and written back by
 * process_vm_writev(2) from the restorer, chunk by verified chunk, by two
 * processes at once when there is much.
 */
#ifndef CKPT_PAGES_H
#define CKPT_PAGES_H

#include "ckpt/model.h"

/*
 * In the writer: store all pages and shared objects, and the records that
 * describe them (IMG_MM, IMG_MAPPED, IMG_OBJECT, IMG_SHM).
 */
int pages_write(struct ckpt *c, struct image_writer *w);

/*
 * Revival: fill shared object FD, LEN bytes long, from the page runs RUNS.
 */
int pages_fill_file(struct ckpt *c, int fd, uint64_t len,
    Img__PageRun *const *runs, size_t n_runs);

/*
 * Revival: fill the memory of every task whose mappings exist and are
 * writable, MMS[i] being the record of c->tasks[i] or NULL.
 */
int pages_load(struct ckpt *c, Img__Mm *const *mms);

#endif
