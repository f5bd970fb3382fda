/*
 * model_sgr.c - what draws: SGR (ECMA-48 8.3.117, ISO 8613-6, and what xterm,
 * VTE and kitty added) and the links of OSC 8.
 */
#include "screen/model_state.h"

/* Attributes that parameter 1 to 9, or 51 to 55, sets and another resets. */
static const struct {
	uint8_t number;
	uint16_t set, reset;
} sgr_table[] = {
	{ 1, BOLD, 0 },
	{ 2, FAINT, 0 },
	{ 3, ITALIC, 0 },
	{ 5, BLINK, 0 },
	{ 6, BLINK, 0 },
	{ 7, REVERSE, 0 },
	{ 8, CONCEAL, 0 },
	{ 9, STRIKE, 0 },
	{ 21, 2u << UNDERLINE_SHIFT, UNDERLINE },
	{ 22, 0, BOLD | FAINT },
	{ 23, 0, ITALIC },
	{ 24, 0, UNDERLINE },
	{ 25, 0, BLINK },
	{ 27, 0, REVERSE },
	{ 28, 0, CONCEAL },
	{ 29, 0, STRIKE },
	{ 53, OVERLINE, 0 },
	{ 55, 0, OVERLINE },
};

static bool
is_sub(const struct model *m, int i)
{
	return i < m->seq.n && (m->seq.colons >> i & 1) != 0;
}

/* How many parameters belong to number I: it and those behind colons. */
static int
group_len(const struct model *m, int i)
{
	int n = 1;

	while (is_sub(m, i + n))
		n++;
	return n;
}

static uint32_t
rgb(const struct model *m, int i)
{
	uint32_t c = COLOR_RGB;
	int k;

	for (k = 0; k < 3; k++)
		c |= ((uint32_t)model_param(m, i + k, 0) & 255) << (16 - 8 * k);
	return c;
}

/*
 * 38, 48 or 58 at I: 5;N or 2;R;G;B, with semicolons or colons, with colons
 * also 2:SPACE:R:G:B. How many parameters it takes.
 */
static int
extended(const struct model *m, int i, uint32_t *ret_color)
{
	int n = group_len(m, i), how = model_param(m, i + 1, 0);

	if (n == 1) {
		if (how == 5)
			*ret_color = COLOR_INDEX |
			    ((uint32_t)model_param(m, i + 2, 0) & 255);
		else if (how == 2)
			*ret_color = rgb(m, i + 2);
		return how == 5 ? 3 : how == 2 ? 5 : 2;
	}
	if (how == 5 && n >= 3)
		*ret_color = COLOR_INDEX |
		    ((uint32_t)model_param(m, i + 2, 0) & 255);
	else if (how == 2 && n >= 5)
		*ret_color = rgb(m, i + (n >= 6 ? 3 : 2));
	return n;
}

static void
attribute(struct pen *pen, int number)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(sgr_table); i++)
		if (sgr_table[i].number == number) {
			pen->attrs &= (uint16_t)~sgr_table[i].reset;
			pen->attrs |= sgr_table[i].set;
			return;
		}
}

static void
underline(struct pen *pen, int how)
{
	pen->attrs &= (uint16_t)~UNDERLINE;
	if (how >= 0 && how <= 5)
		pen->attrs |= (uint16_t)(how << UNDERLINE_SHIFT);
}

/* Without the link and the protection, which are not SGR's. */
static void
plain(struct pen *pen)
{
	*pen = (struct pen){ .attrs = pen->attrs & PROTECTED,
		.link = pen->link };
}

/* One of the sixteen colours by its own number; 0: it is none. */
static uint32_t
basic(int v, int first, int bright)
{
	if (v >= first && v < first + 8)
		return COLOR_INDEX | (uint32_t)(v - first);
	if (v >= bright && v < bright + 8)
		return COLOR_INDEX | (uint32_t)(v - bright + 8);
	return 0;
}

/* Parameter I and those that belong to it; how many. */
static int
one(struct model *m, int i)
{
	struct pen *pen = &m->c.pen;
	int v = model_param(m, i, 0);
	uint32_t color;

	if (v == 38)
		return extended(m, i, &pen->fg);
	if (v == 48)
		return extended(m, i, &pen->bg);
	if (v == 58)
		return extended(m, i, &pen->ul);
	if (v == 0)
		plain(pen);
	else if (v == 4)
		underline(pen, is_sub(m, i + 1) ? model_param(m, i + 1, 0) : 1);
	else if (v == 39)
		pen->fg = 0;
	else if (v == 49)
		pen->bg = 0;
	else if (v == 59)
		pen->ul = 0;
	else if ((color = basic(v, 30, 90)) != 0)
		pen->fg = color;
	else if ((color = basic(v, 40, 100)) != 0)
		pen->bg = color;
	else
		attribute(pen, v);
	return group_len(m, i);
}

void
model_sgr(struct model *m)
{
	int i = 0;

	while (i < m->seq.n)
		i += one(m, i);
}

/* OSC 8 ; parameters ; URI. */
void
model_osc(struct model *m)
{
	const char *text = (const char *)m->osc.data, *uri;
	size_t len = m->osc.len;

	if (len < 3 || memcmp(text, "8;", 2) != 0)
		return;
	text += 2;
	len -= 2;
	uri = memchr(text, ';', len);
	if (uri == NULL)
		return;
	m->c.pen.link = uri + 1 == text + len ?
	    0 :
	    (uint16_t)model_intern(m, &m->links, text, len);
}
