/*
 * places_table.h - the places of one save or revival. Between places.c, which
 * saves, and places_revive.c alone.
 */
#ifndef CKPT_PLACES_TABLE_H
#define CKPT_PLACES_TABLE_H

#include "ckpt/content/places.h"

struct place {
	Img__Place rec;     /* save */
	char *path;         /* save; owned */
	char *target;       /* save, of a symbolic link; owned */
	Img__Place *loaded; /* revival; owned */
	bool made;          /* revival */
};

struct places {
	struct place *v; /* parents before what is in them */
	size_t n, cap;
};

/* c->files->places, made when there is none yet; NULL: no memory, told. */
struct places *places_get(struct ckpt *c);

/* A new one, the last of all; NULL: no memory, told. */
struct place *places_add(struct ckpt *c);

#endif
