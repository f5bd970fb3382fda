/*
 * screen_state.h - what the files of screen.h share: screen.c feeds the
 * model, screen_paint.c and history.c look at it.
 */
#ifndef SCREEN_STATE_H
#define SCREEN_STATE_H

#include "screen/model_state.h"
#include "screen/screen.h"
#include "screen/scrollback.h"

struct screen {
	struct model *model;
	struct modes *modes; /* of all output that has come */
	struct scrollback *scrollback;
	struct buf ring;   /* output that is not yet modelled */
	size_t ring_done;  /* bytes of it that are */
	size_t ring_plain; /* from here on it is lines (modes_scan()) */
	bool answers;      /* questions are modelled at once */
	int width, height; /* in pixels; 0: not known */
	void (*answer)(void *arg, const char *data, size_t len);
	void *answer_arg;
};

#endif
