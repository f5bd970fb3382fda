/*
 * list.c - the listing: what lives (each server is asked, all at once), what
 * ended and was not seen, what is saved. One line a name, sorted.
 */
#include "cmd/list.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "cmd/json.h"
#include "session/ended.h"
#include "session/login.h"
#include "session/proto.h"
#include "session/session.h"

#define ANSWER_MS 1000 /* for all of them together */
#define REACH_MS 10
#define REACH_TRIES 50
#define JSON_MAX (16 << 20)

void
rows_done(struct rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++) {
		free(rows->v[i].name);
		free(rows->v[i].command);
		scope_close(&rows->v[i].sock);
	}
	free(rows->v);
}

/* The row of NAME, a new one if need be; NULL: no memory. */
static struct row *
get_row(struct rows *rows, const char *name, bool *ret_new)
{
	struct row *v;
	size_t i;

	*ret_new = false;
	for (i = 0; i < rows->n; i++)
		if (strcmp(rows->v[i].name, name) == 0)
			return &rows->v[i];
	v = reallocarray(rows->v, rows->n + 1, sizeof *v);
	if (v == NULL)
		return NULL;
	rows->v = v;
	v[rows->n] = (struct row){ .name = strdup(name),
		.sock = -1,
		.status = -1,
		.size = "-" };
	if (v[rows->n].name == NULL)
		return NULL;
	*ret_new = true;
	return &v[rows->n++];
}

/* ---- living ones ---- */

/*
 * Connect to NAME, which held its lock just now. A server that starts or ends
 * holds it without a socket for a moment. -ENOENT: it has ended.
 */
static int
reach(struct context *c, const char *name, int *ret_sock)
{
	const struct timespec pause = { .tv_nsec = REACH_MS * 1000000 };
	int i, r;

	for (i = 0; i < REACH_TRIES; i++) {
		r = session_connect(&c->places, name, ret_sock, NULL);
		if (r != -ECONNREFUSED && r != -ENOENT)
			return r;
		if (!session_lives(&c->places, name))
			return -ENOENT;
		(void)nanosleep(&pause, NULL);
	}
	return r;
}

static void
ask(struct context *c, struct rows *rows, const char *name)
{
	Sess__Message m = proto_message(SESS__KIND__STATUS);
	autoclose int sock = -1;
	int r = reach(c, name, &sock);
	struct row *row;
	bool is_new;

	row = r == -ENOENT ? NULL : get_row(rows, name, &is_new);
	if (row == NULL || !is_new)
		return;
	(void)snprintf(row->state, sizeof row->state, "not answering");
	if (r == 0)
		r = proto_send(sock, &m, NULL, 0, MSG_DONTWAIT);
	if (r == 0)
		row->sock = TAKE_FD(sock);
}

