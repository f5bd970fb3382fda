/*
 * model.c - see model.h: records, sentences about tasks, remote calls.
 */
#include "ckpt/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/scope.h"

int
record_put(struct ckpt *c, enum image_tag tag, uint64_t id,
    const ProtobufCMessage *m)
{
	struct record *r;

	if (array_room(&c->records, c->n_records, &c->cap_records) < 0)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = &c->records[c->n_records];
	*r = (struct record){ .tag = tag, .id = id };
	r->len = protobuf_c_message_get_packed_size(m);
	r->data = malloc(r->len == 0 ? 1 : r->len);
	if (r->data == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	(void)protobuf_c_message_pack(m, r->data);
	c->n_records++;
	return 0;
}

static void
say(struct buf *b, const struct task *t, const char *fmt, va_list ap)
{
	char text[ERR_MAX];

	(void)vsnprintf(text, sizeof text, fmt, ap);
	if (t == NULL)
		(void)buf_printf(b, "%s\n", text);
	else
		(void)buf_printf(b, "%s (pid %d): %s\n", t->comm, t->pid, text);
}

int
obstacle(struct ckpt *c, const struct task *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(&c->obstacles, t, fmt, ap);
	va_end(ap);
	return 0;
}

void
note(struct ckpt *c, const struct task *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(&c->notes, t, fmt, ap);
	va_end(ap);
}

void
note_once(struct ckpt *c, const char *fmt, ...)
{
	size_t before = c->notes.len, len;
	va_list ap;

	va_start(ap, fmt);
	say(&c->notes, NULL, fmt, ap);
	va_end(ap);
	len = c->notes.len - before;
	if (memmem(c->notes.data, before, c->notes.data + before, len) != NULL)
		c->notes.len = before;
}

bool
task_is_live(const struct task *t)
{
	return t->state != TASK_ZOMBIE && t->n_threads > 0;
}

struct task *
task_find(struct ckpt *c, pid_t vpid)
{
	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].vpid == vpid)
			return &c->tasks[i];
	return NULL;
}

int
task_run(struct ckpt *c, struct task *t, struct tracee_op *ops, size_t n)
{
	return tracee_run(&t->threads[0], &t->area, ops, n, c->err);
}

int64_t
task_call(struct ckpt *c, struct task *t, uint64_t nr, uint64_t a0, uint64_t a1,
    uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	int64_t val;
	int r;

	r = tracee_call(&t->threads[0], &t->area, &val, c->err, nr, a0, a1, a2,
	    a3, a4, a5);
	return r < 0 ? r : val;
}

int64_t
task_must(struct ckpt *c, struct task *t, const char *what, uint64_t nr,
    uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
    uint64_t a5)
{
	int64_t val;
	int r;

	r = tracee_call(&t->threads[0], &t->area, &val, c->err, nr, a0, a1, a2,
	    a3, a4, a5);
	if (r < 0)
		return r;
	if (val < 0)
		return err_num(c->err, (int)val, "%s (pid %d): %s", t->comm,
		    t->pid, what);
	return val;
}

int
file_inherit(struct ckpt *c, int fd)
{
	int to;

	to = fcntl(fd, F_DUPFD, c->fd_next);
	if (to < 0) {
		int r = err_sys(c->err,
		    "too many open files to revive (limit "
		    "of open descriptors reached at %d)",
		    c->fd_next);

		(void)close(fd);
		return r;
	}
	(void)close(fd);
	c->fd_next = to + 1;
	return to;
}

int
image_damaged(struct ckpt *c, const char *what)
{
	return err_set(c->err, -EBADMSG, "the image is damaged: %s", what);
}
