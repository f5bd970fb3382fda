/*
 * palette.h - the 256 colours as xterm has them: sixteen, a cube of 6 x 6 x
 * 6, and 24 greys.
 */
#ifndef PALETTE_H
#define PALETTE_H

struct rgb {
	int r, g, b; /* 0 to 255 */
};

/* Colour I, 0 to 255. */
struct rgb palette_color(int i);

#endif
