/*
 * puppet.h - processes for tests of ckpt/ resources without the rest of the
 * engine. round_trip() saves one kind of resource of one process and revives
 * it in another that had none of it; both then verify themselves. A third,
 * for which nothing was done, must find that it has not got it.
 */
#ifndef TEST_UNIT_PUPPET_H
#define TEST_UNIT_PUPPET_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/resource.h"
#include "test/unit/scratch.h"

#define PUPPET_THREADS 8
#define PUPPET_AREA 65536
#define PUPPET_NOTES 65536

/* In a setup or a verify: say what is not so and give up. */
#define CHECK(what)                                                        \
	do {                                                               \
		if (!(what)) {                                             \
			(void)dprintf(2, "%s:%d: not so: %s (errno %d)\n", \
			    __FILE__, __LINE__, #what, errno);             \
			return 1;                                          \
		}                                                          \
	} while (0)

/* Runs in the process; 0: all is well. */
typedef int puppet_step(void);

struct puppet {
	pid_t pid;
	int ask, answer;
	struct err err;
	struct ckpt c;
	struct task t;
	struct tracee threads[PUPPET_THREADS];
	pid_t vtids[PUPPET_THREADS];
};

static inline void
puppet_main(int ask, int answer, puppet_step *setup, puppet_step *verify)
{
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setup() != 0)
		_exit(100);
	(void)!write(answer, "", 1);
	while (read(ask, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(verify());
}

/* Returns when SETUP is done. */
static inline void
puppet_start(struct puppet *p, puppet_step *setup, puppet_step *verify)
{
	int down[2], up[2];
	char byte;

	memset(p, 0, sizeof *p);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		(void)close(down[1]);
		(void)close(up[0]);
		puppet_main(down[0], up[1], setup, verify);
	}
	(void)close(down[0]);
	(void)close(up[1]);
	p->ask = down[1];
	p->answer = up[0];
	assert_int_equal(read(p->answer, &byte, 1), 1);
}

/* Let it verify itself; its answer. */
static inline int
puppet_end(struct puppet *p)
{
	int status;

	assert_int_equal(write(p->ask, "", 1), 1);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	(void)close(p->ask);
	(void)close(p->answer);
	buf_done(&p->c.notes);
	buf_done(&p->c.obstacles);
	for (size_t i = 0; i < p->c.n_records; i++)
		free(p->c.records[i].data);
	free(p->c.records);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

static inline void
puppet_look(struct puppet *p)
{
	autofree pid_t *tids = NULL;
	size_t n;

	assert_int_equal(procfs_tids(p->pid, &tids, &n), 0);
	assert_in_range(n, 1, PUPPET_THREADS);
	for (size_t i = 0; i < n; i++) /* ascending, leader first */
		for (size_t k = i + 1; k < n; k++)
			if (tids[k] < tids[i]) {
				pid_t tid = tids[i];

				tids[i] = tids[k];
				tids[k] = tid;
			}
	memcpy(p->vtids, tids, n * sizeof *tids);
	p->t = (struct task){ .pid = p->pid,
		.vpid = p->pid,
		.state = TASK_LIVE,
		.comm = "puppet",
		.threads = p->threads,
		.n_threads = n,
		.area = TRACEE_AREA_NONE,
		.vtids = p->vtids };
	p->c = (struct ckpt){ .err = &p->err,
		.tasks = &p->t,
		.n_tasks = 1,
		.notes = BUF_INIT(PUPPET_NOTES),
		.obstacles = BUF_INIT(PUPPET_NOTES),
		.parent = getpid() };
}

/* BEFORE, when not NULL, may change what is known of it before any batch. */
static inline void
puppet_stop(struct puppet *p, void (*before)(struct puppet *p))
{
	puppet_look(p);
	for (size_t i = 0; i < p->t.n_threads; i++) {
		struct tracee *th = &p->threads[i];

		if (tracee_seize(th, p->pid, p->vtids[i], 0, &p->err) < 0 ||
		    tracee_wait_stop(th, UINT64_MAX, &p->err) < 0)
			fail_msg("%s", p->err.text);
	}
	if (before != NULL)
		before(p);
	if (tracee_area_open(p->threads, 0, PUPPET_AREA, &p->t.area, &p->err) <
	    0)
		fail_msg("%s", p->err.text);
}

static inline void
puppet_go(struct puppet *p)
{
	tracee_area_close(p->threads, &p->t.area);
	for (size_t i = 0; i < p->t.n_threads; i++)
		tracee_detach(&p->threads[i]);
}

/* The records of FROM as an image, opened for TO. */
static inline void
puppet_image(const struct puppet *from, struct puppet *to)
{
	autoscratch struct scratch dir = scratch_new();
	struct image_writer *w;
	struct err e;
	uint64_t len;

	assert_int_equal(image_create(dir.fd, 1, 0, &w, &e), 0);
	for (size_t i = 0; i < from->c.n_records; i++)
		assert_int_equal(image_put_packed(w, from->c.records[i].tag,
				     from->c.records[i].id,
				     from->c.records[i].data,
				     from->c.records[i].len, &e),
		    0);
	if (image_commit(w, &len, &e) < 0 ||
	    image_open(dir.fd, 1, &to->c.img, &e) < 0)
		fail_msg("%s", e.text);
}

static inline void
puppet_save(struct puppet *p, const struct resource *res)
{
	puppet_stop(p, NULL);
	if (res->save(&p->c, &p->t) < 0)
		fail_msg("%s", p->err.text);
	puppet_go(p);
}

/* P, which is stopped and has as many threads, becomes what FROM was. */
static inline void
puppet_become(struct puppet *p, struct puppet *from, const struct resource *res)
{
	assert_int_equal(p->t.n_threads, from->t.n_threads);
	puppet_image(from, p);
	p->t.vpid = from->pid;
	memcpy(p->vtids, from->vtids, sizeof p->vtids);
	if (res->revive(&p->c, &p->t) < 0)
		fail_msg("%s", p->err.text);
	image_close(p->c.img);
	puppet_go(p);
}

static inline void
puppet_revive(struct puppet *p, struct puppet *from, const struct resource *res)
{
	puppet_stop(p, NULL);
	puppet_become(p, from, res);
}

static inline bool
puppet_noted(const struct puppet *p, const char *text)
{
	return memmem(p->c.notes.data, p->c.notes.len, text, strlen(text)) !=
	    NULL;
}

/* Does the check of P report an obstacle with TEXT? "": any. */
static inline bool
puppet_refused(struct puppet *p, const struct resource *res, const char *text)
{
	puppet_look(p);
	assert_int_equal(res->check(&p->c, &p->t), 0);
	if (p->c.obstacles.len == 0)
		return false;
	return memmem(p->c.obstacles.data, p->c.obstacles.len, text,
		   strlen(text)) != NULL;
}

/*
 * SETUP makes the state, BARE prepares a process without it. NOTE, when not
 * NULL, is what the revival must say.
 */
static inline void
round_trip(const struct resource *res, puppet_step *setup, puppet_step *bare,
    puppet_step *verify, const char *text)
{
	struct puppet a, b, none;

	puppet_start(&none, bare, verify);
	assert_int_not_equal(puppet_end(&none), 0);
	puppet_start(&a, setup, verify);
	puppet_start(&b, bare, verify);
	puppet_save(&a, res);
	puppet_revive(&b, &a, res);
	if (text != NULL)
		assert_true(puppet_noted(&b, text));
	assert_int_equal(puppet_end(&a), 0);
	assert_int_equal(puppet_end(&b), 0);
}

#endif
