/*
 * screen_state.h - what the two files of screen.c share: screen.c feeds the
 * model, screen_paint.c asks it.
 */
#ifndef SCREEN_STATE_H
#define SCREEN_STATE_H

#include <vterm.h>

#include "screen/screen.h"
#include "screen/scrollback.h"

struct screen {
	VTerm *vt;
	VTermState *state;
	VTermScreen *cells;
	int rows, cols;           /* of the model */
	int want_rows, want_cols; /* as they will be, in ground state */
	struct modes *modes;      /* of all output that has come */
	struct modes *fed;        /* of what the model has been given */
	struct scrollback *scrollback;
	struct buf ring;  /* output that is not yet modelled */
	size_t ring_done; /* bytes of it that are */
	VTermRect last_drawn;
	int n_moves; /* of the cursor since then */
	void (*answer)(void *arg, const char *data, size_t len);
	void *answer_arg;
};

/* A libvterm of that size for S, its callbacks set; NULL: no memory. */
VTerm *screen_new_model(struct screen *s, int rows, int cols);

/* Make the model do something that is not the program's. */
void screen_feed(struct screen *s, const void *data, size_t len);

/* Bring the model to the size that is wanted; it is in ground state. */
int screen_reshape(struct screen *s);

/* Keep a line that leaves the screen at the top. */
void screen_push_line(struct screen *s, const VTermScreenCell *cells, int n);

#endif
