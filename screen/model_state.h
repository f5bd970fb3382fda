/*
 * model_state.h - what the files of model.h share, and the painter looks at.
 * model_parse.c takes output apart; model_text.c writes characters;
 * model_csi.c, model_sgr.c and model_modes.c carry out sequences; model.c has
 * what they all move: cursor, lines, screens.
 */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include "base/buf.h"
#include "screen/grid.h"
#include "screen/intern.h"
#include "screen/model.h"

#define MODEL_PARAMS 32
#define MODEL_OSC_MAX 2304 /* bytes of a link */

enum model_where {
	M_GROUND,
	M_ESCAPE,
	M_ESCAPE_INTER,
	M_CSI,
	M_OSC,
	M_STRING,
	M_OSC_ESCAPE,
	M_STRING_ESCAPE,
};

struct model_cursor {
	int row, col;
	bool pending; /* it waits behind the last column */
	bool origin;  /* DECOM */
	struct pen pen;
	uint8_t sets[4]; /* numbers in CELL_SETS */
	uint8_t shift;   /* which of them is in use */
};

/* A control sequence, as far as it has come. */
struct model_seq {
	char prefix;         /* one of <=>? or 0 */
	char inter;          /* the last intermediate or 0 */
	bool bad;            /* has a form that nothing has */
	uint32_t colons;     /* bit I: parameter I was begun by a colon */
	int v[MODEL_PARAMS]; /* -1: left out */
	int n;               /* parameters, at least 1 */
};

struct model_screen {
	struct grid grid; /* no rows: it is not there */
	struct model_cursor saved;
	bool has_saved;
};

#define MODEL_OSC_HEAD 10 /* bytes of an OSC that are kept, if no link */

struct model {
	struct model_screen screen[2]; /* main and alternate */
	struct grid *g;                /* of the one that is shown */
	int shown;
	int rows, cols;
	struct model_cursor c;
	int top, bottom, left, right; /* margins; the last ones are inside */
	bool wrap, insert, newline, reverse_wrap, side_margins;
	bool columns; /* mode 40: DECCOLM is obeyed */
	bool *tabs;   /* owned; of each column */

	enum model_where where;
	struct model_seq seq;
	struct buf osc;
	char utf8[4]; /* a character that has come in part */
	int n_utf8;
	uint8_t single; /* SS2, SS3: the set of the next character */
	uint32_t last;  /* character that REP repeats; 0: none */

	struct intern clusters, links;
	struct model_hooks hooks;
	void *arg;
};

/* ---- model.c ---- */

/* A blank in the background colour of the pen. */
struct cell model_blank(const struct model *m);

/* Put the cursor there, in the screen. */
void model_move(struct model *m, int row, int col);

/* Move the cursor by that much, not across a margin it is inside of. */
void model_move_by(struct model *m, int rows, int cols);

/* Down or up a line; at the margin what is between them scrolls. */
void model_index(struct model *m);
void model_reverse_index(struct model *m);

/* Scroll what is between the margins, from row TOP on, up N or down -N. */
void model_scroll(struct model *m, int top, int n);

bool model_in_margins(const struct model *m);
void model_unset_margins(struct model *m);

void model_save(struct model *m);
void model_restore(struct model *m);

/* Show screen 0, or 1, which is blank at first. False: no memory. */
bool model_show(struct model *m, int which);

void model_erase_rows(struct model *m, int first, int end, bool spare);

void model_soft_reset(struct model *m);
void model_reset(struct model *m);

/* The number of a text in the clusters or links; 0: no room. */
uint32_t model_intern(struct model *m, struct intern *t, const char *text,
    size_t len);

/* ---- model_text.c ---- */

void model_ascii(struct model *m, const uint8_t *p, size_t n);
void model_put(struct model *m, uint32_t c);
void model_control(struct model *m, uint8_t c);
void model_back(struct model *m, int n);

/* ---- what sequences do ---- */

void model_csi(struct model *m, char final);
void model_escape(struct model *m, char final);
void model_osc(struct model *m);
void model_sgr(struct model *m);

/* Parameter I, or DEFAULT where it was left out or, of counts, is 0. */
int model_param(const struct model *m, int i, int value);
int model_count(const struct model *m, int i);

/* SM and RM, with and without prefix ?. */
void model_set_modes(struct model *m, bool on);

/* ---- model_answer.c ---- */

/* DA, DSR, DECRQM, XTVERSION, sizes. False: it is no question. */
bool model_answer(struct model *m, char final);

/* The same of an OSC, if it asks for a colour. */
void model_answer_color(struct model *m);

#endif
