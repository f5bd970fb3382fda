/*
 * load.h - the content of memory on its way back: written by
 * process_vm_writev(2) from the restorer, chunk by verified chunk, by two
 * processes at once when there is much.
 */
#ifndef CKPT_LOAD_H
#define CKPT_LOAD_H

#include "ckpt/model.h"

/*
 * Revival: fill shared object FD, LEN bytes long, from the page runs RUNS.
 */
int load_file(struct ckpt *c, int fd, uint64_t len, Img__PageRun *const *runs,
    size_t n_runs);

/*
 * Revival: fill the memory of every task whose mappings exist and are
 * writable, MMS[i] being the record of c->tasks[i] or NULL.
 */
int load_memory(struct ckpt *c, Img__Mm *const *mms);

#endif
