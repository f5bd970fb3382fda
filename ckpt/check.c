/*
 * check.c - see check.h, and ckpt_check() in ckpt.h.
 */
#include "ckpt/check.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ckpt/files/files.h"
#include "ckpt/memory/memory.h"
#include "ckpt/process/sleep.h"
#include "ckpt/process/tree.h"
#include "ckpt/rehearse.h"
#include "ckpt/resource.h"
#include "ckpt/save.h"

#define CHECK_TRIES 4

static int
check_all(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		struct task *t = &c->tasks[i];

		if (t->state == TASK_ZOMBIE)
			continue;
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

static int
check_once(struct ckpt *c)
{
	int r;

	r = tree_collect(c);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (c->tasks[i].state != TASK_ZOMBIE)
			r = sleep_sample(c, &c->tasks[i]);
	if (r >= 0)
		r = check_all(c);
	if (r >= 0)
		r = check_refuse(c);
	tree_done(c);
	return r;
}

/*
 * A process in the middle of exec or exit can be read by nobody: what stands
 * in the way is looked at again a moment later before it counts.
 */
int
check_before(struct ckpt *c)
{
	struct timespec moment = { .tv_nsec = 20 * 1000000 };
	int r = -EOPNOTSUPP;

	for (int i = 0; i < CHECK_TRIES && r == -EOPNOTSUPP; i++) {
		if (i > 0)
			(void)nanosleep(&moment, NULL);
		buf_drop(&c->obstacles, c->obstacles.len);
		buf_drop(&c->notes, c->notes.len);
		free(c->unforked);
		free(c->asleep);
		c->unforked = NULL;
		c->asleep = NULL;
		c->n_unforked = c->n_asleep = 0;
		r = check_once(c);
	}
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

	r = parent != 0 ? tree_collect(&c) : tree_collect_one(&c, pid);
	if (r >= 0)
		r = check_all(&c);
	if (r >= 0) {
		check_shared_memory(&c, true);
		if (rehearse(&why) < 0)
			note(&c, NULL, REHEARSED, why.text);
		*ret_obstacles = c.obstacles.len;
		r = buf_put(report, c.obstacles.data, c.obstacles.len);
	}
	if (r >= 0)
		r = buf_put(report, c.notes.data, c.notes.len);
	if (r >= 0)
		r = check_refuse(&c);
	tree_done(&c);
	tree_forget(&c);
	files_done(&c);
	memory_objects_free(&c);
	buf_done(&c.notes);
	buf_done(&c.obstacles);
	return r;
}
