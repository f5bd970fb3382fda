/*
 * keys.c - see keys.h. The long forms are those of the kitty keyboard
 * protocol (CSI CODE:SHIFTED:BASE ; MODIFIERS:EVENT ; TEXT u) and of xterm's
 * modifyOtherKeys.
 */
#include "server/keys.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define CTRL 4u              /* in MODIFIERS - 1 */
#define LOCKS (64u | 128u)   /* caps lock, num lock: of no matter */
#define RELEASE 3            /* EVENT */
#define FIRST_MODIFIER 57441 /* codes of shift, ctrl... themselves */
#define LAST_MODIFIER 57454
#define N_FIELDS 3
#define N_SUBFIELDS 3

int
keys_parse(const char *text)
{
	if (strcmp(text, "none") == 0)
		return -1;
	if (text[0] == '^' && text[1] != 0 && text[2] == 0) {
		int c = toupper((unsigned char)text[1]);

		if (c >= '@' && c <= '_')
			return c - '@';
	}
	if ((unsigned char)text[0] < 0x20 && text[0] != 0 && text[1] == 0)
		return text[0];
	return -EINVAL;
}

enum match {
	OTHER, /* not the key */
	PRESS,
	QUIET, /* release of a key, or a modifier: no press of another */
	MAYBE, /* could become one with more bytes */
};

struct long_key {
	unsigned field[N_FIELDS][N_SUBFIELDS]; /* 0: left out */
	char final;
	size_t len;
};

/* Take apart CSI digits : ; final at P. MAYBE: cut off. */
static enum match
parse_long(const uint8_t *p, size_t len, struct long_key *ret_key)
{
	struct long_key k = { .final = 0 };
	size_t f = 0, s = 0, i;

	if (p[0] != 0x1b)
		return OTHER;
	if (len > 1 && p[1] != '[')
		return OTHER;
	for (i = 2; i < len; i++) {
		uint8_t c = p[i];

		if (i >= KEYS_HELD_MAX)
			return OTHER;
		if (c >= '0' && c <= '9') {
			if (f < N_FIELDS && s < N_SUBFIELDS &&
			    k.field[f][s] < 1000000)
				k.field[f][s] = k.field[f][s] * 10 + c - '0';
		} else if (c == ':')
			s++;
		else if (c == ';') {
			f++;
			s = 0;
		} else if (c == 'u' || c == '~') {
			k.final = (char)c;
			k.len = i + 1;
			*ret_key = k;
			return PRESS;
		} else
			return OTHER;
	}
	return MAYBE;
}

/* Does CODE with ctrl give the control character KEY? */
static bool
is_code(unsigned code, int key)
{
	unsigned plain = (unsigned)key + '@';

	if (code == plain)
		return true;
	if (key >= 1 && key <= 26)
		return code == plain + ('a' - 'A');
	return key == 0 && (code == ' ' || code == '2');
}

/* Is what begins at P the key? *RET_LEN bytes of it. */
static enum match
match(const struct keys *k, const uint8_t *p, size_t len, size_t *ret_len)
{
	struct long_key l;
	unsigned code, mods, event;
	enum match m;

	*ret_len = 1;
	if (k->key < 0 || k->pasting)
		return OTHER;
	if (p[0] == (uint8_t)k->key)
		return PRESS;
	m = parse_long(p, len, &l);
	if (m != PRESS)
		return m;
	*ret_len = l.len;
	if (l.final == '~' && l.field[0][0] != 27)
		return OTHER;
	code = l.final == '~' ? l.field[2][0] : l.field[0][0];
	mods = l.field[1][0] == 0 ? 0 : l.field[1][0] - 1;
	event = l.field[1][1];
	if (l.final == 'u' &&
	    (event == RELEASE ||
		(code >= FIRST_MODIFIER && code <= LAST_MODIFIER)))
		return QUIET;
	if ((mods & ~LOCKS) != CTRL)
		return OTHER;
	return is_code(code, k->key) ||
		(l.field[0][2] != 0 && is_code(l.field[0][2], k->key)) ?
	    PRESS :
	    OTHER;
}

/* See bytes that go to the program: do they begin or end a paste? */
static void
watch_paste(struct keys *k, const uint8_t *p, size_t len)
{
	static const uint8_t bracket[] = "\033[20";
	const size_t n = sizeof bracket - 1;
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == 0x1b)
			k->n_mark = 0;
		else if (k->n_mark == 0)
			continue;
		k->mark[k->n_mark++] = p[i];
		if (k->n_mark == n + 2) {
			if (p[i] == '~')
				k->pasting = k->mark[n] == '0';
			k->n_mark = 0;
		} else if (k->n_mark <= n ? p[i] != bracket[k->n_mark - 1] :
					    p[i] != '0' && p[i] != '1')
			k->n_mark = 0;
	}
}

/* The walk over one run of bytes. */
static int
walk(struct keys *k, const uint8_t *p, size_t len, bool hold, struct buf *out,
    enum keys_verdict *ret_verdict)
{
	size_t i, n, from = 0;
	int r = 0;

	*ret_verdict = KEYS_GO_ON;
	for (i = 0; i < len; i += n) {
		enum match m = match(k, p + i, len - i, &n);

		if (m == MAYBE && hold) {
			r = buf_put(out, p + from, i - from);
			memcpy(k->held, p + i, len - i);
			k->n_held = len - i;
			*ret_verdict = KEYS_WAIT;
			return r;
		}
		if (m == PRESS && k->pressed) {
			k->pressed = false; /* these bytes are the program's */
			continue;
		}
		if (m == PRESS) {
			r = buf_put(out, p + from, i - from);
			k->pressed = true;
			from = i + n;
		} else if (m == QUIET && k->pressed) {
			r = buf_put(out, p + from, i - from);
			from = i + n;
		} else if (k->pressed) {
			*ret_verdict = KEYS_DETACH;
			return r;
		}
		if (r < 0)
			return r;
		watch_paste(k, p + i, n);
	}
	if (k->pressed)
		*ret_verdict = KEYS_WAIT;
	return buf_put(out, p + from, len - from);
}

int
keys_filter(struct keys *k, const uint8_t *data, size_t len, bool long_forms,
    struct buf *out, enum keys_verdict *ret_verdict)
{
	struct buf all autobuf = BUF_INIT(KEYS_HELD_MAX + len);
	int r;

	if (k->n_held == 0)
		return walk(k, data, len, long_forms, out, ret_verdict);
	r = buf_put(&all, k->held, k->n_held);
	if (r == 0)
		r = buf_put(&all, data, len);
	k->n_held = 0;
	return r < 0 ? r :
		       walk(k, all.data, all.len, long_forms, out, ret_verdict);
}

int
keys_expire(struct keys *k, struct buf *out, enum keys_verdict *ret_verdict)
{
	int r = buf_put(out, k->held, k->n_held);

	k->n_held = 0;
	*ret_verdict = k->pressed ? KEYS_DETACH : KEYS_GO_ON;
	return r;
}
