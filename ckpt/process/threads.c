/*
 * threads.c - see threads.h. Sources: ptrace(2)
 * (PTRACE_GET_RSEQ_CONFIGURATION), get_robust_list(2), set_tid_address(2),
 * rseq: kernel/rseq.c (6.1 to 6.18).
 */
#include "ckpt/process/threads.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/process/sleep.h"

/* linux/ptrace.h of 5.13 */
#define GET_RSEQ_CONFIGURATION 0x420f
struct rseq_conf {
	uint64_t addr;
	uint32_t len, sig, flags, pad;
};

/* linux/rseq.h: struct rseq_cs, and where its address lies in struct rseq. */
struct critical {
	uint32_t version, flags;
	uint64_t start_ip, len, abort_ip;
};
#define RSEQ_CS_AT 8

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

/* ---- check ---- */

static bool
is_32_bit(const struct task *t)
{
	autoclose int fd = -1;
	unsigned char head[EI_NIDENT];
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/exe", t->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, head, sizeof head) == sizeof head &&
	    memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS32;
}

int
threads_check(struct ckpt *c, struct task *t)
{
	scoped(procfs_status_done) struct procfs_status st = { 0 };

	if (procfs_status(t->pid, &st) >= 0 && st.tracer != 0)
		(void)obstacle(c, t,
		    "it is being traced by process %d (a debugger?): end that "
		    "first",
		    st.tracer);
	if (is_32_bit(t))
		(void)obstacle(c, t,
		    "it is a 32-bit program, which cannot be saved: end it "
		    "before the save");
	return 0;
}

/* ---- save ---- */

/*
 * Was it in a call that the kernel goes on with from a restart block
 * (ERESTART_RESTARTBLOCK), which a new thread does not have?
 */
static bool
has_restart_block(const struct arch_regs *regs)
{
	return arch_in_syscall(regs) && arch_syscall_ret(regs) == -516;
}

/*
 * A thread inside a restartable sequence goes on at its abort handler, as
 * after any migration: the image is of another processor by definition.
 */
static int
leave_critical(struct ckpt *c, struct task *t, struct arch_regs *regs,
    uint64_t rseq)
{
	struct critical cs;
	uint64_t at;
	int r;

	r = tracee_read(&t->area, rseq + RSEQ_CS_AT, &at, sizeof at, c->err);
	if (r < 0 || at == 0)
		return r;
	r = tracee_read(&t->area, at, &cs, sizeof cs, c->err);
	if (r < 0)
		return r;
	if (arch_ip(regs) - cs.start_ip < cs.len)
		arch_set_ip(regs, cs.abort_ip);
	return 0;
}

static int
ask_addresses(struct ckpt *c, struct task *t, struct tracee *th,
    struct arch_regs *regs, Img__Thread *m)
{
	struct rseq_conf conf = { .addr = 0 };
	struct tracee_op op = { .nr = SYS_prctl };
	uint64_t head, addr;
	size_t len;
	int r = 0;

	if (ptrace(GET_RSEQ_CONFIGURATION, th->tid, sizeof conf, &conf) > 0 &&
	    conf.addr != 0) {
		m->rseq = conf.addr;
		m->rseq_len = conf.len;
		m->rseq_sig = conf.sig;
		r = leave_critical(c, t, regs, conf.addr);
	}
	if (syscall(SYS_get_robust_list, th->tid, &head, &len) == 0) {
		m->robust_list = head;
		m->robust_len = len;
	}
	if (r < 0)
		return r;
	op.args[0] = PR_GET_TID_ADDRESS;
	op.args[1] = tracee_put(&t->area, NULL, sizeof addr);
	addr = op.args[1];
	r = tracee_run(th, &t->area, &op, 1, c->err);
	if (r < 0 || op.ret < 0)
		return r < 0 ? r : 0; /* a kernel without it: not kept */
	return tracee_read(&t->area, addr, &m->tid_address,
	    sizeof m->tid_address, c->err);
}

static int
save_thread(struct ckpt *c, struct task *t, struct tracee *th)
{
	static const char unread[] = "reading a thread's state";
	Img__Thread m = IMG__THREAD__INIT;
	autofree struct arch_xstate *x = malloc(sizeof *x);
	autobuf struct buf name = BUF_INIT(64);
	struct procfs_status st;
	struct arch_regs regs;
	int r;

	if (x == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = procfs_status(th->tid, &st);
	if (r < 0)
		return err_num(c->err, r, "%s (pid %d): %s", t->comm, t->pid,
		    unread);
	regs = th->regs;
	if (tracee_fix_eintr(th, ((st.sigpnd | st.shdpnd) & ~st.sigblk) != 0))
		sleep_again(c, t, th, &regs);
	regs = th->regs;
	m.vpid = (uint32_t)t->vpid;
	m.vtid = (uint32_t)st.nspid;
	m.sigmask = th->sigmask;
	procfs_status_done(&st);
	r = procfs_read(th->tid, "comm", &name);
	if (r < 0)
		return err_num(c->err, r, "%s (pid %d): %s", t->comm, t->pid,
		    unread);
	m.comm.data = name.data;
	m.comm.len = name.len > 0 ? name.len - 1 : 0; /* its newline */
	r = ask_addresses(c, t, th, &regs, &m);
	if (r >= 0 && has_restart_block(&regs))
		r = sleep_save(c, t, th, &m.sleep_nr, &m.sleep_left_ns);
	if (r >= 0)
		r = arch_get_xstate(th->tid, x, c->err);
	if (r < 0)
		return r;
	m.regs.data = (uint8_t *)&regs;
	m.regs.len = sizeof regs;
	m.xstate.data = x->data;
	m.xstate.len = x->len;
	return record_put(c, IMG_THREAD, m.vtid, &m.base);
}

int
threads_save(struct ckpt *c, struct task *t)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++)
		r = save_thread(c, t, &t->threads[i]);
	return r;
}

