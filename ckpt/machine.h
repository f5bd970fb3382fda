/*
 * machine.h - can an image come to life on this machine, and by this user?
 */
#ifndef CKPT_MACHINE_H
#define CKPT_MACHINE_H

#include "ckpt/model.h"

/* By kind of machine and by what its processor has: c->machine. */
int machine_check(struct ckpt *c);

/*
 * The same of IMG, and that its programs ran as the user that we are, unless
 * we may become any: -EPERM.
 */
int machine_fits(struct image *img, struct err *e);

#endif
