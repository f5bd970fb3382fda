/*
 * screen.h - what the session's terminal shows. Output is seen once by the
 * scanner (modes.h) when it comes, waits in a bounded ring, and reaches the
 * model (model.h) in slack time or when somebody wants to see the screen.
 * Lines that leave at the top are kept as text with colours, bounded in rows
 * and bytes. Rows and columns count from 0.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "screen/modes.h"

#define SCREEN_SIDE_MAX 4096 /* rows or columns */
#define SCREEN_CELLS_MAX 2000000
#define SCREEN_PAINT_MAX (32 << 20) /* bytes that one painting may take */

struct screen;

/* Sizes out of range are brought into it. 0 or -ENOMEM. */
int screen_new(int rows, int cols, struct screen **ret_s);
void screen_free(struct screen *s);

/* The program's output, in the order it comes. */
void screen_write(struct screen *s, const uint8_t *data, size_t len);

/* Model up to LEN bytes of what waits. True: there is more. */
bool screen_settle(struct screen *s, size_t len);

/* Model all that waits and give back the memory of the ring. */
void screen_flush(struct screen *s);

void screen_resize(struct screen *s, int rows, int cols);
void screen_size(const struct screen *s, int *ret_rows, int *ret_cols);

/*
 * AT_ONCE: nobody else answers, so that output is modelled up to a question
 * as soon as it comes, and the answer is that of this moment.
 */
void screen_answers(struct screen *s, bool at_once);

/* Of the whole terminal in pixels, for who asks; 0: as it was. */
void screen_pixels(struct screen *s, int width, int height);

/* The scanner's state; ahead of the model by what waits. */
const struct modes *screen_modes(const struct screen *s);

/*
 * Called with the terminal's answers to questions in the output (DA, DSR,
 * DECRQM...) when these are modelled; NULL: they are dropped.
 */
void screen_answer(struct screen *s,
    void (*answer)(void *arg, const char *data, size_t len), void *arg);

/*
 * Append what makes a terminal of the session's size, in its default state,
 * show and behave as the session's does.
 */
int screen_paint(struct screen *s, struct buf *out);

/*
 * Append what shows the session on a terminal of another size: the part
 * around the cursor, or all of it and empty space. No modes are touched but
 * the cursor's visibility.
 */
int screen_view(struct screen *s, int rows, int cols, struct buf *out);

/* The last row with something on it, or the cursor's when that is below. */
int screen_bottom(struct screen *s);

/* Append all of it for an image; opaque. */
int screen_save(struct screen *s, struct buf *out);

/* A screen from such bytes, which are input and not trusted. -EBADMSG. */
int screen_load(const void *data, size_t len, struct screen **ret_s);

#endif
