/*
 * check.c - see check.h, and ckpt_check() in ckpt.h.
 */
#include "ckpt/check.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ckpt/files/files.h"
#include "ckpt/memory/memory.h"
#include "ckpt/process/sleep.h"
#include "ckpt/process/threads.h"
#include "ckpt/process/tree.h"
#include "ckpt/rehearse.h"
#include "ckpt/resource.h"
#include "ckpt/save.h"

#define CHECK_LOOKS 4

static int
check_all(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		struct task *t = &c->tasks[i];

		if (t->state == TASK_ZOMBIE)
			continue;
		r = threads_check(c, t);
		if (r >= 0)
			r = memory_check(c, t);
		for (size_t k = 0; r >= 0 && resources[k] != NULL; k++)
			if (resources[k]->check != NULL)
				r = resources[k]->check(c, t);
	}
	for (size_t k = 0; r >= 0 && resources[k] != NULL; k++)
		if (resources[k]->check_tree != NULL)
			r = resources[k]->check_tree(c);
	return r;
}

static bool
share_memory(const struct task *a, const struct task *b)
{
	return a->state != TASK_ZOMBIE && b->state != TASK_ZOMBIE &&
	    syscall(SYS_kcmp, a->pid, b->pid, KCMP_VM, 0, 0) == 0;
}

/*
 * Two processes that are no threads of one another with one memory. While
 * they run it may be a vfork, which is over when they have stopped, or a
 * moment later.
 */
void
check_shared_memory(struct ckpt *c, bool running)
{
	struct timespec moment = { .tv_nsec = 100 * 1000000 };

	for (size_t i = 0; i < c->n_tasks; i++)
		for (size_t k = i + 1; k < c->n_tasks; k++) {
			struct task *a = &c->tasks[i], *b = &c->tasks[k];

			if (!share_memory(a, b))
				continue;
			if (running)
				(void)nanosleep(&moment, NULL);
			if (running && !share_memory(a, b))
				continue;
			(void)obstacle(c, b,
			    "it shares its memory with "
			    "process %d (clone with CLONE_VM), which cannot "
			    "be saved: end one of them",
			    a->pid);
		}
}

/* The first line of the obstacles becomes the sentence. */
int
check_refuse(struct ckpt *c)
{
	const char *text = (const char *)c->obstacles.data;
	size_t len = c->obstacles.len, line = 0;

	if (len == 0)
		return 0;
	while (line < len && text[line] != '\n')
		line++;
	return err_set(c->err, -EOPNOTSUPP, "cannot be saved: %.*s%s",
	    (int)line, text,
	    line + 1 < len ? " (and more: see sess -check)" : "");
}

/* One look at everything. SAMPLE: who sleeps, too. */
static int
look(struct ckpt *c, pid_t pid, bool sample)
{
	int r;

	r = pid == 0 ? tree_collect(c) : tree_collect_one(c, pid);
	for (size_t i = 0; r >= 0 && sample && i < c->n_tasks; i++)
		if (c->tasks[i].state != TASK_ZOMBIE)
			r = sleep_sample(c, &c->tasks[i]);
	if (r >= 0)
		r = check_all(c);
	if (r >= 0 && !sample)
		check_shared_memory(c, true);
	tree_done(c);
	return r;
}

static void
forget(struct ckpt *c)
{
	buf_drop(&c->obstacles, c->obstacles.len);
	buf_drop(&c->notes, c->notes.len);
	free(c->unforked);
	free(c->asleep);
	c->unforked = NULL;
	c->asleep = NULL;
	c->n_unforked = c->n_asleep = 0;
}

/* Of the lines in NOW only those stay that are in BEFORE as well. */
static void
keep_common(struct buf *now, const struct buf *before)
{
	size_t len;

	for (size_t at = 0; at < now->len; at += len) {
		const uint8_t *line = now->data + at;
		const uint8_t *end = memchr(line, '\n', now->len - at);

		len = end == NULL ? now->len - at : (size_t)(end - line) + 1;
		if (memmem(before->data, before->len, line, len) != NULL)
			continue;
		memmove(now->data + at, line + len, now->len - at - len);
		now->len -= len;
		len = 0;
	}
}

/*
 * A process in the middle of exec or exit can be read by nobody: what stands
 * in the way counts when it is still there after several looks.
 */
static int
look_again(struct ckpt *c, pid_t pid, bool sample)
{
	const struct timespec moment = { .tv_nsec = 20 * 1000000 };
	int r;

	r = look(c, pid, sample);
	for (int i = 1; r >= 0 && i < CHECK_LOOKS && c->obstacles.len > 0;
	     i++) {
		autobuf struct buf before = BUF_INIT(NOTES_MAX);

		r = buf_put(&before, c->obstacles.data, c->obstacles.len);
		if (r < 0)
			return err_num(c->err, r, "checking");
		(void)nanosleep(&moment, NULL);
		forget(c);
		r = look(c, pid, sample);
		keep_common(&c->obstacles, &before);
	}
	return r;
}

int
check_before(struct ckpt *c)
{
	int r;

	forget(c);
	r = look_again(c, 0, true);
	if (r >= 0)
		r = check_refuse(c);
	memory_checked(c);
	return r;
}

int
ckpt_check(pid_t parent, pid_t pid, struct buf *report, size_t *ret_obstacles,
    struct err *e)
{
	struct err why = { "" };
	struct ckpt c = { .err = e,
		.parent = parent,
		.notes = BUF_INIT(NOTES_MAX),
		.obstacles = BUF_INIT(NOTES_MAX),
		.session_master = -1 };
	int r;

	r = look_again(&c, parent != 0 ? 0 : pid, false);
	if (r >= 0) {
		if (rehearse(&why) < 0)
			note(&c, NULL, REHEARSED, why.text);
		*ret_obstacles = c.obstacles.len;
		r = buf_put(report, c.obstacles.data, c.obstacles.len);
	}
	if (r >= 0)
		r = buf_put(report, c.notes.data, c.notes.len);
	if (r >= 0)
		r = check_refuse(&c);
	tree_forget(&c);
	files_done(&c);
	memory_objects_free(&c);
	buf_done(&c.notes);
	buf_done(&c.obstacles);
	return r;
}
