/*
 * vdso.h - [vvar] and [vdso], which the kernel maps and programs keep
 * pointers into. A revival puts the kernel's own at the old address when it
 * is the very same (bytes are compared, not names).
 *
 * Under another kernel its own goes elsewhere. At the old address lie the
 * old code, as memory of the program, with the beginning of each function
 * written over by a jump to the new one, and zeros for the old [vvar]. They
 * carry a mark (vdso_elf.h), so that at the next kernel the jumps can be
 * directed anew, whoever has inherited that memory meanwhile.
 */
#ifndef CKPT_VDSO_H
#define CKPT_VDSO_H

#include "ckpt/model.h"

#define VDSO_ROOM 0x10000 /* bytes kept free for it: 4 + 2 + 2 pages so far */

/*
 * Is a thread of F, which stands still, in the middle of the [vdso]? It
 * would finish there under the next kernel with zeros for a [vvar]: most
 * functions then make the system call, but time(2) answers 0, once.
 */
bool vdso_is_inside(const struct freeze *f);

/* Record what this kernel's vdso is, into M; *M refers to static memory of
 * this process. */
int vdso_describe(struct ckpt *c, Img__Machine *m);

/* -EBADMSG when what c->machine says of its vdso cannot be. */
int vdso_check(struct ckpt *c);

/*
 * In T, which has none and nothing else at AT, where its vdso was: map this
 * kernel's there, or room for the old one.
 */
int vdso_revive(struct ckpt *c, struct task *t, uint64_t at);

/*
 * All memory of T is there. Under another kernel: map its vdso, and make all
 * old ones lead to it. Threads that must go on elsewhere have t->ips set.
 */
int vdso_finish(struct ckpt *c, struct task *t, const Img__Mm *mm);

#endif
