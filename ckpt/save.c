/*
 * save.c - the story of a save (D5), told in order: check, stop the tree,
 * learn everything, fork the snapshots, let the tree go on, write.
 *
 * The server calls save_start() and is back in its event loop when the tree
 * runs again. The slow part is a forked writer, which sees this process'
 * memory (the records) and the snapshots' (the pages), and reports through a
 * pipe. A save that fails leaves the tree running and no file behind.
 */
#include "ckpt/save.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/check.h"
#include "ckpt/files/files.h"
#include "ckpt/image/store.h"
#include "ckpt/memory/memory.h"
#include "ckpt/memory/pages.h"
#include "ckpt/memory/snapshot.h"
#include "ckpt/memory/vdso.h"
#include "ckpt/process/sleep.h"
#include "ckpt/process/threads.h"
#include "ckpt/process/tree.h"
#include "ckpt/rehearse.h"
#include "ckpt/resource.h"
#include "ckpt/writer.h"

#define STOP_MS 200 /* for the tree to stop, before it is let go again */
#define STOP_TRIES 20
#define STOP_PAUSE_MS 300 /* for what waits for a disk to get its turn */
#define VDSO_TRIES 16     /* for threads to leave the [vdso]... */
#define VDSO_NS 100000    /* ... and the time they are given */

#define GONE_TRIES 5000 /* milliseconds until killed processes are gone */

static uint64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- the stop ---- */

static int
stop_tree(struct ckpt *c)
{
	const struct timespec moment = { .tv_nsec = VDSO_NS };
	const struct timespec pause = { .tv_nsec = STOP_PAUSE_MS * 1000000 };
	int r = -ETIMEDOUT;

	/* What cannot even be let go again (freeze.h) will not stop soon. */
	for (int i = 0;
	     i < STOP_TRIES && r == -ETIMEDOUT && c->frozen.n_threads == 0;
	     i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		r = FAULT("save.stop", c->err);
		if (r >= 0)
			r = freeze_all(&c->frozen, tree_find, c, STOP_MS,
			    c->err);
		for (int n = 0;
		     r >= 0 && n < VDSO_TRIES && vdso_is_inside(&c->frozen);
		     n++) {
			freeze_thaw(&c->frozen);
			(void)nanosleep(&moment, NULL);
			r = freeze_all(&c->frozen, tree_find, c, STOP_MS,
			    c->err);
		}
	}
	return r;
}

static int
open_areas(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		if (!task_is_live(&c->tasks[i]))
			continue;
		r = FAULT("save.area", c->err);
		if (r >= 0)
			r = tracee_area_open(&c->tasks[i].threads[0], 0,
			    AREA_LEN, &c->tasks[i].area, c->err);
	}
	return r;
}

static void
close_areas(struct ckpt *c)
{
	for (size_t i = 0; i < c->n_tasks; i++)
		if (task_is_live(&c->tasks[i]))
			tracee_area_close(&c->tasks[i].threads[0],
			    &c->tasks[i].area);
}

static int64_t
ts_ns(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The clocks as the tree sees them: it may live in a time namespace. */
static int
ask_clocks(struct ckpt *c, struct task *t, Img__Machine *m)
{
	struct timespec ts[2];
	raddr at = tracee_put(&t->area, NULL, sizeof ts);
	struct tracee_op ops[] = {
		{ .nr = SYS_clock_gettime, .args = { CLOCK_MONOTONIC, at } },
		{ .nr = SYS_clock_gettime,
		    .args = { CLOCK_BOOTTIME, at + sizeof ts[0] } },
	};
	int r;

	r = task_run(c, t, ops, N_ELEMENTS(ops));
	if (r >= 0)
		r = tracee_read(&t->area, at, ts, sizeof ts, c->err);
	if (r < 0)
		return r;
	m->monotonic_ns = ts_ns(ts[0]);
	m->boottime_ns = ts_ns(ts[1]);
	return 0;
}

static int
save_machine(struct ckpt *c)
{
	Img__Machine m = IMG__MACHINE__INIT;
	uint32_t features[ARCH_N_FEATURES];
	autobuf struct buf boot_id = BUF_INIT(256);
	struct timespec now;
	struct utsname un;
	int r = 0;

	(void)uname(&un);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	m.arch = (char *)arch_name;
	m.release = un.release;
	m.features = features;
	m.n_features = arch_features(features);
	m.saved_ns = ts_ns(now);
	if (io_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id",
		&boot_id) >= 0)
		m.boot_id = (char *)boot_id.data;
	for (size_t i = 0; i < c->n_tasks; i++)
		if (task_is_live(&c->tasks[i])) {
			r = ask_clocks(c, &c->tasks[i], &m);
			break;
		}
	if (r >= 0)
		r = vdso_describe(c, &m);
	return r < 0 ? r : record_put(c, IMG_MACHINE, 0, &m.base);
}

