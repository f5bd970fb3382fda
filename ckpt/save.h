/*
 * save.h - inside of ckpt/: the story of a save (ckpt/ckpt.h is the outside).
 */
#ifndef CKPT_SAVE_H
#define CKPT_SAVE_H

#include "ckpt/model.h"

/* Bytes of data in the work area of a task. */
#define AREA_LEN (64u * 1024)

/* Run the checks of every resource over c->tasks, nothing being stopped. */
int save_check(struct ckpt *c);

#endif