/* ---- revival ---- */

int
threads_unregister(struct ckpt *c, struct task *t)
{
	struct rseq_conf conf = { .addr = 0 };
	int64_t val;

	if (ptrace(GET_RSEQ_CONFIGURATION, t->threads[0].tid, sizeof conf,
		&conf) <= 0 ||
	    conf.addr == 0)
		return 0;
	val = task_must(c, t, "leaving restartable sequences", SYS_rseq,
	    conf.addr, conf.len, 1 /* RSEQ_FLAG_UNREGISTER */, conf.sig, 0, 0);
	return val < 0 ? (int)val : 0;
}

static int
revive_thread(struct ckpt *c, struct task *t, struct tracee *th,
    const Img__Thread *m)
{
	char name[16] = "";
	struct tracee_op ops[4];
	size_t n = 0;
	int r;

	memcpy(name, m->comm.data, m->comm.len < 15 ? m->comm.len : 15);
	ops[n++] = (struct tracee_op){ .nr = SYS_prctl,
		.args = { PR_SET_NAME,
		    tracee_put(&t->area, name, sizeof name) } };
	ops[n++] = (struct tracee_op){ .nr = SYS_set_tid_address,
		.args = { m->tid_address } };
	if (m->robust_len != 0)
		ops[n++] = (struct tracee_op){ .nr = SYS_set_robust_list,
			.args = { m->robust_list, m->robust_len } };
	if (m->rseq != 0)
		ops[n++] = (struct tracee_op){ .nr = SYS_rseq,
			.args = { m->rseq, m->rseq_len, 0, m->rseq_sig } };
	r = tracee_run(th, &t->area, ops, n, c->err);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (ops[i].ret < 0)
			r = err_num(c->err, (int)ops[i].ret,
			    "%s (pid %d): "
			    "telling the kernel about thread %u (call %llu)",
			    t->comm, t->vpid, m->vtid,
			    (unsigned long long)ops[i].nr);
	return r;
}

/* The record of thread I of T; the caller frees it. */
static Img__Thread *
thread_record(struct ckpt *c, const struct task *t, size_t i)
{
	Img__Thread *m = image_find(c->img, IMG_THREAD, (uint64_t)t->vtids[i],
	    &img__thread__descriptor, c->err);

	if (m != NULL && m->regs.len == sizeof(struct arch_regs) &&
	    m->xstate.len <= ARCH_XSTATE_MAX)
		return m;
	if (m != NULL)
		img__thread__free_unpacked(m, NULL);
	(void)err_set(c->err, -EBADMSG, "the image is damaged: thread %d",
	    t->vtids[i]);
	return NULL;
}

int
threads_revive(struct ckpt *c, struct task *t)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		Img__Thread *m = thread_record(c, t, i);

		if (m == NULL)
			return -EBADMSG;
		r = revive_thread(c, t, &t->threads[i], m);
		img__thread__free_unpacked(m, NULL);
	}
	return r;
}

static int
sleep_thread(struct ckpt *c, struct task *t, struct tracee *th,
    const Img__Thread *m)
{
	struct arch_regs regs;
	bool rebuilt;
	int r;

	memcpy(&regs, m->regs.data, sizeof regs);
	if (!has_restart_block(&regs))
		return 0;
	if (m->sleep_left_ns == 0) {
		note(c, t,
		    "a sleep begins anew: how much of it was left is "
		    "not known");
		return 0;
	}
	r = sleep_revive(c, t, th, &regs, m->sleep_nr, m->sleep_left_ns,
	    &rebuilt);
	th->resleeps = r >= 0 && rebuilt;
	return r;
}

int
threads_sleep(struct ckpt *c, struct task *t)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		Img__Thread *m = thread_record(c, t, i);

		if (m == NULL)
			return -EBADMSG;
		r = sleep_thread(c, t, &t->threads[i], m);
		img__thread__free_unpacked(m, NULL);
	}
	return r;
}

/*
 * A call that slept and could not be put to sleep again is made anew from
 * its arguments. The other restarts need nothing but registers.
 */
static int
finish_thread(struct ckpt *c, struct tracee *th, const Img__Thread *m,
    uint64_t ip)
{
	autofree struct arch_xstate *x = malloc(sizeof *x);
	struct arch_regs regs;
	int r;

	if (x == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	x->len = (uint32_t)m->xstate.len;
	memcpy(x->data, m->xstate.data, m->xstate.len);
	r = arch_set_xstate(th->tid, x, c->err);
	if (r < 0)
		return r;
	memcpy(&regs, m->regs.data, sizeof regs);
	if (ip != 0)
		arch_set_ip(&regs, ip);
	if (has_restart_block(&regs) && !th->resleeps) {
		arch_set_syscall_nr(&regs, m->sleep_nr);
		arch_rewind_syscall(&regs);
	}
	r = arch_set_regs(th->tid, &regs, c->err);
	if (r < 0)
		return r;
	th->regs = regs;
	th->sigmask = m->sigmask;
	return 0;
}

int
threads_finish(struct ckpt *c, struct task *t)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		Img__Thread *m = thread_record(c, t, i);

		if (m == NULL)
			return -EBADMSG;
		r = finish_thread(c, &t->threads[i], m, t->ips[i]);
		img__thread__free_unpacked(m, NULL);
	}
	return r;
}
