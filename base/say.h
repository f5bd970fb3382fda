/*
 * say.h - what is shown to people. Names, command lines and files may hold
 * anything, and so may what another user's server or image says of them: no
 * terminal obeys it, and no line looks like another one. White space that is
 * no blank becomes one, other control characters and what is no UTF-8 become
 * question marks, and what cannot be seen (utf8_is_format()) is written as
 * \u and its number.
 */
#ifndef BASE_SAY_H
#define BASE_SAY_H

#include <stdio.h>

/* A part of a line. Its columns, about; OUT NULL: only these are counted. */
int say_text(FILE *out, const char *text);

/* A text whose newlines stay. */
void say_lines(FILE *out, const char *text);

/* One line, whatever is in it; FMT is without the newline. */
void say_line(FILE *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
