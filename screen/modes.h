/*
 * modes.h - the scanner: it sees every byte of output once, before anybody
 * else, and knows what a terminal would be left with - modes, margins,
 * character sets, keyboard protocol, cursor style, titles, colours - and
 * whether the stream is in ground state, where bytes of another origin may
 * be put between two of it. Cells and pen are the screen model's affair.
 *
 * Sources: ECMA-48, DEC STD 070, xterm's ctlseqs, the kitty keyboard
 * protocol. Only 7-bit controls: in UTF-8, 0x80 to 0x9f are no controls.
 */
#ifndef MODES_H
#define MODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct modes;

/* NULL when there is no memory. */
struct modes *modes_new(void);
void modes_free(struct modes *m);

/*
 * See LEN bytes of output, STOP: only up to the end of the first question. How
 * many bytes that were, and of these at their end *RET_PLAIN are text, controls
 * and sequences that change nothing but their own line and the pen (skip.h).
 */
size_t modes_scan(struct modes *m, const uint8_t *data, size_t len, bool stop,
    size_t *ret_plain);

/* Does the stream stand between two characters, in no sequence? */
bool modes_ground(const struct modes *m);

/* A number that is another one whenever modes_undo() would be another. */
uint32_t modes_generation(const struct modes *m);

/*
 * How many questions there have been that a terminal may answer (DA, DSR,
 * DECRQM, colours, kitty's and others): another number, another question.
 */
uint32_t modes_questions(const struct modes *m);

/* Flags of the kitty keyboard protocol that are in force. */
unsigned modes_keyboard(const struct modes *m);

/* The text of a colour that was set ("10", "4;17"), without it; NULL: none. */
const char *modes_color(const struct modes *m, const char *which);

/* 47, 1047 or 1049 while the alternate screen is shown, else 0. */
int modes_alternate(const struct modes *m);

/* First and last row of the scrolling region, from 0; false: all rows. */
bool modes_margins(const struct modes *m, int *ret_top, int *ret_bottom);

/* Likewise columns; -1: to the last. False: all columns. */
bool modes_side_margins(const struct modes *m, int *ret_left, int *ret_right);

/* As a change of size does. */
void modes_unset_margins(struct modes *m);

bool modes_origin(const struct modes *m);
bool modes_wraps(const struct modes *m);
bool modes_reversed(const struct modes *m); /* DECSCNM */
bool modes_inserts(const struct modes *m);
bool modes_cursor_visible(const struct modes *m);

/* As DECRQM asks: 0 an unknown mode, 1 set, 2 reset. */
int modes_get(const struct modes *m, bool private, unsigned number);

/* Would a terminal in this state send keys as CSI ... u or CSI 27 ... ~? */
bool modes_long_keys(const struct modes *m);

/*
 * Append what brings a terminal from this state back to where it was: for a
 * detach, a crash, or a repaint. The titles are those saved by the caller
 * (CSI 22 t). Never a full reset.
 */
int modes_undo(const struct modes *m, struct buf *out);

/*
 * Append what brings a terminal in its default state into this one. Not in
 * it, because they come at their own time: what belongs to a hidden main
 * screen (modes_redo_behind(), before the other one is shown), alternate
 * screen, margins of rows, the cursor's visibility, and character sets and
 * the hyperlink that is open (modes_redo_sets()). VIEW: only what concerns
 * input and titles, for a terminal painted from the model.
 */
int modes_redo_behind(const struct modes *m, struct buf *out);
int modes_redo(const struct modes *m, bool view, struct buf *out);
int modes_redo_sets(const struct modes *m, struct buf *out);

/*
 * Append what has come of the sequence or character that the stream stands
 * in, so that a terminal painted now takes the rest of it. Nothing in ground
 * state. A long string is replaced by one that terminals pass over.
 */
int modes_partial(const struct modes *m, struct buf *out);

#endif
