/*
 * modes_osc.c - operating system commands: titles and their stack, colours,
 * and strings that stand until the next one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "screen/modes_state.h"

/* An empty text is none. */
static void
keep_string(char **p, const char *text)
{
	free(*p);
	*p = text == NULL ? NULL : strdup(text);
}

/* ---- titles ---- */

static void
set_title(struct modes *m, const char *text)
{
	if (m->string[0] != '1')
		keep_string(&m->title, text);
	if (m->string[0] != '2')
		keep_string(&m->icon, text);
}

static void
free_titles(struct titles *t)
{
	free(t->title);
	free(t->icon);
}

void
modes_push_titles(struct modes *m, int which)
{
	struct titles *t;

	if (m->n_stack == N_TITLES) {
		free_titles(&m->stack[0]);
		memmove(&m->stack[0], &m->stack[1],
		    (N_TITLES - 1) * sizeof m->stack[0]);
		m->n_stack--;
	}
	t = &m->stack[m->n_stack++];
	*t = (struct titles){ .which = which };
	keep_string(&t->title, m->title);
	keep_string(&t->icon, m->icon);
}

void
modes_pop_titles(struct modes *m, int which)
{
	struct titles *t;

	if (m->n_stack == 0)
		return;
	t = &m->stack[--m->n_stack];
	if (which != 1 && t->which != 1)
		keep_string(&m->title, t->title);
	if (which != 2 && t->which != 2)
		keep_string(&m->icon, t->icon);
	free_titles(t);
}

/* ---- colours ---- */

static void
drop_colors(struct modes *m, const char *key, size_t len)
{
	size_t i, kept = 0;

	for (i = 0; i < m->n_colors; i++) {
		if (m->colors[i].key >= len &&
		    memcmp(m->colors[i].text, key, len) == 0)
			free(m->colors[i].text);
		else
			m->colors[kept++] = m->colors[i];
	}
	m->n_colors = kept;
}

/* Remember TEXT, of which the first KEY bytes say which colour it is. */
static void
keep_color(struct modes *m, const char *text, size_t key)
{
	struct color *more;

	drop_colors(m, text, key);
	if (m->n_colors == N_COLORS)
		return;
	more = realloc(m->colors, (m->n_colors + 1) * sizeof *more);
	if (more == NULL)
		return;
	m->colors = more;
	more[m->n_colors] = (struct color){ strdup(text), key };
	if (more[m->n_colors].text != NULL)
		m->n_colors++;
}

/* OSC 4 and 5: pairs of a number and a colour. */
static void
set_palette(struct modes *m, char *pairs, int n)
{
	char text[STRING_MAX + 8];
	char *index, *value, *at = pairs;
	int key;

	while ((index = strsep(&at, ";")) != NULL &&
	    (value = strsep(&at, ";")) != NULL) {
		if (value[0] == '?')
			continue; /* a question */
		key = snprintf(text, sizeof text, "%d;%s;", n, index);
		(void)snprintf(text + key, sizeof text - (size_t)key, "%s",
		    value);
		keep_color(m, text, (size_t)key);
		if (n == 4)
			m->palette = true;
		else
			m->special = true;
	}
}

/* OSC 10 to 19: more than one value is for the numbers that follow. */
static void
set_dynamic(struct modes *m, char *values, int n)
{
	char text[STRING_MAX + 8];
	char *value, *at = values;
	int key;

	for (; n <= 19 && (value = strsep(&at, ";")) != NULL; n++) {
		if (value[0] == '?' || value[0] == 0)
			continue;
		key = snprintf(text, sizeof text, "%d;", n);
		(void)snprintf(text + key, sizeof text - (size_t)key, "%s",
		    value);
		keep_color(m, text, (size_t)key);
	}
}

/* OSC 104, 105 and 110 to 119. */
static void
reset_colors(struct modes *m, char *rest, int n)
{
	char key[64], *index, *at = rest;
	int len;

	if (n >= 10 || rest == NULL || rest[0] == 0) {
		len = snprintf(key, sizeof key, "%d;", n);
		drop_colors(m, key, (size_t)len);
		m->palette = m->palette && n != 4;
		m->special = m->special && n != 5;
		return;
	}
	while ((index = strsep(&at, ";")) != NULL) {
		len = snprintf(key, sizeof key, "%d;%.32s;", n, index);
		drop_colors(m, key, (size_t)len);
	}
}

const char *
modes_color(const struct modes *m, const char *which)
{
	size_t i, len = strlen(which);

	for (i = 0; i < m->n_colors; i++)
		if (m->colors[i].key == len + 1 &&
		    memcmp(m->colors[i].text, which, len) == 0)
			return m->colors[i].text + len + 1;
	return NULL;
}

static bool
is_dynamic(int n)
{
	return n >= 10 && n <= 19;
}

/* ---- strings that stand ---- */

static const struct {
	const char *prefix, *none; /* "" or NONE: back to nothing */
} kept_table[KEPT_N] = {
	[KEPT_CWD] = { "7;", "" },
	[KEPT_LINK] = { "8;", ";" },
	[KEPT_PROGRESS] = { "9;4;", "0" },
	[KEPT_POINTER] = { "22;", "" },
};

static bool
keep_standing(struct modes *m)
{
	size_t i, len;
	const char *text;

	for (i = 0; i < KEPT_N; i++) {
		len = strlen(kept_table[i].prefix);
		if (strncmp(m->string, kept_table[i].prefix, len) != 0)
			continue;
		text = m->string + len;
		/* A link has parameters and an address: without one, none. */
		if (i == KEPT_LINK && strchr(text, ';') != NULL &&
		    strchr(text, ';')[1] == 0)
			text = "";
		keep_string(&m->kept[i],
		    text[0] == 0 || strcmp(text, kept_table[i].none) == 0 ?
			NULL :
			text);
		return true;
	}
	return false;
}

/* ---- all of them ---- */

void
modes_osc(struct modes *m)
{
	char *rest;
	int n;

	m->where = GROUND;
	if (m->n_string >= STRING_MAX)
		return;
	m->string[m->n_string] = 0;
	if (m->string[0] == 'P' || m->string[0] == 'R') {
		m->linux_palette = m->string[0] == 'P';
		m->generation++;
		return;
	}
	if (strchr(m->string, '?') != NULL)
		m->n_questions++;
	n = atoi(m->string);
	rest = strchr(m->string, ';');
	rest = rest == NULL ? NULL : rest + 1;
	if (m->string[0] != 0 && strchr("012", m->string[0]) != NULL &&
	    m->string[1] == ';')
		set_title(m, rest);
	else if (rest != NULL && (n == 4 || n == 5))
		set_palette(m, rest, n);
	else if (rest != NULL && is_dynamic(n))
		set_dynamic(m, rest, n);
	else if (n == 104 || n == 105 || is_dynamic(n - 100))
		reset_colors(m, rest, n - 100);
	else if (!keep_standing(m))
		return;
	m->generation++;
}

void
modes_osc_reset(struct modes *m)
{
	size_t i;

	drop_colors(m, "", 0);
	m->palette = m->special = m->linux_palette = false;
	for (i = 0; i < KEPT_N; i++)
		if (i != KEPT_CWD)
			keep_string(&m->kept[i], NULL);
}

void
modes_osc_done(struct modes *m)
{
	modes_osc_reset(m);
	while (m->n_stack > 0)
		free_titles(&m->stack[--m->n_stack]);
	keep_string(&m->kept[KEPT_CWD], NULL);
	free(m->colors);
	free(m->title);
	free(m->icon);
}
