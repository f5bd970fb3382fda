/*
 * area.c - the work area in a target, and the spare bytes ("cave") from
 * which it is mapped and unmapped. Code and data are adjacent, one mapping
 * each: the code r-x and written through /proc/PID/mem, because
 * PR_SET_MDWE forbids pages that are ever writable and executable.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "tracee/tracee.h"
#include "tracee/trip.h"
#include "tracee/wait.h"

#define CODE_LEN 4096u
#define CAVE_MAX 512u
#define CAVE_MARGIN 16u /* zeros that may end the last thing before */

/* Borrowed zeros of an executable mapping, given back by cave_close(). */
struct cave {
	int mem_fd; /* borrowed */
	raddr at;   /* 0: none */
	size_t len;
};

static int
open_mem(pid_t tid, int *ret_fd, struct err *e)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/mem", tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "process %d: opening its memory", tid);
	*ret_fd = fd;
	return 0;
}

static size_t
cave_need(void)
{
	struct arch_blob blob;

	arch_blob(&blob);
	return blob.len - blob.once + sizeof(struct arch_home);
}

/*
 * Does the mapping that ends at END end in enough zeros, or in what a sess
 * that was killed has left there? Not while T is still on its way home in it.
 */
static bool
try_tail(struct tracee *t, struct cave *c, raddr end)
{
	static const uint8_t zeros[CAVE_MAX];
	uint8_t tail[CAVE_MAX + CAVE_MARGIN];
	size_t need = (cave_need() + 7) & ~(size_t)7;
	struct arch_blob blob;

	arch_blob(&blob);
	if (io_pread(c->mem_fd, tail, need + CAVE_MARGIN,
		end - need - CAVE_MARGIN) < 0 ||
	    memcmp(tail, zeros, CAVE_MARGIN) != 0)
		return false;
	if (memcmp(tail + CAVE_MARGIN, zeros, need) != 0 &&
	    memcmp(tail + CAVE_MARGIN, blob.code + blob.once,
		blob.len - blob.once) != 0)
		return false;
	if (arch_ip(&t->regs) - (end - need) < need)
		return false;
	c->at = end - need;
	c->len = need;
	return true;
}

/*
 * The tail of the last page of [vdso], else of any file mapped r-x and
 * private: behind the last byte of code in it there is nothing to execute,
 * and what else the file's page shows there is used through other mappings.
 */
static int
cave_find(struct tracee *t, struct cave *c, struct err *e)
{
	autobuf struct buf b = BUF_INIT(64u << 20);
	uint64_t start, end, ino;
	char perms[5], *line, *save = NULL;
	bool vdso, found = false;
	int r;

	r = procfs_read(t->tid, "maps", &b);
	if (r < 0)
		return err_num(e, r, "process %d: reading its memory map",
		    t->tid);
	for (line = strtok_r((char *)b.data, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line,
			"%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64,
			&start, &end, perms, &ino) != 4 ||
		    strcmp(perms, "r-xp") != 0)
			continue;
		vdso = strstr(line, " [vdso]") != NULL;
		if (!vdso && (ino == 0 || found))
			continue;
		if (try_tail(t, c, end)) {
			found = true;
			if (vdso)
				return 0;
		}
	}
	if (found)
		return 0;
	return err_set(e, -EOPNOTSUPP,
	    "process %d has no %zu spare bytes in "
	    "an executable mapping",
	    t->tid, cave_need());
}

static void
cave_close(const struct tracee *t, struct cave *c)
{
	static const uint8_t zeros[CAVE_MAX];

	if (c->at != 0 && !t->inside)
		(void)io_pwrite(c->mem_fd, zeros, c->len, c->at);
	c->at = 0;
}

static int
cave_open(struct tracee *t, struct cave *c, struct err *e)
{
	struct arch_blob blob;
	int r;

	arch_blob(&blob);
	r = cave_find(t, c, e);
	if (r < 0)
		return r;
	r = io_pwrite(c->mem_fd, blob.code + blob.once, blob.len - blob.once,
	    c->at);
	if (r < 0) {
		cave_close(t, c);
		return err_num(e, r, "process %d: writing into it", t->tid);
	}
	r = FAULT("tracee.cave", e);
	if (r < 0)
		cave_close(t, c);
	return r;
}

/* One call of T from C. */
static int
cave_call(struct tracee *t, const struct cave *c, int64_t *ret_val,
    struct err *e, uint64_t nr, const uint64_t args[6])
{
	struct arch_blob blob;
	struct arch_regs regs;
	struct trip trip = { .mem_fd = c->mem_fd,
		.code = c->at,
		.enter = t->regs };
	int r;