static int
collect_task(struct ckpt *c, struct task *t)
{
	int r;

	if (!task_is_live(t))
		return 0;
	r = FAULT("save.collect", c->err);
	if (r >= 0)
		r = memory_collect(c, t);
	if (r >= 0)
		r = threads_save(c, t);
	for (size_t k = 0; r >= 0 && resources[k] != NULL; k++)
		if (resources[k]->save != NULL)
			r = resources[k]->save(c, t);
	return r;
}

/* Everything that is to be known of the stopped tree, as records. */
static int
collect(struct save *s)
{
	struct ckpt *c = &s->c;
	int r;

	r = tree_collect(c);
	if (r >= 0)
		r = open_areas(c);
	if (r >= 0)
		r = s->req.collect(s->req.arg, &s->session, c->err);
	if (r >= 0)
		r = tree_save(c);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		r = collect_task(c, &c->tasks[i]);
	for (size_t k = 0; r >= 0 && resources[k] != NULL; k++)
		if (resources[k]->save_tree != NULL)
			r = resources[k]->save_tree(c);
	/* The clocks behind the timers: these may come late, never early. */
	if (r >= 0)
		r = save_machine(c);
	if (r >= 0)
		check_shared_memory(c, false);
	if (r >= 0)
		r = memory_collect_shared(c);
	return r < 0 ? r : check_refuse(c);
}

/*
 * The pages: from snapshots when they can be forked, else from the tree
 * itself, which then stands still until they are written.
 */
static int
take_snapshots(struct save *s)
{
	struct ckpt *c = &s->c;
	int r = 0;

	for (size_t i = 0; !s->stopped && i < c->n_tasks; i++)
		if (task_is_live(&c->tasks[i]) &&
		    snapshot_take(c, &c->tasks[i]) < 0) {
			s->slow = s->stopped = true;
			note(c, &c->tasks[i],
			    "no copy-on-write snapshot "
			    "(%s): it stood still while it was written",
			    c->err->text);
		}
	for (size_t i = 0; s->slow && i < c->n_tasks; i++)
		snapshot_end(&c->tasks[i]);
	close_areas(c);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (task_is_live(&c->tasks[i]))
			r = snapshot_open(c, &c->tasks[i]);
	return r;
}

/* ---- from outside ---- */

void
ckpt_session_done(struct ckpt_session *s)
{
	free(s->name);
	free(s->id);
	for (size_t i = 0; s->argv != NULL && s->argv[i] != NULL; i++)
		free(s->argv[i]);
	free(s->argv);
	buf_done(&s->screen);
	buf_done(&s->input);
	*s = (struct ckpt_session){ .name = NULL };
}

/* What only the writing needed; the snapshots and the report stay. */
static void
forget_records(struct save *s)
{
	struct ckpt *c = &s->c;

	for (size_t i = 0; i < c->n_records; i++)
		free(c->records[i].data);
	free(c->records);
	c->records = NULL;
	c->n_records = c->cap_records = 0;
	memory_objects_free(c);
	free(c->asleep);
	c->asleep = NULL;
	files_done(c);
	ckpt_session_done(&s->session);
}

static void
save_free(struct save *s)
{
	struct ckpt *c = &s->c;

	for (size_t i = 0; i < c->n_tasks; i++)
		snapshot_end(&c->tasks[i]);
	close_areas(c);
	freeze_thaw(&c->frozen);
	if (c->frozen.n_threads > 0 && s->req.sleeps != NULL)
		s->req.sleeps->strays = c->frozen; /* there are none: checked */
	forget_records(s);
	tree_done(c);
	tree_forget(c);
	buf_done(&c->notes);
	buf_done(&c->obstacles);
	scope_close(&s->report);
	free(s);
	(void)malloc_trim(0);
}

/* The standstill. */
static int
stop_and_learn(struct save *s)
{
	struct ckpt *c = &s->c;
	uint64_t from = now_us();
	int r;

	r = stop_tree(c);
	if (r >= 0) {
		sleep_confirm(c);
		r = collect(s);
	}
	if (r >= 0)
		r = take_snapshots(s);
	if (r >= 0)
		r = FAULT("save.thaw", c->err);
	if (r < 0)
		return r;
	sleep_settle(c);
	s->n_tasks = (uint32_t)c->n_tasks;
	if (!s->stopped)
		freeze_thaw(&c->frozen);
	s->stopped_us = now_us() - from;
	return 0;
}

void
save_tidy(struct sleeps *s)
{
	if (s != NULL && s->strays.n_threads > 0)
		freeze_thaw(&s->strays);
}

static int
check_strays(struct sleeps *s, struct err *e)
{
	save_tidy(s);
	if (s == NULL || s->strays.n_threads == 0)
		return 0;
	return err_set(e, -EBUSY,
	    "process %d has not come to the stop that "
	    "an earlier save asked for: save again later",
	    s->strays.threads[0].tgid);
}

