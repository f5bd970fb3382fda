/*
 * history.h - what a session has shown, as text: the lines that left its
 * screen at the top, then the screen, without colours and blank ends.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "base/err.h"
#include "screen/screen.h"

/* The text in a file of its own (memfd_create(2)), at its beginning. */
int history_file(struct screen *s, int *ret_fd, struct err *e);

#endif
