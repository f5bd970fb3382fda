/*
 * terms_pen.c - SGR for terminals with fewer colours and attributes.
 */
#include <string.h>

#include "base/scope.h"
#include "screen/palette.h"
#include "server/terms_state.h"
#include "session/features.h"

static const struct {
	int code;
	uint64_t needs;
} attributes[] = {
	{ 1, FEATURE_BOLD },
	{ 2, FEATURE_DIM },
	{ 3, FEATURE_ITALIC },
	{ 4, FEATURE_UNDERLINE },
	{ 5, FEATURE_BLINK },
	{ 7, FEATURE_REVERSE },
	{ 8, FEATURE_INVISIBLE },
	{ 9, FEATURE_STRIKE },
};

static int
distance(struct rgb a, struct rgb b)
{
	return (a.r - b.r) * (a.r - b.r) + (a.g - b.g) * (a.g - b.g) +
	    (a.b - b.b) * (a.b - b.b);
}

/* The colour of FROM to END - 1 that is nearest to C. */
static int
nearest(struct rgb c, int from, int end)
{
	int i, best = from;

	for (i = from; i < end; i++)
		if (distance(c, palette_color(i)) <
		    distance(c, palette_color(best)))
			best = i;
	return best;
}

/* One of the sixteen; BASE is 30 or 40. With eight, bright is bold. */
static int
put_low(uint64_t features, int base, int i, struct buf *out)
{
	if (i >= 8 && (features & FEATURE_COLORS_16) != 0)
		return buf_printf(out, ";%d", base + 60 + i - 8);
	if (i >= 8 && base == 30 && (features & FEATURE_BOLD) != 0)
		return buf_printf(out, ";1;%d", base + i - 8);
	return buf_printf(out, ";%d", base + i % 8);
}

static int
put_index(uint64_t features, int base, int i, struct buf *out)
{
	if ((features & FEATURE_COLORS_8) == 0)
		return 0;
	if (i >= 16 && (features & FEATURE_COLORS_256) != 0)
		return buf_printf(out, ";%d;5;%d", base + 8, i);
	if (i >= 16)
		i = nearest(palette_color(i), 0,
		    (features & FEATURE_COLORS_16) != 0 ? 16 : 8);
	return put_low(features, base, i, out);
}

static int
put_rgb(uint64_t features, int base, struct rgb c, struct buf *out)
{
	/*
	 * Few say that they know direct colours, of those with 256 nearly all
	 * do; and the program gave them to this terminal as they are.
	 */
	if ((features & (FEATURE_COLORS_DIRECT | FEATURE_COLORS_256)) != 0)
		return buf_printf(out, ";%d;2;%d;%d;%d", base + 8, c.r, c.g,
		    c.b);
	return put_index(features, base,
	    nearest(c, 0, (features & FEATURE_COLORS_16) != 0 ? 16 : 8), out);
}

/* The underline's, with colons: who does not know it passes over all of it. */
static int
put_line_color(const int *v, int n, struct buf *out)
{
	if (v[1] == 5 && n >= 3)
		return buf_printf(out, ";58:5:%d", v[2] & 255);
	if (v[1] == 2 && n >= 5)
		return buf_printf(out, ";58:2::%d:%d:%d", v[n - 3] & 255,
		    v[n - 2] & 255, v[n - 1] & 255);
	return 0;
}

/*
 * The colour that begins with 38, 48 or 58 at parameter I: how many
 * parameters it has. With colons an empty colour space may stand before RGB.
 */
static int
put_extended(uint64_t features, const struct sequence *q, int i,
    struct buf *out)
{
	int base = q->v[i] - 8, n = q->n - i, end = 1, r = 0;
	const int *v = &q->v[i];

	while (end < n && q->sub[i + end])
		end++;
	if (end == 1)
		end = n > 1 && v[1] == 5 ? 3 : 5;
	if (end > n)
		return n;
	if (base == 50) {
		if ((features & FEATURE_STYLED_LINES) != 0)
			r = put_line_color(v, end, out);
		return r < 0 ? r : end;
	}
	if (v[1] == 5 && end >= 3)
		r = put_index(features, base, v[2] & 255, out);
	else if (v[1] == 2 && end >= 5)
		r = put_rgb(features, base,
		    (struct rgb){ v[end - 3] & 255, v[end - 2] & 255,
			v[end - 1] & 255 },
		    out);
	return r < 0 ? r : end;
}

static bool
is_known(uint64_t features, int code)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(attributes); i++)
		if (attributes[i].code == code)
			return (features & attributes[i].needs) != 0;
	return (features & FEATURE_XTERM) != 0;
}

/* The parameter at I: how many were taken. */
static int
put_one(uint64_t features, const struct sequence *q, int i, struct buf *out)
{
	int code = q->v[i], r = 0;

	if (code == 38 || code == 48 || code == 58)
		return put_extended(features, q, i, out);
	if (code == 4 && i + 1 < q->n && q->sub[i + 1]) {
		if ((features & FEATURE_STYLED_LINES) != 0)
			r = buf_printf(out, ";4:%d", q->v[i + 1]);
		else if ((features & FEATURE_UNDERLINE) != 0)
			r = buf_printf(out, ";4");
		return r < 0 ? r : 2;
	}
	if (code == 21 && (features & FEATURE_STYLED_LINES) != 0) {
		r = buf_printf(out, ";4:2");
		return r < 0 ? r : 1;
	}
	if (code == 21)
		code = 4;
	if ((code >= 30 && code <= 37) || (code >= 40 && code <= 47))
		r = put_index(features, code / 10 * 10, code % 10, out);
	else if ((code >= 90 && code <= 97) || (code >= 100 && code <= 107))
		r = put_index(features, code < 100 ? 30 : 40, code % 10 + 8,
		    out);
	else if (code != 0 && is_known(features, code))
		r = buf_printf(out, ";%d", code);
	return r < 0 ? r : 1;
}

int
terms_pen(uint64_t features, const struct sequence *q, struct buf *out)
{
	int i, r = buf_printf(out, "\033[0");

	/* What is left out of a pen that builds on another would be wrong:
	 * sess writes whole ones, which begin with 0 or are empty. */
	for (i = 0; i < q->n && r >= 0; i += r)
		r = put_one(features, q, i, out);
	return r < 0 ? r : buf_put(out, "m", 1);
}
