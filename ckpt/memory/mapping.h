/*
 * mapping.h - address spaces at revival: the restorer's own copy is taken
 * away from a task and the saved mappings are put in its place.
 */
#ifndef CKPT_MAPPING_H
#define CKPT_MAPPING_H

#include "ckpt/memory/load.h"
#include "ckpt/model.h"

/*
 * Refuse an Mm that is not one: unordered, overlapping or unaligned
 * mappings, unknown kinds, pages outside of them, references to records
 * that are not there.
 */
int mapping_verify(struct ckpt *c, const Img__Mm *mm);

/*
 * In the restorer, before any task exists: open every mapped file (the
 * original when it is unchanged, else the kept copy, with a note) but those
 * mapped for writing; count the
 * shared objects. All are inherited (file_inherit()).
 */
int mapping_open(struct ckpt *c);

/*
 * Could mapping_open() open all of them now? Of kept copies that it would
 * use only the length is looked at. Nothing but IMG, SAVED_DIRFD and ERR of C
 * is needed.
 */
int mapping_look(struct ckpt *c);

/*
 * After the open files are there, and what had changed is put back: open the
 * files mapped for writing, make and fill the shared objects. One that is a
 * deleted file which is open as well is that file.
 */
int mapping_open_shared(struct ckpt *c);

/* That of shared object ID alone, which exists; once. */
int mapping_open_shm(struct ckpt *c, uint64_t id);

/* All is mapped: seals of memfds that would have forbidden it. */
void mapping_seal(struct ckpt *c);

/*
 * An address for work areas of LEN bytes that is free in the restorer and in
 * all address spaces of the image. 0: none.
 */
raddr mapping_hole(struct ckpt *c, Img__Mm *const *mms, size_t len);

/*
 * In T: unmap all but its area, map vdso and all that was mapped, private
 * mappings writable, so that load_memory() can fill them.
 */
int mapping_make(struct ckpt *c, struct task *t, const Img__Mm *mm);

/* After load_memory(): final protections, advice, locks, numbers, exe. */
int mapping_finish(struct ckpt *c, struct task *t, const Img__Mm *mm);

#endif
