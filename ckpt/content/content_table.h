/*
 * content_table.h - the kept files of one save or revival. Between content.c,
 * which saves, and content_revive.c alone.
 */
#ifndef CKPT_CONTENT_TABLE_H
#define CKPT_CONTENT_TABLE_H

#include "ckpt/content/content.h"

struct content {
	dev_t dev;            /* save */
	ino_t ino;            /* save */
	int fd;               /* save: to read from; revival: of a deleted
	                         one; -1 */
	uint8_t *copy;        /* save: taken in the stop; owned */
	bool grows;           /* save: whoever writes stands at its end */
	bool now;             /* save: to be copied in the stop at any size */
	bool stays;           /* save: what fd leads to cannot change */
	bool wanted;          /* revival */
	bool placed;          /* revival: it is at its path now */
	char *aside;          /* revival: where the present one went; owned */
	Img__Content rec;     /* save */
	Img__Content *loaded; /* revival; owned */
};

struct contents {
	struct content *v; /* id = index + 1 */
	size_t n, cap;
	uint64_t bytes; /* save: of those that count against the bound */
};

/* c->files->contents, made when there is none yet; NULL: no memory, told. */
struct contents *contents_get(struct ckpt *c);

/* A new one, the last of all; NULL: no memory, told. */
struct content *contents_add(struct ckpt *c);

#endif