	arch_blob(&blob);
	trip.from = blob.once;
	arch_enter_once(&trip.enter, c->at, nr, args);
	r = trip_run(t, &trip, &regs, e);
	if (r < 0)
		return r;
	*ret_val = arch_once_ret(&regs);
	return 0;
}

/* A mapping of ours in T; -errno of the kernel's as our own answer. */
static int
cave_mmap(struct tracee *t, const struct cave *c, raddr hint, size_t len,
    int prot, int flags, raddr *ret_at, struct err *e)
{
	const uint64_t args[6] = { hint, len, (uint64_t)prot,
		(uint64_t)(MAP_PRIVATE | MAP_ANONYMOUS | flags), (uint64_t)-1,
		0 };
	int64_t at;
	int r;

	r = cave_call(t, c, &at, e, SYS_mmap, args);
	if (r < 0)
		return r;
	if (at < 0 && at > -4096)
		return err_num(e, (int)at,
		    "process %d: mapping %zu bytes in it", t->tid, len);
	*ret_at = (raddr)at;
	return 0;
}

static int
cave_munmap(struct tracee *t, const struct cave *c, raddr at, size_t len,
    struct err *e)
{
	const uint64_t args[6] = { at, len };
	int64_t val;

	return cave_call(t, c, &val, e, SYS_munmap, args);
}

static size_t
round_page(size_t len)
{
	return (len + 4095) & ~(size_t)4095;
}

static int
map_area(struct tracee *t, struct tracee_area *a, const struct cave *c,
    raddr hint, struct err *e)
{
	struct arch_blob blob;
	size_t len = CODE_LEN + a->data_len;
	raddr at, code;
	int r;

	r = cave_mmap(t, c, hint, len, PROT_READ | PROT_WRITE,
	    hint != 0 ? MAP_FIXED_NOREPLACE : 0, &at, e);
	if (r < 0)
		return r;
	arch_blob(&blob);
	r = FAULT("tracee.mapped", e);
	if (r == 0)
		r = cave_mmap(t, c, at, CODE_LEN, PROT_READ | PROT_EXEC,
		    MAP_FIXED, &code, e);
	if (r == 0) {
		r = io_pwrite(a->mem_fd, blob.code, blob.len, at);
		if (r < 0)
			r = err_num(e, r, "process %d: writing into it",
			    t->tid);
	}
	if (r < 0) {
		(void)cave_munmap(t, c, at, len, NULL);
		return r;
	}
	a->code = at;
	a->data = at + CODE_LEN;
	return 0;
}

int
tracee_area_open(struct tracee *t, raddr hint, size_t data_len,
    struct tracee_area *ret_area, struct err *e)
{
	struct tracee_area a = TRACEE_AREA_NONE;
	struct cave c = { .at = 0 };
	int r;

	r = open_mem(t->tid, &a.mem_fd, e);
	if (r < 0)
		return r;
	a.data_len = round_page(data_len);
	c.mem_fd = a.mem_fd;
	r = cave_open(t, &c, e);
	if (r == 0) {
		r = map_area(t, &a, &c, hint, e);
		(void)FAULT("tracee.uncave", NULL);
		cave_close(t, &c);
	}
	if (r == 0)
		r = FAULT("tracee.opened", e);
	if (r < 0) {
		tracee_area_close(t, &a);
		return r;
	}
	*ret_area = a;
	return 0;
}

int
tracee_area_inherit(struct tracee *t, const struct tracee_area *area,
    struct tracee_area *ret_area, struct err *e)
{
	struct tracee_area a = *area;
	int r;

	r = open_mem(t->tid, &a.mem_fd, e);
	if (r < 0)
		return r;
	a.data_used = 0;
	*ret_area = a;
	return 0;
}

void
tracee_area_close(struct tracee *t, struct tracee_area *a)
{
	struct cave c = { .mem_fd = a->mem_fd };

	if (a->code != 0 && t->stopped && !t->dead && !t->inside &&
	    cave_open(t, &c, NULL) == 0) {
		(void)cave_munmap(t, &c, a->code, CODE_LEN + a->data_len, NULL);
		cave_close(t, &c);
	}
	tracee_area_forget(a);
}

void
tracee_area_forget(struct tracee_area *a)
{
	if (a->mem_fd >= 0)
		(void)close(a->mem_fd);
	*a = TRACEE_AREA_NONE;
}

