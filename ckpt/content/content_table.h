/*
 * content_table.h - the kept files of one save or revival. Between content.c,
 * which saves, content_revive.c and content_aside.c alone.
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
	bool same;            /* revival: its inode stays, with other content */
	char *aside;          /* revival: the name for what was there; owned */
	Img__Content rec;     /* save */
	Img__Content *loaded; /* revival; owned */
};

struct contents {
	struct content *v; /* id = index + 1 */
	size_t n, cap;
	struct buf
	    spared;     /* revival: names of content_spare(), each with NUL */
	uint64_t bytes; /* save: of those that count against the bound */
};

/* c->files->contents, made when there is none yet; NULL: no memory, told. */
struct contents *contents_get(struct ckpt *c);

/* A new one, the last of all; NULL: no memory, told. */
struct content *contents_add(struct ckpt *c);

/* Where a file is: a name in an open directory. */
struct spot {
	int dirfd;
	const char *base;
};

/*
 * Revival: FD, which holds all of N and is called NAME so far, takes N's place
 * P. What is there is set aside, with the journals that belong to it.
 */
int content_place(struct ckpt *c, struct content *n, const struct spot *p,
    int fd, const char *name);

/*
 * Revival: a database of SQLite, its journal, log and index are put back
 * together or not at all.
 */
void contents_want_whole(struct ckpt *c);

/* The kept file whose journal N is, or NULL. */
struct content *content_owner(const struct contents *cs,
    const struct content *n);

#endif
