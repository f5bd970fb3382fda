/*
 * model_answer.c - what a terminal answers to the program's questions, said
 * while no terminal is there to do so.
 */
#include <stdio.h>

#include "screen/model_state.h"

#define ANSWER(m, ...)                                               \
	do {                                                         \
		char text_[64];                                      \
		int n_ = snprintf(text_, sizeof text_, __VA_ARGS__); \
		(m)->hooks.answer((m)->arg, text_, (size_t)n_);      \
	} while (0)

static void
answer_status(struct model *m)
{
	const char *prefix = m->seq.prefix == '?' ? "?" : "";
	int row = m->c.row - (m->c.origin ? m->top : 0) + 1;
	int col = m->c.col - (m->c.origin ? m->left : 0) + 1;
	int what = model_param(m, 0, 0);

	if (what == 5 && *prefix == 0)
		ANSWER(m, "\033[0n");
	else if (what == 6)
		ANSWER(m, "\033[%s%d;%dR", prefix, row, col);
}

static void
answer_mode(struct model *m)
{
	bool private = m->seq.prefix == '?';
	unsigned number = (unsigned)model_param(m, 0, 0);

	ANSWER(m, "\033[%s%u;%d$y", private ? "?" : "", number,
	    m->hooks.mode(m->arg, private, number));
}

/* Sizes: of the text in pixels, of a cell, of the text in cells. */
static void
answer_size(struct model *m)
{
	int what = model_param(m, 0, 0), width = 0, height = 0;

	if (what == 18 || what == 19) {
		ANSWER(m, "\033[%d;%d;%dt", what - 10, m->rows, m->cols);
		return;
	}
	m->hooks.pixels(m->arg, &width, &height);
	if (width <= 0 || height <= 0)
		return; /* nobody knows */
	if (what == 14)
		ANSWER(m, "\033[4;%d;%dt", height, width);
	else if (what == 16)
		ANSWER(m, "\033[6;%d;%dt", height / m->rows, width / m->cols);
}

static const struct {
	char prefix, inter, final;
	const char *text;
	void (*run)(struct model *m);
} table[] = {
	/* VT220 with ANSI colours, of no maker, version or serial number */
	{ 0, 0, 'c', "\033[?62;22c", NULL },
	{ '>', 0, 'c', "\033[>1;10;0c", NULL },
	{ '=', 0, 'c', "\033P!|00000000\033\\", NULL },
	{ '>', 0, 'q', "\033P>|sess\033\\", NULL },
	{ 0, 0, 'n', NULL, answer_status },
	{ '?', 0, 'n', NULL, answer_status },
	{ 0, '$', 'p', NULL, answer_mode },
	{ '?', '$', 'p', NULL, answer_mode },
	{ 0, 0, 't', NULL, answer_size },
};

bool
model_answer(struct model *m, char final)
{
	size_t i;

	if (m->seq.prefix == '?' && m->seq.inter == 0 && final == 'u') {
		ANSWER(m, "\033[?%uu", m->hooks.keyboard(m->arg));
		return true;
	}
	for (i = 0; i < N_ELEMENTS(table); i++) {
		if (table[i].final != final ||
		    table[i].prefix != m->seq.prefix ||
		    table[i].inter != m->seq.inter)
			continue;
		if (table[i].text != NULL)
			ANSWER(m, "%s", table[i].text);
		else
			table[i].run(m);
		return true;
	}
	return false;
}

/* OSC WHICH ; ? */
void
model_answer_color(struct model *m)
{
	char which[MODEL_OSC_HEAD + 1];
	size_t len = m->osc.len;
	struct rgb c;

	if (len < 3 || len > MODEL_OSC_HEAD ||
	    memcmp(m->osc.data + len - 2, ";?", 2) != 0)
		return;
	memcpy(which, m->osc.data, len - 2);
	which[len - 2] = 0;
	if (m->hooks.color(m->arg, which, &c))
		ANSWER(m, "\033]%s;rgb:%04x/%04x/%04x\033\\", which, c.r * 257u,
		    c.g * 257u, c.b * 257u);
}