static void
take_answer(struct row *row)
{
	struct packet k autopacket = PACKET_NONE;
	const Sess__Message *m;

	if (proto_recv(row->sock, MSG_DONTWAIT, &k) == 1 &&
	    k.msg->kind == SESS__KIND__INFO) {
		m = k.msg;
		row->server = m->pid;
		row->since_s = m->created_s;
		row->saved_s = m->saved_s != 0 ? m->saved_s : row->saved_s;
		row->command = strdup(m->command == NULL ? "" : m->command);
		(void)snprintf(row->size, sizeof row->size, "%ux%u", m->cols,
		    m->rows);
		row->rows = m->rows;
		row->cols = m->cols;
		row->terminals = m->terminals;
		if (m->terminals > 1)
			(void)snprintf(row->state, sizeof row->state,
			    "attached (%u)", m->terminals);
		else
			(void)snprintf(row->state, sizeof row->state, "%s",
			    m->ended              ? "ending" :
				m->terminals == 1 ? "attached" :
						    "detached");
	}
	scope_close(&row->sock);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int
await_answers(struct rows *rows)
{
	autofree struct pollfd *fds = calloc(rows->n + 1, sizeof *fds);
	uint64_t end = now_ms() + ANSWER_MS, now;
	size_t i, n_waiting;

	if (fds == NULL)
		return -ENOMEM;
	while ((now = now_ms()) < end) {
		for (i = n_waiting = 0; i < rows->n; i++) {
			fds[i].fd = rows->v[i].sock;
			fds[i].events = POLLIN;
			n_waiting += fds[i].fd >= 0;
		}
		if (n_waiting == 0 || poll(fds, rows->n, (int)(end - now)) <= 0)
			break;
		for (i = 0; i < rows->n; i++)
			if (fds[i].fd >= 0 && fds[i].revents != 0)
				take_answer(&rows->v[i]);
	}
	return 0;
}

static int
add_living(struct context *c, struct rows *rows)
{
	char **names = NULL;
	size_t n = 0, i;
	int r = session_names(&c->places, &names, &n, &c->err);

	for (i = 0; i < n; i++)
		ask(c, rows, names[i]);
	session_names_free(names, n);
	return r;
}

/* ---- ended and saved ones ---- */

static int
add_ended(struct context *c, struct rows *rows)
{
	struct ended *v = NULL;
	size_t n = 0, i;
	bool is_new;
	int r = c->places.ended < 0 ? 0 :
				      ended_list(&c->places, &v, &n, &c->err);

	for (i = 0; i < n; i++) {
		/* Saved since: it comes back, and is listed as such. */
		struct row *row = commands_is_saved(c, v[i].name) ?
		    NULL :
		    get_row(rows, v[i].name, &is_new);

		if (row != NULL && is_new) {
			row->status = ended_exit_status(v[i].status);
			row->seen = v[i].seen;
			(void)snprintf(row->state, sizeof row->state,
			    "ended %d", row->status);
			row->since_s = v[i].ended_s;
			row->command = TAKE_PTR(v[i].command);
		}
		ended_done(&v[i]);
	}
	free(v);
	return r;
}

static void
add_snapshots(struct context *c, struct rows *rows, const char *name)
{
	autofree struct ckpt_generation *v = NULL;
	struct row *row;
	size_t n = 0;
	bool is_new;

	if (ckpt_generations(c->places.saved, name, &v, &n, NULL) < 0 ||
	    n == 0 || (row = get_row(rows, name, &is_new)) == NULL)
		return;
	row->saved_s = v[n - 1].saved_s;
	if (!is_new)
		return;
	(void)snprintf(row->state, sizeof row->state, "saved");
	row->since_s = row->saved_s;
	row->command = ckpt_command(c->places.saved, name);
}

static int
add_saved(struct context *c, struct rows *rows)
{
	char **names = NULL;
	size_t n = 0, i;
	int r = c->places.saved < 0 ?
	    0 :
	    ckpt_names(c->places.saved, &names, &n, &c->err);

	for (i = 0; i < n && r == 0; i++)
		add_snapshots(c, rows, names[i]);
	session_names_free(names, n);
	return r;
}

/* ---- printing ---- */

static void
format_time(uint64_t t_s, char *out, size_t cap)
{
	time_t t = (time_t)t_s;
	struct tm tm;

	if (t_s == 0 || localtime_r(&t, &tm) == NULL ||
	    strftime(out, cap, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(out, cap, "-");
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name,
	    ((const struct row *)b)->name);
}

static void
print(const struct rows *rows)
{
	int widest = 4, n;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		n = say_text(NULL, rows->v[i].name);
		widest = n > widest && n <= 32 ? n : widest;
	}
	printf("%-*s  %-13s  %-16s  %-8s %-16s  %s\n", widest, "NAME", "STATE",
	    "SINCE", "SIZE", "SAVED", "COMMAND");
	for (i = 0; i < rows->n; i++) {
		const struct row *row = &rows->v[i];
		char since[32], saved[32];

		format_time(row->since_s, since, sizeof since);
		format_time(row->saved_s, saved, sizeof saved);
		n = say_text(stdout, row->name);
		printf("%*s  %-13s  %-16s  %-8s %-16s  ",
		    n < widest ? widest - n : 0, "", row->state, since,
		    row->size, saved);
		(void)say_text(stdout,
		    row->command == NULL ? "?" : row->command);
		(void)putchar('\n');
	}
}

static void
print_names(const struct rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++)
		printf("%s\n", rows->v[i].name);
}

