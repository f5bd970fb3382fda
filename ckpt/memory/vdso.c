/*
 * vdso.c - see vdso.h. arch_prctl(ARCH_MAP_VDSO_64) maps [vvar] (and
 * [vvar_vclock]) with [vdso] behind it (kernel: arch/x86/entry/vdso/vma.c,
 * 6.1 to 6.18); it needs no capability, and that no vdso is mapped.
 */
#include "ckpt/memory/vdso.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/memory/memory.h"
#include "ckpt/memory/vdso_elf.h"

#define ARCH_MAP_VDSO_64 0x2003

struct vdso {
	uint64_t start; /* of the first [vvar] */
	uint64_t code;  /* of [vdso] */
	uint64_t end;
};

/* Where the vdso of process PID is; all 0 when it has none. */
static int
find_vdso(struct ckpt *c, const char *path, struct vdso *ret_v)
{
	autobuf struct buf b = BUF_INIT(256u << 20);
	struct memory m = { .vmas = NULL };
	int r;

	*ret_v = (struct vdso){ .start = 0 };
	r = io_read_file(AT_FDCWD, path, &b);
	if (r >= 0)
		r = memory_parse(&m, (char *)b.data, false);
	for (size_t i = 0; i < m.n_vmas; i++) {
		const struct vma *v = &m.vmas[i];

		if (strncmp(v->path, "[vvar", 5) == 0 && ret_v->start == 0)
			ret_v->start = v->start;
		if (strcmp(v->path, "[vdso]") == 0) {
			ret_v->code = v->start;
			ret_v->end = v->end;
		}
		free(v->path);
	}
	free(m.vmas);
	return r < 0 ? err_num(c->err, r, "reading %s", path) : 0;
}

bool
vdso_is_inside(const struct freeze *f)
{
	struct ckpt c = { .err = NULL };
	struct vdso v = { .start = 0 };
	char path[64];
	pid_t of = 0;

	for (size_t i = 0; i < f->n_threads; i++) {
		const struct tracee *t = &f->threads[i];

		if (arch_in_syscall(&t->regs))
			continue;
		(void)snprintf(path, sizeof path, "/proc/%d/maps", t->tgid);
		if (t->tgid != of && find_vdso(&c, path, &v) < 0)
			continue;
		of = t->tgid;
		if (arch_ip(&t->regs) - v.code < v.end - v.code)
			return true;
	}
	return false;
}

int
vdso_describe(struct ckpt *c, Img__Machine *m)
{
	struct vdso v;
	int r;

	r = find_vdso(c, "/proc/self/maps", &v);
	if (r < 0 || v.code == 0)
		return r;
	m->vdso.data = (uint8_t *)(uintptr_t)v.code;
	m->vdso.len = v.end - v.code;
	m->vvar_len = v.code - v.start;
	return 0;
}

/* Are the saved programs' vdso and this kernel's the very same? */
static int
is_own(struct ckpt *c, bool *ret_own)
{
	const Img__Machine *m = c->machine;
	Img__Machine own = IMG__MACHINE__INIT;
	int r;

	r = vdso_describe(c, &own);
	if (r < 0)
		return r;
	*ret_own = own.vdso.len == m->vdso.len && own.vvar_len == m->vvar_len &&
	    memcmp(own.vdso.data, m->vdso.data, m->vdso.len) == 0;
#ifdef SESS_FAULT
	if (getenv("SESS_FOREIGN_VDSO") != NULL)
		*ret_own = false;
#endif
	return 0;
}

int
vdso_check(struct ckpt *c)
{
	const Img__Machine *m = c->machine;
	struct vdso_functions fns;

	if (m->vdso.len == 0 && m->vvar_len == 0)
		return 0; /* a kernel without one */
	if (m->vdso.len % IMAGE_PAGE != 0 || m->vvar_len % IMAGE_PAGE != 0 ||
	    m->vdso.len > VDSO_ROOM || m->vvar_len > VDSO_ROOM - m->vdso.len ||
	    vdso_elf_parse(m->vdso.data, m->vdso.len, &fns) < 0)
		return err_set(c->err, -EBADMSG,
		    "the image is damaged: a vdso that is none");
	return 0;
}

/* ---- in its place ---- */

static int
map_own(struct ckpt *c, struct task *t, uint64_t at, struct vdso *ret_v)
{
	char path[64];
	int64_t val;

	val = task_must(c, t, "mapping the vdso", SYS_arch_prctl,
	    ARCH_MAP_VDSO_64, at, 0, 0, 0, 0);
	if (val < 0)
		return (int)val;
	(void)snprintf(path, sizeof path, "/proc/%d/maps", t->pid);
	return find_vdso(c, path, ret_v);
}

/* Room for the old one, and zeros where it had its [vvar]. */
static int
map_old(struct ckpt *c, struct task *t, uint64_t at)
{
	const Img__Machine *m = c->machine;
	int64_t val;

	val = task_must(c, t, "making room for an old vdso", SYS_mmap, at,
	    m->vvar_len + m->vdso.len, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0);
	if (val >= 0)
		val = task_must(c, t, "making room for an old vdso",
		    SYS_mprotect, at + m->vvar_len, m->vdso.len,
		    PROT_READ | PROT_EXEC, 0, 0, 0);
	return val < 0 ? (int)val : 0;
}

