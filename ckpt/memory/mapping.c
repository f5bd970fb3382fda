/*
 * mapping.c - see mapping.h.
 */
#include "ckpt/memory/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/files/files.h"
#include "ckpt/image/objects.h"
#include "ckpt/memory/load.h"
#include "ckpt/memory/memory.h"
#include "ckpt/memory/vdso.h"

#define TASK_TOP UINT64_C(0x7ffffffff000)
#define LOWEST UINT64_C(0x10000) /* mmap_min_addr of every distribution */
#define BATCH 128                /* calls of one batch */

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static const struct {
	uint32_t flag;
	int advice;
} advices[] = {
	{ VMA_F_HUGEPAGE, MADV_HUGEPAGE },
	{ VMA_F_NOHUGEPAGE, MADV_NOHUGEPAGE },
	{ VMA_F_MERGEABLE, MADV_MERGEABLE },
	{ VMA_F_DONTFORK, MADV_DONTFORK },
	{ VMA_F_DONTDUMP, MADV_DONTDUMP },
	{ VMA_F_WIPEONFORK, MADV_WIPEONFORK },
	{ VMA_F_SEQUENTIAL, MADV_SEQUENTIAL },
	{ VMA_F_RANDOM, MADV_RANDOM },
};

static int
verify_vma(struct ckpt *c, const Img__Vma *v, uint64_t floor)
{
	if (v->start < floor || v->end <= v->start || v->end > TASK_TOP ||
	    (v->start | v->end | v->offset) % IMAGE_PAGE != 0 ||
	    v->kind > VMA_SHM || (v->prot & ~7u) != 0)
		return image_damaged(c, "a mapping that cannot be");
	if (v->kind == VMA_FILE && (v->object == 0 || v->object > c->n_mapped))
		return image_damaged(c, "a mapping of no file");
	if (v->kind == VMA_SHM && (v->object == 0 || v->object > c->n_shms))
		return image_damaged(c, "a mapping of no shared memory");
	return 0;
}

int
mapping_verify(struct ckpt *c, const Img__Mm *mm)
{
	uint64_t floor = IMAGE_PAGE, end = 0;
	size_t i, k = 0;
	int r;

	for (i = 0; i < mm->n_vmas; i++) {
		r = verify_vma(c, mm->vmas[i], floor);
		if (r < 0)
			return r;
		floor = mm->vmas[i]->end;
	}
	for (i = 0; i < mm->n_pages; i++) {
		const Img__PageRun *run = mm->pages[i];

		while (k < mm->n_vmas && run->start >= mm->vmas[k]->end)
			k++;
		if (k == mm->n_vmas || run->start < mm->vmas[k]->start ||
		    run->start < end || run->start % IMAGE_PAGE != 0 ||
		    run->n_pages > (TASK_TOP - run->start) / IMAGE_PAGE)
			return image_damaged(c, "pages outside of any mapping");
		end = run->start + run->n_pages * IMAGE_PAGE;
		for (size_t j = k; mm->vmas[j]->end < end; j++)
			if (j + 1 == mm->n_vmas ||
			    mm->vmas[j + 1]->start != mm->vmas[j]->end)
				return image_damaged(c,
				    "pages beyond a mapping");
		if (run->kind != IMG__PAGE_RUN__KIND__HERE ||
		    run->page > image_n_pages(c->img) ||
		    run->n_pages > image_n_pages(c->img) - run->page)
			return image_damaged(c, "pages that it does not hold");
	}
	if (mm->exe == 0 || mm->exe > c->n_mapped)
		return image_damaged(c, "a process without a program");
	return 0;
}

/* ---- the hole ---- */

/* The first address above AT that is free of what M maps, for LEN bytes. */
static uint64_t
skip_mapped(const struct memory *m, uint64_t at, size_t len)
{
	for (size_t i = 0; i < m->n_vmas; i++)
		if (m->vmas[i].start < at + len && m->vmas[i].end > at)
			at = m->vmas[i].end;
	return at;
}

