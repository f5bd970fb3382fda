/*
 * pages.c - see pages.h. Which pages hold something of their own is asked of
 * the kernel: PAGEMAP_SCAN (kernel: fs/proc/task_mmu.c, 6.7), before that
 * the flags of /proc/PID/pagemap. A page of an anonymous mapping that holds
 * only zeros is not stored: an untouched one reads the same.
 */
#include "ckpt/memory/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/memory/mapped.h"
#include "ckpt/memory/memory.h"
#include "ckpt/memory/snapshot.h"

/* linux/fs.h of 6.7; Debian 12 has older headers. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
#define SCAN_FILE (1u << 2)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_PFNZERO (1u << 5)

#define N_REGIONS 512
#define PM_FILE (UINT64_C(1) << 61)
#define PM_SWAP (UINT64_C(1) << 62)
#define PM_PRESENT (UINT64_C(1) << 63)

/* Page runs of one address space or object, while they are found. */
struct runs {
	Img__PageRun *v;
	size_t n, cap;
};

/* What is being written where. */
struct writing {
	struct ckpt *c;
	struct image_writer *w;
	struct task *t;
	const struct vma *v;
	struct runs *runs;
};

static int
runs_add(struct runs *rs, uint64_t start, uint64_t n, uint64_t page)
{
	Img__PageRun *last = rs->n > 0 ? &rs->v[rs->n - 1] : NULL;
	void *p;

	if (last != NULL && last->start + last->n_pages * IMAGE_PAGE == start &&
	    last->page + last->n_pages == page) {
		last->n_pages += n;
		return 0;
	}
	if (rs->n == rs->cap) {
		rs->cap = rs->cap == 0 ? 64 : rs->cap * 2;
		p = reallocarray(rs->v, rs->cap, sizeof *rs->v);
		if (p == NULL)
			return -ENOMEM;
		rs->v = p;
	}
	img__page_run__init(&rs->v[rs->n]);
	rs->v[rs->n].start = start;
	rs->v[rs->n].n_pages = n;
	rs->v[rs->n].page = page;
	rs->n++;
	return 0;
}

static bool
is_zero(const uint8_t *p)
{
	return *(const uint64_t *)p == 0 &&
	    memcmp(p, p + 8, IMAGE_PAGE - 8) == 0;
}

/* Store N pages at DATA, that belong at START, without those of zeros. */
static int
put_pages(struct writing *x, uint64_t start, const uint8_t *data, size_t n,
    bool keep_zero)
{
	uint64_t page;
	size_t i, from;
	int r;

	for (i = 0; i < n; i = from) {
		for (from = i; from < n && !keep_zero &&
		     is_zero(data + from * IMAGE_PAGE);
		     from++)
			;
		for (i = from; from < n &&
		     (keep_zero || !is_zero(data + from * IMAGE_PAGE));
		     from++)
			;
		if (from == i)
			return 0;
		r = image_put_pages(x->w, data + i * IMAGE_PAGE,
		    (from - i) * IMAGE_PAGE, &page, x->c->err);
		if (r < 0)
			return r;
		r = runs_add(x->runs, start + i * IMAGE_PAGE, from - i, page);
		if (r < 0)
			return err_set(x->c->err, r, "out of memory");
	}
	return 0;
}

/*
 * Of LEN bytes that were read to ROOM, the free end of the chunk, keep the
 * pages that hold something, which belong at START.
 */
static int
keep_pages(struct writing *x, uint64_t start, uint8_t *room, size_t len,
    bool keep_zero)
{
	size_t n = len / IMAGE_PAGE, i, k, kept = 0, fill;
	uint64_t page;
	int r;

	for (i = 0; i < n; i = k) {
		while (i < n && !keep_zero && is_zero(room + i * IMAGE_PAGE))
			i++;
		for (k = i;
		     k < n && (keep_zero || !is_zero(room + k * IMAGE_PAGE));
		     k++)
			;
		if (k == i)
			break;
		fill = (k - i) * IMAGE_PAGE;
		if (i * IMAGE_PAGE != kept)
			memmove(room + kept, room + i * IMAGE_PAGE, fill);
		r = image_pages_fill(x->w, fill, &page, x->c->err);
		if (r >= 0)
			r = runs_add(x->runs, start + i * IMAGE_PAGE, k - i,
			    page);
		if (r < 0)
			return r;
		kept += fill;
	}
	return 0;
}

/* Store the pages [START, END) of the task, which hold something. */
static int
put_range(struct writing *x, uint64_t start, uint64_t end)
{
	bool keep_zero = x->v->kind == VMA_FILE;
	uint8_t *room;
	size_t len, max;
	int r;

	for (; start < end; start += len) {
		room = image_pages_room(x->w, &max);
		len = end - start < max ? end - start : max;
		r = io_pread(x->t->snap_mem, room, len, start);
		if (r < 0 && x->v->all && len > IMAGE_PAGE) {
			len = IMAGE_PAGE;
			r = io_pread(x->t->snap_mem, room, len, start);
		}
		if (r < 0 && x->v->all)
			continue; /* beyond the end of a lost file */
		if (r < 0)
			return err_num(x->c->err, r == -ENODATA ? -ESRCH : r,
			    "%s (pid %d): reading memory at %llx", x->t->comm,
			    x->t->pid, (unsigned long long)start);
		r = keep_pages(x, start, room, len, keep_zero);
		if (r < 0)
			return r;
	}
	return 0;
}

