/*
 * freeze.c - see freeze.h. New threads and processes may appear until all
 * that could make them stand still, so passes are made until one finds
 * nothing new. In a pass all are asked to stop before the first is waited for.
 */
#include "tracee/freeze.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "tracee/arch.h"
#include "tracee/wait.h"

#define PAUSE_NS 300000 /* between two passes that wait for a D state */

/* One pass. */
struct pass {
	size_t n_new;
	pid_t busy_tgid; /* a thread that cannot stop now; 0: none */
	pid_t busy_tid;
};

struct tracee *
freeze_find_thread(struct freeze *f, pid_t tid)
{
	size_t i;

	for (i = 0; i < f->n_threads; i++)
		if (f->threads[i].tid == tid)
			return &f->threads[i];
	return NULL;
}

/* Room for a thread of TGID, behind the others of its process. */
static struct tracee *
add_thread(struct freeze *f, pid_t tgid)
{
	size_t at = f->n_threads;
	struct tracee *p;

	if (array_room(&f->threads, f->n_threads, &f->cap) < 0)
		return NULL;
	while (at > 0 && f->threads[at - 1].tgid != tgid)
		at--;
	if (at == 0)
		at = f->n_threads;
	p = &f->threads[at];
	memmove(p + 1, p, (f->n_threads - at) * sizeof *p);
	*p = TRACEE_NONE;
	f->n_threads++;
	return p;
}

static void
drop_thread(struct freeze *f, struct tracee *t)
{
	tracee_detach(t);
	f->n_threads--;
	memmove(t, t + 1, (size_t)(f->threads + f->n_threads - t) * sizeof *t);
}

static int
stop_thread(struct freeze *f, struct pass *pass, pid_t tgid, pid_t tid,
    struct err *e)
{
	struct tracee *t;
	char state;
	int r;

	if (freeze_find_thread(f, tid) != NULL)
		return 0;
	state = wait_state(tid);
	if (state == 0 || state == 'Z' || state == 'X')
		return 0;
	if (state == 'D') {
		pass->busy_tgid = tgid;
		pass->busy_tid = tid;
		return 0;
	}
	t = add_thread(f, tgid);
	if (t == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	r = tracee_seize(t, tgid, tid, 0, e);
	if (r < 0) {
		drop_thread(f, t);
		return r == -ESRCH ? 0 : r;
	}
	pass->n_new++;
	return 0;
}

static int
stop_process(struct freeze *f, struct pass *pass, pid_t tgid, struct err *e)
{
	autoclosedir DIR *d = NULL;
	struct dirent *de;
	char path[64];
	int r;

	(void)snprintf(path, sizeof path, "/proc/%d/task", tgid);
	d = opendir(path);
	if (d == NULL)
		return errno == ENOENT || errno == ESRCH ?
		    0 :
		    err_sys(e, "process %d: listing its threads", tgid);
	r = stop_thread(f, pass, tgid, tgid, e); /* the leader first */
	while (r == 0 && (de = readdir(d)) != NULL)
		if (isdigit((unsigned char)de->d_name[0]))
			r = stop_thread(f, pass, tgid, atoi(de->d_name), e);
	return r;
}

static void
read_line(pid_t tgid, pid_t tid, const char *file, char *line, size_t len)
{
	autobuf struct buf b = BUF_INIT(4096);
	char path[96];

	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/%s", tgid, tid,
	    file);
	if (io_read_file(AT_FDCWD, path, &b) < 0)
		b.len = 0;
	(void)snprintf(line, len, "%.*s",
	    (int)strcspn(b.len > 0 ? (char *)b.data : "", "\n"),
	    b.len > 0 ? (char *)b.data : "");
}

