/*
 * modes_state.h - what the files of modes.h share: modes_scan.c reads
 * sequences, modes_csi.c and modes_osc.c know what they mean, modes.c holds
 * what they leave, modes_text.c says it again.
 */
#ifndef MODES_STATE_H
#define MODES_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "screen/modes.h"

#define SEQ_MAX 64      /* bytes of a control sequence that are looked at */
#define STRING_MAX 2304 /* bytes of a title or colour that are kept */
#define N_KITTY 8
#define N_COLORS 288  /* colours set by OSC that are remembered */
#define N_TITLES 10   /* as deep as xterm's stack of titles */
#define N_RESOURCES 8 /* of the keyboard: xterm's CSI > Pp ; Pv m */

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

#define MODES_N 40

extern const struct mode modes_table[MODES_N];

/* What ESC 7 keeps of what the scanner knows. */
struct saved {
	char sets[4];
	int shift;
	bool origin;
};

/* An entry of the title stack. */
struct titles {
	int which; /* 0: both, 1: the icon's, 2: the window's */
	char *title, *icon;
};

/* Strings of an OSC that stand until another one comes. */
enum kept {
	KEPT_CWD,      /* 7: working directory */
	KEPT_LINK,     /* 8: hyperlink of what is written now */
	KEPT_PROGRESS, /* 9;4: progress bar */
	KEPT_POINTER,  /* 22: shape of the pointer */
	KEPT_N
};

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
	uint32_t generation, n_questions;

	bool on[MODES_N];
	bool stored[MODES_N]; /* XTSAVE */
	int alternate;
	bool keypad;
	int cursor_style;
	int top, bottom; /* of the scrolling region, from 1; 0: unset */
	int left, right;
	struct saved saved[2];   /* main and alternate screen */
	char sets[4];            /* finals of the designated character sets */
	int shift;               /* which of them is in use */
	int modify[N_RESOURCES]; /* modifyOtherKeys is 4; -1: as it was */
	int format[N_RESOURCES]; /* formatOtherKeys */
	unsigned kitty[2][N_KITTY]; /* main and alternate screen */
	int n_kitty[2];
	char *title, *icon; /* owned; NULL: never set */
	struct titles stack[N_TITLES];
	int n_stack;
	char *kept[KEPT_N]; /* without number; owned, NULL: none */
	struct color *colors;
	size_t n_colors;
	bool palette;       /* a colour of the palette was set */
	bool special;       /* OSC 5: of bold, underline... */
	bool linux_palette; /* by the Linux console's ESC ] P */
};

/* ---- modes.c ---- */

/* The index of mode NUMBER, ANSI or (0) private, in modes_table; -1: none. */
int modes_find(unsigned number, unsigned ansi);

/* Is it set? It must be in the table. */
bool modes_is_on(const struct modes *m, unsigned number, unsigned ansi);

/* As ESC 7 and 8 on the screen that is shown. */
void modes_save_cursor(struct modes *m);
void modes_restore_cursor(struct modes *m);

/* N_RESOURCES of the keyboard: as they were before the program. */
void modes_reset_keys(int *resources);

/* As RIS, and as at the beginning. */
void modes_reset(struct modes *m);

/* ---- modes_csi.c, modes_osc.c ---- */

/* What has been read to its end, in m->seq or m->string: do what it means. */
void modes_csi(struct modes *m, char final);
void modes_escape(struct modes *m, char final);
void modes_osc(struct modes *m);

/* CSI 22 and 23 ; WHICH t. */
void modes_push_titles(struct modes *m, int which);
void modes_pop_titles(struct modes *m, int which);

/* What RIS forgets, and what modes_free() does. */
void modes_osc_reset(struct modes *m);
void modes_osc_done(struct modes *m);

#endif
