/*
 * inspect.c - -inspect: what is in a snapshot, as text or as JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "ckpt/insight.h"
#include "cmd/commands.h"
#include "cmd/json.h"
#include "session/session.h"

#define JSON_MAX (64u << 20)
#define KIB 1024
#define DEEPEST 20 /* from here on no further to the right */

/* ---- as text ---- */

static void
print_text(const char *text)
{
	(void)say_text(stdout, text == NULL ? "?" : text);
}

static size_t
find(const struct insight *s, uint32_t pid)
{
	size_t i = 0;

	while (i < s->n && s->v[i].pid != pid)
		i++;
	return i;
}

/* How many of the session's processes are above P. */
static int
depth(const struct insight *s, const struct insight_process *p)
{
	int n = 0;
	size_t i;

	while (
	    n < DEEPEST && (i = find(s, p->parent)) < s->n && &s->v[i] != p) {
		p = &s->v[i];
		n++;
	}
	return n;
}

static void
print_process(const struct insight *s, const struct insight_process *p)
{
	int in = 2 + 2 * depth(s, p);

	printf("%*s%u ", in, "", p->pid);
	print_text(p->command);
	if (p->state == 'Z') {
		printf(" (has ended)\n");
		return;
	}
	printf("\n%*sin ", in + 4, "");
	print_text(p->cwd);
	printf(", user %u, %llu KiB of memory%s", p->uid,
	    (unsigned long long)p->memory / KIB,
	    p->state == 'T' ? ", stopped" : "");
	if (p->n_threads > 1)
		printf(", %u threads", p->n_threads);
	(void)putchar('\n');
	for (size_t i = 0; i < p->n_files; i++) {
		printf("%*s", in + 4, "");
		print_text(p->files[i]);
		(void)putchar('\n');
	}
}

/* Lines, each with two blanks before it. */
static void
print_lines(const char *text)
{
	size_t len;

	for (; *text != 0; text += len) {
		len = strcspn(text, "\n");
		say_line(stdout, "  %.*s", (int)len, text);
		len += text[len] == '\n';
	}
}

static void
print(const struct insight *s)
{
	time_t t = (time_t)s->saved_s;
	char saved[64] = "?";
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		(void)strftime(saved, sizeof saved, "%Y-%m-%d %H:%M:%S", &tm);
	print_text(s->name);
	printf("@%llu: ", (unsigned long long)s->generation);
	print_text(s->command);
	printf("\nsaved %s, %ux%u, %llu KiB, and %llu KiB in %llu files kept "
	       "beside it\non Linux ",
	    saved, s->cols, s->rows, (unsigned long long)s->image_len / KIB,
	    (unsigned long long)s->objects_len / KIB,
	    (unsigned long long)s->n_objects);
	print_text(s->release);
	printf(", ");
	print_text(s->arch);
	printf(s->unfit == NULL ? "; this machine can revive it\n" :
				  "; this machine could not revive it now:\n");
	if (s->unfit != NULL)
		print_lines(s->unfit);
	printf("processes:\n");
	for (size_t i = 0; i < s->n; i++)
		print_process(s, &s->v[i]);
	if (s->notes[0] != 0) {
		printf("different after a revival:\n");
		print_lines(s->notes);
	}
}

/* ---- as JSON ---- */

static int
put_text(struct buf *out, const char *key, const char *text)
{
	int r = buf_printf(out, ",\"%s\":", key);

	return r < 0 ? r : json_string(out, text);
}

static int
put_number(struct buf *out, const char *key, uint64_t n)
{
	return buf_printf(out, ",\"%s\":%llu", key, (unsigned long long)n);
}

static int
put_process(struct buf *out, const struct insight_process *p)
{
	int r = buf_printf(out, "{\"pid\":%u", p->pid);

	if (r < 0 || (r = put_number(out, "parent", p->parent)) < 0 ||
	    (r = put_text(out, "state",
		 p->state == 'Z'     ? "ended" :
		     p->state == 'T' ? "stopped" :
				       "alive")) < 0 ||
	    (r = put_text(out, "command", p->command)) < 0 ||
	    (r = put_text(out, "cwd", p->cwd)) < 0 ||
	    (r = put_number(out, "uid", p->uid)) < 0 ||
	    (r = put_number(out, "threads", p->n_threads)) < 0 ||
	    (r = put_number(out, "memory", p->memory)) < 0 ||
	    (r = buf_printf(out, ",\"files\":[")) < 0)
		return r;
	for (size_t i = 0; i < p->n_files && r == 0; i++) {
		r = buf_printf(out, i > 0 ? "," : "");
		if (r == 0)
			r = json_string(out, p->files[i]);
	}
	return r < 0 ? r : buf_printf(out, "]}");
}

static int
put_all(struct buf *out, const struct insight *s)
{
	int r = buf_printf(out, "{\"generation\":%llu",
	    (unsigned long long)s->generation);

	if (r < 0 || (r = put_text(out, "name", s->name)) < 0 ||
	    (r = put_text(out, "command", s->command)) < 0 ||
	    (r = put_number(out, "saved", s->saved_s)) < 0 ||
	    (r = put_number(out, "since", s->created_s)) < 0 ||
	    (r = put_number(out, "rows", s->rows)) < 0 ||
	    (r = put_number(out, "cols", s->cols)) < 0 ||
	    (r = put_number(out, "image_len", s->image_len)) < 0 ||
	    (r = put_number(out, "objects", s->n_objects)) < 0 ||
	    (r = put_number(out, "objects_len", s->objects_len)) < 0 ||
	    (r = put_text(out, "arch", s->arch)) < 0 ||
	    (r = put_text(out, "release", s->release)) < 0 ||
	    (r = put_text(out, "unfit", s->unfit)) < 0 ||
	    (r = put_text(out, "notes", s->notes)) < 0 ||
	    (r = buf_printf(out, ",\"processes\":[")) < 0)
		return r;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		r = buf_printf(out, i > 0 ? ",\n" : "\n");
		if (r == 0)
			r = put_process(out, &s->v[i]);
	}
	return r < 0 ? r : buf_printf(out, "]}\n");
}

/* ---- the command ---- */

/* A word with a slash is a file, another one a session with snapshots. */
static int
look(struct context *c, char *arg, struct insight *ret_s)
{
	uint64_t generation;
	int r;

	if (strchr(arg, '/') != NULL)
		return insight_file(arg, ret_s, &c->err);
	session_split(arg, &generation);
	r = session_check_name(arg, &c->err);
	if (r < 0)
		return r;
	if (!commands_has_snapshots(c, arg) && access(arg, F_OK) == 0)
		return insight_file(arg, ret_s, &c->err);
	return insight_saved(c->places.saved, arg, generation, ret_s, &c->err);
}

int
run_inspect(struct context *c, char *arg, char **rest)
{
	scoped(insight_done) struct insight s = { .name = NULL };
	struct buf out autobuf = BUF_INIT(JSON_MAX);
	int r;

	(void)rest;
	if (arg == NULL)
		return err_set(&c->err, -EINVAL,
		    "which snapshot? A session or a file is needed");
	r = look(c, arg, &s);
	if (r < 0)
		return r;
	if (!c->json) {
		print(&s);
		return 0;
	}
	r = put_all(&out, &s);
	if (r < 0)
		return err_num(&c->err, r, "cannot make the report");
	(void)fwrite(out.data, 1, out.len, stdout);
	return 0;
}
