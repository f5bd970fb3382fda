/*
 * vdso.h - [vvar] and [vdso], which the kernel maps and programs keep
 * pointers into. A revival puts the kernel's own at the old address when its
 * code is the very same (bytes are compared, not names).
 */
#ifndef CKPT_VDSO_H
#define CKPT_VDSO_H

#include "ckpt/model.h"

#define VDSO_ROOM 0x10000 /* bytes kept free for it: 4 + 2 + 2 pages so far */

/* Record what this kernel's vdso is, into M; *M refers to static memory of
 * this process. */
int vdso_describe(struct ckpt *c, Img__Machine *m);

/*
 * -ENOTSUP when the programs of an image taken on M cannot run on the vdso
 * of this kernel.
 */
int vdso_check(struct ckpt *c, const Img__Machine *m);

/* Map it into T, which has none, at AT. */
int vdso_revive(struct ckpt *c, struct task *t, uint64_t at);

#endif