/* Where the next LEN bytes go; beyond the area: there is no room. */
static size_t
place_for(const struct tracee_area *a, size_t len)
{
	size_t at = (a->data_used + 15) & ~(size_t)15;

	return at > a->data_len || len > a->data_len - at ? a->data_len + 1 :
							    at;
}

raddr
tracee_put(struct tracee_area *a, const void *data, size_t len)
{
	size_t at = place_for(a, len);

	if (a->code == 0 || at > a->data_len)
		return 0;
	if (data != NULL && io_pwrite(a->mem_fd, data, len, a->data + at) < 0)
		return 0;
	a->data_used = at + len;
	return a->data + at;
}

static bool
makes_child(uint64_t nr)
{
	return nr == SYS_clone || nr == SYS_clone3 || nr == SYS_fork ||
	    nr == SYS_vfork;
}

/*
 * Copy OPS into the area with the marks that the loop wants in ret. The
 * flags of clone3() lie in memory, where they may still change: only those
 * of clone() are looked at.
 */
static int
put_ops(struct tracee_area *a, const struct tracee_op *ops, size_t n,
    raddr *ret_at, struct err *e)
{
	autofree struct tracee_op *copy = NULL;
	size_t i;

	copy = calloc(n, sizeof *copy);
	if (copy == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		copy[i] = ops[i];
		copy[i].ret = makes_child(ops[i].nr) ? 0 : 1;
		if (ops[i].nr == SYS_vfork ||
		    (ops[i].nr == SYS_clone &&
			(ops[i].args[0] & CLONE_VFORK) != 0))
			return err_set(e, -EINVAL, "vfork in a batch");
	}
	if (place_for(a, n * sizeof *copy) > a->data_len)
		return err_set(e, -E2BIG, "%zu operations do not fit", n);
	*ret_at = tracee_put(a, copy, n * sizeof *copy);
	if (*ret_at == 0)
		return err_set(e, -EIO, "operations cannot be written");
	return 0;
}

static int
run_at(struct tracee *t, struct tracee_area *a, struct tracee_op *ops, size_t n,
    struct err *e)
{
	struct trip trip = { .mem_fd = a->mem_fd,
		.code = a->code,
		.enter = t->regs };
	struct arch_blob blob;
	struct arch_regs regs;
	raddr at;
	int r;

	r = put_ops(a, ops, n, &at, e);
	if (r < 0)
		return r;
	arch_blob(&blob);
	arch_enter_loop(&trip.enter, a->code + blob.loop, at, n);
	r = trip_run(t, &trip, &regs, e);
	if (r < 0)
		return r;
	return tracee_read(a, at, ops, n * sizeof *ops, e);
}

int
tracee_run(struct tracee *t, struct tracee_area *a, struct tracee_op *ops,
    size_t n, struct err *e)
{
	int r = n == 0 ? 0 : run_at(t, a, ops, n, e);
	char state;

	a->data_used = 0;
	if (r == 0 || r == -ESRCH)
		return r;
	state = wait_state(t->tid);
	/* EIO outside of its stop: its memory has gone, it will follow. */
	if (state == 0 || state == 'Z' || state == 'X' ||
	    (r == -EIO && state != 't'))
		return err_set(e, -ESRCH, "process %d has ended", t->tgid);
	return r;
}

int
tracee_call(struct tracee *t, struct tracee_area *a, int64_t *ret_val,
    struct err *e, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
    uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct tracee_op op = { .nr = nr, .args = { a0, a1, a2, a3, a4, a5 } };
	int r;

	r = tracee_run(t, a, &op, 1, e);
	if (r == 0)
		*ret_val = op.ret;
	return r;
}

static int
moved(int r, const char *what, raddr at, struct err *e)
{
	if (r == 0)
		return 0;
	/* A dead target has no memory left; a hole answers EIO. */
	return err_set(e, r == -ENODATA ? -ESRCH : -EFAULT,
	    "%s memory of the target at %#" PRIx64 " failed", what, at);
}

int
tracee_read(const struct tracee_area *a, raddr from, void *data, size_t len,
    struct err *e)
{
	return moved(io_pread(a->mem_fd, data, len, from), "reading", from, e);
}

int
tracee_write(const struct tracee_area *a, raddr to, const void *data,
    size_t len, struct err *e)
{
	return moved(io_pwrite(a->mem_fd, data, len, to), "writing", to, e);
}
