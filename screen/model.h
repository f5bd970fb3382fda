/*
 * model.h - a terminal without glass: fed with output, it knows the cells of
 * both screens, cursor, pen, margins, tab stops, character sets and what was
 * saved. Modes of input, titles and colours are the scanner's (modes.h).
 *
 * Sources: ECMA-48, DEC STD 070, VT510 Programmer Reference, xterm's ctlseqs;
 * where they leave a choice it does as xterm does. Only 7-bit controls: in
 * UTF-8, 0x80 to 0x9f are no controls. A number out of range is brought into
 * it; what is not known is passed over.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "screen/cell.h"
#include "screen/palette.h"

struct model;

/* What it tells its owner, who gives ARG. */
struct model_hooks {
	/* A line of the main screen leaves at the top. */
	void (*line)(void *arg, const struct cell *cells, int n);
	/* The scrollback is to be erased. */
	void (*forget)(void *arg);
	/* The terminal's answer to a question. */
	void (*answer)(void *arg, const char *data, size_t len);
	/* DECRQM: 0 for an unknown mode, 1 set, 2 reset. */
	int (*mode)(void *arg, bool private, unsigned number);
	/* Flags of kitty's keyboard protocol. */
	unsigned (*keyboard)(void *arg);
	/* Of the whole terminal; 0: not known. */
	void (*pixels)(void *arg, int *ret_width, int *ret_height);
	/* Colour WHICH of OSC ("10", "4;17"). False: there is none. */
	bool (*color)(void *arg, const char *which, struct rgb *ret_color);
};

/* NULL: no memory. */
struct model *model_new(int rows, int cols, const struct model_hooks *hooks,
    void *arg);
void model_free(struct model *m);

void model_write(struct model *m, const uint8_t *data, size_t len);

/*
 * The margins are undone; where there are fewer rows, those around the cursor
 * are kept. 0 or -ENOMEM, then all is as it was.
 */
int model_resize(struct model *m, int rows, int cols);

/* In ground state, with all rows between the margins. */
bool model_is_plain(const struct model *m);

#endif
