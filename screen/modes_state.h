/*
 * modes_state.h - what the three files of modes.h share: modes_scan.c reads
 * sequences, modes.c knows what they mean, modes_text.c says them again.
 */
#ifndef MODES_STATE_H
#define MODES_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "screen/modes.h"

#define SEQ_MAX 64     /* bytes of a control sequence that are looked at */
#define STRING_MAX 512 /* bytes of a title or colour that are kept */
#define N_KITTY 8
#define N_COLORS 32 /* colours set by OSC that are remembered */

enum where {
	GROUND,
	ESCAPE,       /* after ESC */
	ESCAPE_INTER, /* after ESC and intermediates */
	CSI,
	OSC,
	STRING,     /* DCS, APC, PM, SOS: passed over */
	OSC_ESCAPE, /* ESC in an OSC: ST, or another sequence */
	STRING_ESCAPE,
};

/*
 * Modes that are switched by CSI [?] NUMBER h and l. INPUT: they change what
 * the terminal sends. BRIEF: the program will end them in a moment; they are
 * undone and not redone. MOUSE: one replaces the other.
 */
#define INPUT 1u
#define BRIEF 2u
#define MOUSE 4u
#define ANSI 8u
#define ON 16u /* the default */

struct mode {
	unsigned number, flags;
};

#define MODES_N 28

extern const struct mode modes_table[MODES_N];

struct color {
	char *text; /* "10;rgb:..." without OSC and end; owned */
	size_t key; /* length of the part that says which colour */
};

struct modes {
	enum where where;
	char seq[SEQ_MAX]; /* CSI or ESC so far, without its introducer */
	size_t n_seq;
	char string[STRING_MAX];
	size_t n_string;
	uint8_t last[3]; /* the last bytes, for characters cut in two */
	size_t n_last;
	uint32_t generation;

	bool on[MODES_N];
	int alternate;
	bool keypad;
	int cursor_style;
	int top, bottom; /* of the scrolling region, from 1; 0: unset */
	char sets[4];    /* finals of the designated character sets */
	int shift;       /* which of them is in use */
	int other_keys;  /* xterm's modifyOtherKeys */
	unsigned kitty[2][N_KITTY]; /* main and alternate screen */
	int n_kitty[2];
	char *title, *icon; /* owned; NULL: never set */
	struct color colors[N_COLORS];
	size_t n_colors;
	bool palette; /* a colour of the palette was set */
};

/* modes.c: what a sequence that has been read to its end means. */
void modes_csi(struct modes *m, char final);
void modes_escape(struct modes *m, char final);
void modes_osc(struct modes *m);

#endif