static int
does_not_stop(pid_t tgid, pid_t tid, struct err *e)
{
	char comm[32], where[64];

	read_line(tgid, tid, "comm", comm, sizeof comm);
	read_line(tgid, tid, "wchan", where, sizeof where);
	return err_set(e, -ETIMEDOUT,
	    "process %d (%s) does not stop: thread "
	    "%d waits in the kernel%s%s",
	    tgid, comm, tid, where[0] != '\0' && where[0] != '0' ? " at " : "",
	    where[0] != '0' ? where : "");
}

/* Wait for all that were asked; those that died are dropped. */
static int
wait_all(struct freeze *f, uint64_t deadline_ns, struct err *e)
{
	struct tracee *t;
	size_t i = 0;
	int r;

	while (i < f->n_threads) {
		t = &f->threads[i];
		r = t->known ? 0 : tracee_wait_stop(t, deadline_ns, e);
		if (r == -ETIMEDOUT)
			return does_not_stop(t->tgid, t->tid, e);
		if (r == -ESRCH)
			drop_thread(f, t);
		else if (r < 0)
			return r;
		else
			i++;
	}
	return 0;
}

static int
make_pass(struct freeze *f, struct pass *pass, freeze_find *find, void *arg,
    uint64_t deadline_ns, struct err *e)
{
	autofree pid_t *pids = NULL;
	size_t n = 0, i;
	int r;

	*pass = (struct pass){ .n_new = 0 };
	r = find(arg, &pids, &n, e);
	for (i = 0; r == 0 && i < n && pass->busy_tid == 0; i++)
		r = stop_process(f, pass, pids[i], e);
	return r == 0 ? wait_all(f, deadline_ns, e) : r;
}

static int
make_passes(struct freeze *f, freeze_find *find, void *arg,
    uint64_t deadline_ns, struct err *e)
{
	const struct timespec ts = { .tv_nsec = PAUSE_NS };
	struct pass pass;
	int r;

	for (;;) {
		r = FAULT("freeze.pass", e);
		if (r == 0)
			r = make_pass(f, &pass, find, arg, deadline_ns, e);
		if (r < 0)
			return r;
		if (pass.busy_tid == 0 && pass.n_new == 0)
			return 0;
		if (pass.busy_tid == 0)
			continue;
		if (wait_now_ns() >= deadline_ns)
			return does_not_stop(pass.busy_tgid, pass.busy_tid, e);
		(void)nanosleep(&ts, NULL);
	}
}

int
freeze_all(struct freeze *f, freeze_find *find, void *arg, int timeout_ms,
    struct err *e)
{
	uint64_t deadline_ns = wait_now_ns() + (uint64_t)timeout_ms * 1000000u;
	int r;

	r = make_passes(f, find, arg, deadline_ns, e);
	if (r < 0)
		freeze_thaw(f);
	return r;
}

/*
 * A stop that came to nothing, as when another thread did not stop in time,
 * is no more seen by the program than one that was saved in.
 */
static void
hide_stop(struct tracee *t)
{
	struct procfs_status st;

	if (!t->known || !arch_in_syscall(&t->regs) ||
	    arch_syscall_ret(&t->regs) != -EINTR ||
	    procfs_status(t->tid, &st) < 0)
		return;
	(void)tracee_fix_eintr(t, ((st.sigpnd | st.shdpnd) & ~st.sigblk) != 0);
	procfs_status_done(&st);
}

void
freeze_thaw(struct freeze *f)
{
	size_t i, n = 0;

	/* First what stands still: the others may be waiting for it. */
	for (i = f->n_threads; i-- > 0;)
		if (f->threads[i].stopped) {
			hide_stop(&f->threads[i]);
			tracee_detach(&f->threads[i]);
		}
	for (i = f->n_threads; i-- > 0;)
		tracee_detach(&f->threads[i]);
	for (i = 0; i < f->n_threads; i++)
		if (f->threads[i].tid != 0)
			f->threads[n++] = f->threads[i];
	f->n_threads = n;
	if (n > 0)
		return;
	free(f->threads);
	*f = FREEZE_NONE;
}