/* An end that was told is of interest only beside snapshots. */
static void
drop_seen(struct rows *rows)
{
	size_t i, n = 0;

	for (i = 0; i < rows->n; i++) {
		if (rows->v[i].seen && rows->v[i].saved_s == 0) {
			free(rows->v[i].name);
			free(rows->v[i].command);
		} else {
			rows->v[n++] = rows->v[i];
		}
	}
	rows->n = n;
}

/* ,"KEY":VALUE, or null for a value that is not there. */
static int
put_number(struct buf *out, const char *key, uint64_t value, bool there)
{
	if (!there)
		return buf_printf(out, ",\"%s\":null", key);
	return buf_printf(out, ",\"%s\":%llu", key, (unsigned long long)value);
}

/* The state in one word: numbers have members of their own. */
static int
put_row(struct buf *out, const struct row *row)
{
	int word = row->status >= 0 || row->terminals > 1 ?
	    (int)strcspn(row->state, " ") :
	    (int)strlen(row->state);
	bool lives = row->rows > 0;
	int r;

	if ((r = buf_printf(out, "{\"name\":")) < 0 ||
	    (r = json_string(out, row->name)) < 0 ||
	    (r = buf_printf(out, ",\"state\":\"%.*s\"", word, row->state)) <
		0 ||
	    (r = put_number(out, "status", (uint64_t)row->status,
		 row->status >= 0)) < 0 ||
	    (r = put_number(out, "terminals", row->terminals, lives)) < 0 ||
	    (r = put_number(out, "rows", row->rows, lives)) < 0 ||
	    (r = put_number(out, "cols", row->cols, lives)) < 0 ||
	    (r = put_number(out, "since", row->since_s, row->since_s > 0)) <
		0 ||
	    (r = put_number(out, "saved", row->saved_s, row->saved_s > 0)) <
		0 ||
	    (r = buf_printf(out, ",\"command\":")) < 0 ||
	    (r = json_string(out, row->command)) < 0)
		return r;
	return buf_printf(out, "}");
}

static int
print_json(const struct rows *rows, struct err *e)
{
	struct buf out autobuf = BUF_INIT(JSON_MAX);
	size_t i;
	int r = 0;

	for (i = 0; i < rows->n && r == 0; i++) {
		r = buf_printf(&out, "%s", i == 0 ? "[\n" : ",\n");
		if (r == 0)
			r = put_row(&out, &rows->v[i]);
	}
	if (r == 0)
		r = buf_printf(&out, "%s", rows->n == 0 ? "[]\n" : "\n]\n");
	if (r < 0)
		return err_num(e, r, "cannot make the list");
	(void)fwrite(out.data, 1, out.len, stdout);
	return 0;
}

int
rows_collect(struct context *c, struct rows *rows)
{
	int r;

	commands_expire(c);
	login_sweep(&c->places);
	r = add_living(c, rows);
	if (r == 0)
		r = await_answers(rows);
	if (r == 0)
		r = add_ended(c, rows);
	if (r == 0)
		r = add_saved(c, rows);
	if (r < 0)
		return r;
	drop_seen(rows);
	if (rows->n > 0)
		qsort(rows->v, rows->n, sizeof *rows->v, compare);
	return 0;
}

int
run_list(struct context *c, char *arg, char **rest)
{
	struct rows rows scoped(rows_done) = { .v = NULL };
	int r;

	(void)arg;
	(void)rest;
	r = rows_collect(c, &rows);
	if (r < 0)
		return r;
	if (c->json)
		return print_json(&rows, &c->err);
	if (c->quiet)
		print_names(&rows);
	else
		print(&rows);
	return 0;
}