/* By PAGEMAP_SCAN; -ENOTTY before Linux 6.7. */
static int
scan_regions(struct writing *x)
{
	struct scan_region vec[N_REGIONS];
	struct scan_arg a = { .size = sizeof a,
		.start = x->v->start,
		.end = x->v->end,
		.vec = (uintptr_t)vec,
		.vec_len = N_REGIONS,
		.category_inverted = SCAN_FILE | SCAN_PFNZERO,
		.category_mask = SCAN_FILE | SCAN_PFNZERO,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT };
	int n, r;

	while (a.start < a.end) {
		n = ioctl(x->t->snap_pagemap, SCAN_IOCTL, &a);
		if (n < 0)
			return errno == EINVAL ? -ENOTTY : -errno;
		for (int i = 0; i < n; i++) {
			r = put_range(x, vec[i].start, vec[i].end);
			if (r < 0)
				return r;
		}
		if (a.walk_end <= a.start)
			return 0;
		a.start = a.walk_end;
	}
	return 0;
}

/* By the 64 bits of each page, on older kernels. */
static int
read_pagemap(struct writing *x)
{
	uint64_t bits[512], at, from;
	size_t n, i, k;
	int r;

	for (at = x->v->start; at < x->v->end; at += n * IMAGE_PAGE) {
		n = (x->v->end - at) / IMAGE_PAGE;
		if (n > N_ELEMENTS(bits))
			n = N_ELEMENTS(bits);
		r = io_pread(x->t->snap_pagemap, bits, n * 8,
		    at / IMAGE_PAGE * 8);
		if (r < 0)
			return r;
		for (i = 0; i < n; i = k + 1) {
			for (k = i;
			     k < n && (bits[k] & (PM_PRESENT | PM_SWAP)) != 0 &&
			     (bits[k] & PM_FILE) == 0;
			     k++)
				;
			from = at + i * IMAGE_PAGE;
			r = k == i ? 0 :
				     put_range(x, from, at + k * IMAGE_PAGE);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int
write_vma(struct writing *x)
{
	const struct vma *v = x->v;
	int r;

	if (v->kind == VMA_SKIP || v->kind == VMA_KERNEL || v->shared)
		return 0;
	if (v->copy != NULL)
		return put_pages(x, v->start, v->copy,
		    (v->end - v->start) / IMAGE_PAGE, false);
	if (v->all)
		return put_range(x, v->start, v->end);
	r = scan_regions(x);
	if (r == -ENOTTY)
		r = read_pagemap(x);
	if (r < 0 && (x->c->err == NULL || x->c->err->text[0] == '\0'))
		err_num(x->c->err, r, "%s (pid %d): reading the page map",
		    x->t->comm, x->t->pid);
	return r;
}

/* ---- records ---- */

static const struct vma *
vma_at(const struct memory *m, uint64_t addr)
{
	size_t lo = 0, hi = m->n_vmas, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (m->vmas[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n_vmas && m->vmas[lo].start <= addr ? &m->vmas[lo] :
							     NULL;
}

/*
 * Bring the flags of smaps to the mappings of T. A mapping that a fork did
 * not pass on and that was not known before the stop is lost: say so.
 */
static int
read_flags(struct ckpt *c, struct task *t)
{
	struct memory now = { .vmas = NULL };
	autobuf struct buf b = BUF_INIT(256u << 20);
	int r;

	r = io_read_all(t->snap_smaps, &b);
	if (r >= 0)
		r = buf_put(&b, "", 1);
	if (r >= 0)
		r = memory_parse(&now, (char *)b.data, true);
	for (size_t i = 0; r >= 0 && i < t->mem->n_vmas; i++) {
		struct vma *v = &t->mem->vmas[i];
		const struct vma *s = vma_at(&now, v->start);

		if (v->kind == VMA_SKIP || v->kind == VMA_KERNEL)
			continue;
		if (s != NULL)
			v->flags |= s->flags;
		if (v->copy == NULL &&
		    (s == NULL || (s->flags & VMA_F_WIPEONFORK)) &&
		    !v->shared && t->snapshot != 0)
			r = -EAGAIN;
	}
	for (size_t i = 0; i < now.n_vmas; i++)
		free(now.vmas[i].path);
	free(now.vmas);
	if (r < 0)
		return err_num(c->err, r,
		    "%s (pid %d): its mappings changed "
		    "while it was being saved",
		    t->comm, t->pid);
	return 0;
}

static int
put_mm(struct ckpt *c, struct image_writer *w, struct task *t, struct runs *rs)
{
	struct memory *m = t->mem;
	autofree Img__Vma *vmas = calloc(m->n_vmas + 1, sizeof *vmas);
	autofree Img__Vma **vmap = calloc(m->n_vmas + 1, sizeof *vmap);
	autofree Img__PageRun **runp = calloc(rs->n + 1, sizeof *runp);
	size_t n = 0;

	if (vmas == NULL || vmap == NULL || runp == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < m->n_vmas; i++) {
		const struct vma *v = &m->vmas[i];

		if (v->kind == VMA_SKIP || v->kind == VMA_KERNEL)
			continue;
		img__vma__init(&vmas[n]);
		vmas[n].start = v->start;
		vmas[n].end = v->end;
		vmas[n].prot = v->prot;
		vmas[n].kind = v->kind;
		vmas[n].shared = v->shared;
		vmas[n].offset = v->kind == VMA_ANON ? 0 : v->offset;
		vmas[n].object = v->object;
		vmas[n].flags = v->flags;
		vmap[n] = &vmas[n];
		n++;
	}
	for (size_t i = 0; i < rs->n; i++)
		runp[i] = &rs->v[i];
	m->rec.n_vmas = n;
	m->rec.vmas = vmap;
	m->rec.n_pages = rs->n;
	m->rec.pages = runp;
	m->rec.exe = m->exe;
	m->rec.vdso = m->vdso;
	return image_put(w, IMG_MM, (uint64_t)t->vpid, &m->rec.base, c->err);
}

/*
 * A process that was killed meanwhile, by the kernel in want of memory for
 * one, loses its pages before anything else shows it: PAGEMAP_SCAN then finds
 * none. While it stands in its stop nobody has killed it.
 */
static int
check_alive(struct ckpt *c, const struct task *t)
{
	struct procfs_stat st;
	uint64_t bits;

	if (procfs_stat(t->snapshot != 0 ? t->snapshot : t->pid, &st) >= 0 &&
	    st.state == 't' &&
	    io_pread(t->snap_pagemap, &bits, sizeof bits, 0) >= 0)
		return 0;
	return err_set(c->err, -ESRCH,
	    "%s (pid %d): its %s was killed while "
	    "it was being written: save again",
	    t->comm, t->pid, t->snapshot != 0 ? "snapshot" : "process");
}

static int
write_task(struct ckpt *c, struct image_writer *w, struct task *t)
{
	struct runs rs = { .v = NULL };
	struct writing x = { .c = c, .w = w, .t = t, .runs = &rs };
	int r;

	r = read_flags(c, t);
	for (size_t i = 0; r >= 0 && i < t->mem->n_vmas; i++) {
		x.v = &t->mem->vmas[i];
		r = write_vma(&x);
	}
	if (r >= 0)
		r = check_alive(c, t);
	if (r >= 0)
		r = put_mm(c, w, t, &rs);
	free(rs.v);
	return r;
}

/* The pages of S that were taken; the others were never there. */
static int
put_taken(struct writing *x, const struct shm *s)
{
	size_t n = s->len / IMAGE_PAGE, i, k;
	int r = 0;

	for (i = 0; r >= 0 && i < n; i = k + 1) {
		for (k = i; k < n && s->have[k]; k++)
			;
		if (k > i)
			r = put_pages(x, i * IMAGE_PAGE,
			    s->copy + i * IMAGE_PAGE, k - i, false);
	}
	return r;
}

static int
write_shm(struct ckpt *c, struct image_writer *w, const struct shm *s,
    uint64_t id)
{
	struct runs rs = { .v = NULL };
	struct writing x = { .c = c, .w = w, .runs = &rs };
	Img__Shm m = IMG__SHM__INIT;
	autofree Img__PageRun **runp = NULL;
	int r;

	r = put_taken(&x, s);
	runp = calloc(rs.n + 1, sizeof *runp);
	if (runp == NULL)
		r = -ENOMEM;
	for (size_t i = 0; runp != NULL && i < rs.n; i++)
		runp[i] = &rs.v[i];
	m.len = s->len;
	m.dev = s->dev;
	m.ino = s->ino;
	m.memfd = s->source >= 0;
	m.size = s->size;
	m.seals = s->seals;
	m.mode = s->mode;
	if (s->name != NULL) {
		m.name.data = (uint8_t *)s->name;
		m.name.len = strlen(s->name);
	}
	m.n_pages = rs.n;
	m.pages = runp;
	if (r >= 0)
		r = image_put(w, IMG_SHM, id, &m.base, c->err);
	free(rs.v);
	return r;
}

int
pages_write(struct ckpt *c, struct image_writer *w)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		if (c->tasks[i].mem == NULL)
			continue;
		r = FAULT("save.write-memory", c->err);
		if (r >= 0)
			r = write_task(c, w, &c->tasks[i]);
	}
	for (size_t i = 0; r >= 0 && i < c->n_shms; i++)
		r = write_shm(c, w, &c->shms[i], i + 1);
	for (size_t i = 0; r >= 0 && i < c->n_mapped; i++)
		r = mapped_write(c, w, &c->mapped[i], i + 1);
	/* Not before: a mapped file may have to be read as its exe. */
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		snapshot_drop(&c->tasks[i]);
	return r;
}