int
vdso_revive(struct ckpt *c, struct task *t, uint64_t at)
{
	struct vdso v;
	bool own;
	int r;

	r = is_own(c, &own);
	if (r < 0 || (!own && c->machine->vdso.len == 0))
		return r;
	if (!own)
		return map_old(c, t, at);
	r = map_own(c, t, at, &v);
	if (r < 0)
		return r;
	if (v.start != at)
		return err_set(c->err, -EEXIST,
		    "%s (pid %d): the kernel put "
		    "the vdso at %llx instead of %llx",
		    t->comm, t->vpid, (unsigned long long)v.start,
		    (unsigned long long)at);
	return 0;
}

/* ---- under another kernel ---- */

/* A copy of an old vdso in T. */
struct old {
	uint64_t at; /* of its code */
	uint64_t vvar_len;
	uint64_t len;
	uint8_t code[VDSO_ROOM];
};

/* Where thread I of T was; 0: not known. */
static uint64_t
saved_ip(struct ckpt *c, const struct task *t, size_t i)
{
	struct arch_regs regs;
	Img__Thread *m;
	uint64_t ip = 0;

	m = image_find(c->img, IMG_THREAD, (uint64_t)t->vtids[i],
	    &img__thread__descriptor, NULL);
	if (m != NULL && m->regs.len == sizeof regs) {
		memcpy(&regs, m->regs.data, sizeof regs);
		ip = arch_ip(&regs);
	}
	if (m != NULL)
		img__thread__free_unpacked(m, NULL);
	return ip;
}

/* Is IP behind the beginning of what is about to be written over? */
static bool
is_written_over(const struct old *o, const struct vdso_functions *fns,
    uint64_t ip)
{
	for (size_t i = 0; i < fns->n; i++)
		if (ip - (o->at + fns->v[i].at) - 1 < ARCH_JUMP_LEN - 1)
			return true;
	return false;
}

/*
 * Threads that were in the middle of a beginning finish in a copy that
 * nothing is written over. (It finds zeros as its [vvar], and from zeros the
 * clocks go on to the system call.)
 */
static int
move_threads(struct ckpt *c, struct task *t, const struct old *o,
    const struct vdso_functions *fns)
{
	int64_t copy = 0;
	uint64_t at;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		uint64_t ip = saved_ip(c, t, i);

		if (!is_written_over(o, fns, ip))
			continue;
		if (copy == 0)
			copy = task_must(c, t, "copying an old vdso", SYS_mmap,
			    0, o->vvar_len + o->len, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
		if (copy < 0)
			return (int)copy;
		at = (uint64_t)copy + o->vvar_len;
		r = tracee_write(&t->area, at, o->code, o->len, c->err);
		t->ips[i] = at + (ip - o->at);
	}
	return r;
}

/* O is in T: make its functions lead to those of the kernel's at OWN_AT. */
static int
redirect(struct ckpt *c, struct task *t, struct old *o,
    const struct vdso_functions *own, uint64_t own_at)
{
	struct vdso_functions fns;
	int r;

	r = vdso_elf_parse(o->code, o->len, &fns);
	if (r >= 0)
		r = move_threads(c, t, o, &fns);
	if (r >= 0)
		r = vdso_elf_redirect(o->code, o->len, own, own_at);
	if (r >= 0)
		r = tracee_write(&t->area, o->at, o->code, o->len, c->err);
	return r;
}

/* The same with what an earlier revival has left at V, if it has. */
static int
redirect_again(struct ckpt *c, struct task *t, struct old *o, const Img__Vma *v,
    const struct vdso_functions *own, uint64_t own_at)
{
	int r;

	*o = (struct old){ .at = v->start, .len = v->end - v->start };
	if (v->kind != VMA_ANON || v->shared ||
	    v->prot != (PROT_READ | PROT_EXEC) || o->len > VDSO_ROOM)
		return 0;
	r = tracee_read(&t->area, o->at, o->code, o->len, c->err);
	if (r < 0 || !vdso_elf_is_redirected(o->code, o->len))
		return r;
	r = redirect(c, t, o, own, own_at);
	return r == -EBADMSG ? 0 : r; /* the program has spoilt it */
}

int
vdso_finish(struct ckpt *c, struct task *t, const Img__Mm *mm)
{
	autofree struct old *o = malloc(sizeof *o);
	const Img__Machine *m = c->machine;
	Img__Machine kernel = IMG__MACHINE__INIT;
	struct vdso_functions own = { .n = 0 };
	struct vdso v = { .start = 0 };
	bool same;
	int r;

	r = o == NULL ? err_set(c->err, -ENOMEM, "out of memory") :
			is_own(c, &same);
	if (r < 0 || same || mm->vdso == 0)
		return r;
	r = vdso_describe(c, &kernel);
	if (r >= 0 && kernel.vdso.len != 0) {
		(void)vdso_elf_parse(kernel.vdso.data, kernel.vdso.len, &own);
		r = map_own(c, t, 0, &v);
	}
	if (r >= 0 && m->vdso.len != 0) {
		*o = (struct old){ .at = mm->vdso + m->vvar_len,
			.vvar_len = m->vvar_len,
			.len = m->vdso.len };
		memcpy(o->code, m->vdso.data, m->vdso.len);
		r = redirect(c, t, o, &own, v.code);
	}
	for (size_t i = 0; r >= 0 && i < mm->n_vmas; i++)
		r = redirect_again(c, t, o, mm->vmas[i], &own, v.code);
	return r;
}