static uint64_t
skip_saved(const Img__Mm *mm, uint64_t at, size_t len)
{
	for (size_t i = 0; i < mm->n_vmas; i++)
		if (mm->vmas[i]->start < at + len && mm->vmas[i]->end > at)
			at = mm->vmas[i]->end;
	if (mm->vdso != 0 && mm->vdso < at + len && mm->vdso + VDSO_ROOM > at)
		at = mm->vdso + VDSO_ROOM;
	return at;
}

raddr
mapping_hole(struct ckpt *c, Img__Mm *const *mms, size_t len)
{
	struct memory own = { .vmas = NULL };
	autobuf struct buf b = BUF_INIT(4u << 20);
	uint64_t at = LOWEST, was;

	if (io_read_file(AT_FDCWD, "/proc/self/maps", &b) < 0 ||
	    memory_parse(&own, (char *)b.data, false) < 0)
		at = 0;
	for (was = 0; at != was && at != 0;) {
		was = at;
		at = skip_mapped(&own, at, len);
		for (size_t i = 0; i < c->n_tasks; i++)
			if (mms[i] != NULL)
				at = skip_saved(mms[i], at, len);
	}
	for (size_t i = 0; i < own.n_vmas; i++)
		free(own.vmas[i].path);
	free(own.vmas);
	return at + len < TASK_TOP ? at : 0;
}

/* ---- batches ---- */

/* Calls that are collected and run when there are enough. */
struct batch {
	struct ckpt *c;
	struct task *t;
	const char *what;
	struct tracee_op ops[BATCH];
	size_t n;
};

static int
batch_flush(struct batch *b)
{
	int r;

	if (b->n == 0)
		return 0;
	r = task_run(b->c, b->t, b->ops, b->n);
	for (size_t i = 0; r >= 0 && i < b->n; i++)
		if (b->ops[i].ret < 0)
			r = err_num(b->c->err, (int)b->ops[i].ret,
			    "%s (pid %d): %s at %llx", b->t->comm, b->t->vpid,
			    b->what, (unsigned long long)b->ops[i].args[0]);
	b->n = 0;
	return r;
}

static int
batch_add(struct batch *b, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
    uint64_t a3, uint64_t a4, uint64_t a5)
{
	b->ops[b->n++] = (struct tracee_op){ .nr = nr,
		.args = { a0, a1, a2, a3, a4, a5 } };
	return b->n == BATCH ? batch_flush(b) : 0;
}

/* ---- making ---- */

