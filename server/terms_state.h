/*
 * terms_state.h - what the files of terms.h share: terms.c takes sequences
 * apart, terms_pen.c knows colours and attributes, terms_glyph.c characters.
 */
#ifndef TERMS_STATE_H
#define TERMS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define TERMS_PARAMS 32

/* A control sequence taken apart. */
struct sequence {
	char prefix, inter, final;
	int v[TERMS_PARAMS];    /* 0: left out */
	bool sub[TERMS_PARAMS]; /* it follows a colon */
	int n;
};

/* SGR in the colours and attributes of FEATURES. */
int terms_pen(uint64_t features, const struct sequence *q, struct buf *out);

/* Columns of the character C: 0 to 2. */
int terms_width(uint32_t c);

/* The character C without UTF-8: line drawing, or ASCII that is like it. */
int terms_glyph(uint64_t features, uint32_t c, struct buf *out);

#endif
