/*
 * keys.h - finding the detach key in what is typed: anywhere in a read, cut
 * by the end of a read, as the control character it is or in the long forms
 * that keyboard protocols give it (CSI CODE ; MODIFIERS u and CSI 27 ;
 * MODIFIERS ; CODE ~). Pressed twice it is the program's, once. What is
 * pasted in brackets (CSI 200 ~ to CSI 201 ~) is no key.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define KEYS_HELD_MAX 48

struct keys {
	int key;                     /* control code; -1: there is none */
	bool pressed;                /* once, and its twin is waited for */
	uint8_t held[KEYS_HELD_MAX]; /* may become the key with what follows */
	size_t n_held;
	uint8_t mark[6]; /* the last bytes: a bracket of a paste? */
	size_t n_mark;
	bool pasting;
};

/* What to do after keys_filter(). */
enum keys_verdict {
	KEYS_GO_ON,
	KEYS_WAIT,   /* call keys_expire() if nothing comes for a moment */
	KEYS_DETACH, /* the key was pressed: the rest is not for the program */
};

/*
 * Caret notation ("^A", "^\\", "^?" is no key), one control character, or
 * "none". The code, -1 for none, -EINVAL.
 */
int keys_parse(const char *text);

/*
 * Append to OUT what of DATA is the program's. LONG_FORMS: the terminal may
 * send the long ones, so that what looks like the beginning of one is held
 * back. -ENOBUFS and the like from OUT.
 */
int keys_filter(struct keys *k, const uint8_t *data, size_t len,
    bool long_forms, struct buf *out, enum keys_verdict *ret_verdict);

/* Nothing more came: append what was held; KEYS_DETACH if the key waited. */
int keys_expire(struct keys *k, struct buf *out,
    enum keys_verdict *ret_verdict);

#endif