static bool
has_pages(const Img__Mm *mm, const Img__Vma *v)
{
	size_t lo = 0, hi = mm->n_pages, mid; /* runs ascend: verified */

	while (lo < hi) {
		const Img__PageRun *run = mm->pages[mid = lo + (hi - lo) / 2];

		if (run->start + run->n_pages * IMAGE_PAGE <= v->start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < mm->n_pages && mm->pages[lo]->start < v->end;
}

/* Protection while it is being filled. */
static uint32_t
filling_prot(const Img__Mm *mm, const Img__Vma *v)
{
	if (v->shared || !has_pages(mm, v))
		return v->prot;
	return v->prot | PROT_WRITE;
}

static int
make_vma(struct batch *b, const Img__Mm *mm, const Img__Vma *v)
{
	uint64_t flags = MAP_FIXED;
	int fd = -1;

	flags |= v->shared ? MAP_SHARED : MAP_PRIVATE;
	if (v->kind == VMA_FILE)
		fd = b->c->mapped[v->object - 1].fd;
	else if (v->kind == VMA_SHM)
		fd = b->c->shms[v->object - 1].fd;
	else
		flags |= MAP_ANONYMOUS;
	if (v->flags & VMA_F_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (v->flags & VMA_F_NORESERVE)
		flags |= MAP_NORESERVE;
	return batch_add(b, SYS_mmap, v->start, v->end - v->start,
	    filling_prot(mm, v), flags, (uint64_t)(int64_t)fd, v->offset);
}

int
mapping_make(struct ckpt *c, struct task *t, const Img__Mm *mm)
{
	autofree struct batch *b = calloc(1, sizeof *b);
	uint64_t from = t->area.code, to = t->area.data + t->area.data_len;
	int r;

	if (b == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	b->c = c;
	b->t = t;
	b->what = "taking its old memory away";
	r = batch_add(b, SYS_munmap, IMAGE_PAGE, from - IMAGE_PAGE, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(b, SYS_munmap, to, TASK_TOP - to, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_flush(b);
	if (r >= 0 && mm->vdso != 0)
		r = vdso_revive(c, t, mm->vdso);
	b->what = "mapping memory";
	for (size_t i = 0; r >= 0 && i < mm->n_vmas; i++)
		r = make_vma(b, mm, mm->vmas[i]);
	return r < 0 ? r : batch_flush(b);
}

static int
finish_vma(struct batch *b, const Img__Mm *mm, const Img__Vma *v)
{
	uint64_t len = v->end - v->start;
	int r = 0;

	if (filling_prot(mm, v) != v->prot)
		r = batch_add(b, SYS_mprotect, v->start, len, v->prot, 0, 0, 0);
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(advices); i++)
		if (v->flags & advices[i].flag)
			r = batch_add(b, SYS_madvise, v->start, len,
			    (uint64_t)advices[i].advice, 0, 0, 0);
	return r;
}

/* mlock(2) may be beyond what we may lock now: the program is told nothing
 * by a missing lock, so a note is enough. */
static int
lock_memory(struct batch *b, const Img__Mm *mm)
{
	bool failed = false;
	size_t n, i = 0;
	int r = 0;

	while (r >= 0 && i < mm->n_vmas) {
		for (n = 0; i < mm->n_vmas && n < BATCH; i++)
			if (mm->vmas[i]->flags & VMA_F_LOCKED)
				b->ops[n++] = (struct tracee_op){
					.nr = SYS_mlock,
					.args = { mm->vmas[i]->start,
					    mm->vmas[i]->end -
						mm->vmas[i]->start },
				};
		r = task_run(b->c, b->t, b->ops, n);
		while (n-- > 0)
			failed |= b->ops[n].ret < 0;
	}
	if (failed)
		note(b->c, b->t,
		    "memory that was locked is not locked any "
		    "more");
	return r;
}

static int
set_numbers(struct ckpt *c, struct task *t, const Img__Mm *mm)
{
	struct prctl_mm_map map = { .start_code = mm->start_code,
		.end_code = mm->end_code,
		.start_data = mm->start_data,
		.end_data = mm->end_data,
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end };
	raddr auxv, where;
	int64_t val;

	auxv = tracee_put(&t->area, mm->auxv.data, mm->auxv.len);
	map.auxv = (void *)(uintptr_t)auxv;
	map.auxv_size = (uint32_t)mm->auxv.len;
	map.exe_fd = (uint32_t)c->mapped[mm->exe - 1].fd;
	where = tracee_put(&t->area, &map, sizeof map);
	if (auxv == 0 || where == 0)
		return image_damaged(c, "an auxiliary vector that is too long");
	val = task_must(c, t, "telling the kernel about its memory", SYS_prctl,
	    PR_SET_MM, PR_SET_MM_MAP, where, sizeof map, 0, 0);
	return val < 0 ? (int)val : 0;
}

int
mapping_finish(struct ckpt *c, struct task *t, const Img__Mm *mm)
{
	autofree struct batch *b = calloc(1, sizeof *b);
	int r = 0;

	if (b == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	b->c = c;
	b->t = t;
	b->what = "protecting memory";
	for (size_t i = 0; r >= 0 && i < mm->n_vmas; i++)
		r = finish_vma(b, mm, mm->vmas[i]);
	if (r >= 0)
		r = batch_flush(b);
	if (r >= 0)
		r = lock_memory(b, mm);
	if (r >= 0)
		r = vdso_finish(c, t, mm);
	return r < 0 ? r : set_numbers(c, t, mm);
}