static int
save_run(struct save *s)
{
	struct ckpt *c = &s->c;
	sigset_t chld, mask;
	int r;

	r = check_strays(s->req.sleeps, c->err);
	if (r >= 0)
		r = save_next_generation(s->req.saved_dirfd, s->req.name,
		    &s->generation, c->err);
	if (r >= 0)
		r = check_before(c);
	if (r < 0)
		return r;
	/* Every stop of a tracee sends one: not now. */
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, &mask);
	r = stop_and_learn(s);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	if (r < 0)
		return r;
	if (s->req.sleeps != NULL)
		sleep_keep(c, s->req.sleeps);
	return writer_fork(s);
}

int
save_start(const struct save_request *req, struct save **ret_save,
    struct err *e)
{
	struct save *s = calloc(1, sizeof *s);
	int r;

	if (s == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	s->req = *req;
	s->stopped = req->stop;
	s->report = -1;
	s->c = (struct ckpt){ .err = &s->err,
		.req = &s->req,
		.parent = req->parent,
		.saved_dirfd = req->saved_dirfd,
		.notes = BUF_INIT(NOTES_MAX),
		.obstacles = BUF_INIT(NOTES_MAX),
		.session_master = -1 };
	r = save_run(s);
	if (r < 0) {
		*e = s->err;
		save_free(s);
		return r;
	}
	if (!s->stopped)
		forget_records(s);
	*ret_save = s;
	return 0;
}

int
save_fd(const struct save *s)
{
	return s->report;
}

bool
save_owns(const struct save *s, pid_t pid)
{
	if (pid == s->writer)
		return true;
	for (size_t i = 0; i < s->c.n_tasks; i++)
		if (s->c.tasks[i].snapshot == pid)
			return true;
	return false;
}

static void
reap_writer(struct save *s)
{
	if (s->writer > 0)
		while (waitpid(s->writer, NULL, 0) < 0 && errno == EINTR)
			;
	s->writer = 0;
}

/* Remove what a writer that was killed has left behind. */
static void
sweep(const struct save *s)
{
	autoclose int dirfd = -1;

	if (store_open(s->req.saved_dirfd, s->req.name, false, &dirfd, NULL) >=
	    0)
		(void)temp_sweep(dirfd);
}

/*
 * Wait for what has ended of the tree, threads too: a dead thread that was
 * traced is reaped by its tracer alone, and its leader not before it.
 */
static bool
reap_tree(struct ckpt *c)
{
	bool left = false;

	for (size_t i = 0; i < c->frozen.n_threads; i++)
		(void)waitpid(c->frozen.threads[i].tid, NULL, WNOHANG | __WALL);
	for (size_t i = 0; i < c->n_tasks; i++) {
		(void)waitpid(c->tasks[i].pid, NULL, WNOHANG | __WALL);
		if (kill(c->tasks[i].pid, 0) == 0)
			left = true;
	}
	return left;
}

/* Kill the stopped tree and wait until nothing is left of it. */
static void
end_tree(struct save *s)
{
	struct ckpt *c = &s->c;
	struct timespec ms = { .tv_nsec = 1000000 };

	/* All of it, even if the server is killed in the middle. */
	for (size_t i = 0; i < c->frozen.n_threads; i++)
		(void)tracee_set_options(&c->frozen.threads[i],
		    c->frozen.threads[i].options | PTRACE_O_EXITKILL, NULL);
	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].state != TASK_ZOMBIE)
			(void)kill(c->tasks[i].pid, SIGKILL);
	for (int n = 0; n < GONE_TRIES && reap_tree(c); n++)
		(void)nanosleep(&ms, NULL);
	free(c->frozen.threads);
	c->frozen = FREEZE_NONE;
}

int
save_finish(struct save *s, struct save_report *ret_report, struct err *e)
{
	struct verdict v;
	int r;

	r = io_read(s->report, &v, sizeof v);
	reap_writer(s);
	if (r < 0) {
		sweep(s);
		r = err_set(e, -EIO,
		    "the writer of the image was killed: "
		    "nothing was saved");
	} else if (v.result < 0) {
		*e = v.err;
		r = v.result;
	} else {
		*ret_report = (struct save_report){ .generation = v.generation,
			.image_len = v.image_len,
			.n_tasks = s->n_tasks,
			.stopped_us = s->stopped_us,
			.slow = s->slow };
		if (v.written.text[0] != 0)
			note(&s->c, NULL, "%s", v.written.text);
		if (v.rehearsal.text[0] != 0)
			note(&s->c, NULL, REHEARSED, v.rehearsal.text);
		if (s->c.notes.len > 0 && buf_put(&s->c.notes, "", 1) >= 0)
			ret_report->notes = (char *)TAKE_PTR(s->c.notes.data);
		if (s->req.stop)
			end_tree(s);
	}
	save_free(s);
	return r < 0 ? r : 0;
}

void
save_abort(struct save *s)
{
	if (s->writer > 0)
		(void)kill(s->writer, SIGKILL);
	reap_writer(s);
	sweep(s);
	save_free(s);
}
