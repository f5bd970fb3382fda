/*
 * cell.h - what a place on the screen holds: a glyph and the pen that drew
 * it. A cell of zeros is blank in the default colours.
 */
#ifndef CELL_H
#define CELL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Colours: 0 the default, COLOR_INDEX | 0..255, COLOR_RGB | 0xrrggbb.
 */
#define COLOR_INDEX (1u << 24)
#define COLOR_RGB (2u << 24)
#define COLOR_KIND (3u << 24)

/* Attributes of a pen. */
#define BOLD (1u << 0)
#define FAINT (1u << 1)
#define ITALIC (1u << 2)
#define BLINK (1u << 3)
#define REVERSE (1u << 4)
#define CONCEAL (1u << 5)
#define STRIKE (1u << 6)
#define OVERLINE (1u << 7)
#define PROTECTED (1u << 8) /* DECSCA: spared by selective erasing */
#define UNDERLINE_SHIFT 9   /* 3 bits: how, as in SGR 4:n; 0: not */
#define UNDERLINE (7u << UNDERLINE_SHIFT)
#define SET_SHIFT 12 /* 4 bits: the character set, see below */
#define SET (15u << SET_SHIFT)

struct pen {
	uint32_t fg, bg, ul; /* colours; UL of the underline */
	uint16_t attrs;
	uint16_t link; /* of OSC 8; 0: none */
};

/*
 * Glyphs: 0 for an erased place, a code point, or a cluster (a text that the
 * model keeps). A wide one is followed by a cell with GLYPH_TAIL.
 */
#define GLYPH_TAIL 0xffffffffu
#define GLYPH_CLUSTER (1u << 31)
#define GLYPH_WIDE (1u << 30)
#define GLYPH_VALUE 0x3fffffffu /* code point or number of the cluster */

struct cell {
	uint32_t glyph;
	struct pen pen;
};

/*
 * Character sets by the final byte of their designation; the number of one is
 * its place. Glyphs stay in the set they were written in and are painted in
 * it: so they look as they did, whatever the terminal makes of that set.
 */
#define CELL_SETS "B0A45CRQKYE6ZH7="

static inline bool
pen_same(const struct pen *a, const struct pen *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* The code point that SET shows at C, as far as it is known. */
uint32_t cell_code_point(unsigned set, uint32_t c);

#endif
