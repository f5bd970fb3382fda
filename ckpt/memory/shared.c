/*
 * shared.c - memory_collect_shared() of memory.h: a snapshot shares shared
 * memory with the program, so it is copied during the stop, once for all that
 * map it. Only pages that are there are read: reading one that is not would
 * make it, and programs map far more than they use. Which those are mincore(2)
 * says, as long as nothing lies in swap, which it does not see.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "ckpt/memory/memory.h"

#define TMPFS 0x01021994 /* TMPFS_MAGIC, linux/magic.h */
#define ASKED 32768u     /* pages of one mincore(2): bytes of the work area */
#define READ_MAX 1024u   /* pages of one read */

/* Memory, by contrast to a deleted file on a disk. */
static bool
is_memory(const struct vma *v)
{
	struct statfs fs;
	struct stat st;

	return strncmp(v->path, "/dev/zero", 9) == 0 ||
	    strncmp(v->path, "/memfd:", 7) == 0 ||
	    strncmp(v->path, "[anon_shmem:", 12) == 0 ||
	    (statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS &&
		stat("/dev/shm", &st) == 0 && st.st_dev == v->dev);
}

static bool
swap_is_empty(void)
{
	struct sysinfo si;

	return sysinfo(&si) == 0 && si.totalswap == si.freeswap;
}

/* One byte for each of N pages from START on: whether it may be there. */
static void
ask_pages(struct ckpt *c, struct task *t, uint64_t start, size_t n,
    uint8_t *there)
{
	raddr at = tracee_put(&t->area, NULL, n);

	if (at == 0 ||
	    task_call(c, t, SYS_mincore, start, n * IMAGE_PAGE, at, 0, 0, 0) !=
		0 ||
	    tracee_read(&t->area, at, there, n, NULL) < 0)
		memset(there, 1, n);
}

/* Bring N pages at START of T to PAGE of S, those that are THERE. */
static void
copy_pages(const struct task *t, struct shm *s, uint64_t start, uint64_t page,
    const uint8_t *there, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i += k) {
		uint8_t *to = s->copy + (page + i) * IMAGE_PAGE;
		uint64_t from = start + i * IMAGE_PAGE;

		for (k = 0; i + k < n && k < READ_MAX && (there[i + k] & 1) &&
		     !s->have[page + i + k];
		     k++)
			;
		if (k > 1 &&
		    tracee_read(&t->area, from, to, k * IMAGE_PAGE, NULL) < 0)
			k = 1; /* beyond the end of the file: page by page */
		if (k == 1)
			(void)tracee_read(&t->area, from, to, IMAGE_PAGE, NULL);
		memset(s->have + page + i, 1, k);
		k += k == 0;
	}
}

static void
copy_shared(struct ckpt *c, struct task *t, const struct vma *v, struct shm *s,
    bool ask)
{
	uint64_t left = (v->end - v->start) / IMAGE_PAGE, at = v->start;
	uint64_t page = v->offset / IMAGE_PAGE;
	uint8_t there[ASKED];
	size_t n;

	for (; left > 0; left -= n, page += n, at += n * IMAGE_PAGE) {
		n = left < ASKED ? left : ASKED;
		if (ask)
			ask_pages(c, t, at, n, there);
		else
			memset(there, 1, n);
		copy_pages(t, s, at, page, there, n);
	}
}

static int
make_room(struct ckpt *c, struct shm *s)
{
	s->copy = mmap(NULL, s->len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->copy == MAP_FAILED)
		s->copy = NULL;
	s->have = calloc(s->len / IMAGE_PAGE + 1, 1);
	if (s->copy != NULL && s->have != NULL)
		return 0;
	return err_set(c->err, -ENOMEM,
	    "no memory to copy %llu bytes of shared memory",
	    (unsigned long long)s->len);
}

/* All of memfd S, whether mapped or not; holes are left out. */
static int
copy_source(struct ckpt *c, struct shm *s)
{
	off_t from = 0, to;
	int r = 0;

	while (r >= 0 && (uint64_t)from < s->size) {
		from = lseek(s->source, from, SEEK_DATA);
		to = from < 0 ? -1 : lseek(s->source, from, SEEK_HOLE);
		if (from < 0 || to <= from)
			break;
		if ((uint64_t)to > s->size)
			to = (off_t)s->size;
		r = io_pread(s->source, s->copy + from, (size_t)(to - from),
		    (uint64_t)from);
		memset(s->have + from / IMAGE_PAGE, 1,
		    (size_t)((to + IMAGE_PAGE - 1) / IMAGE_PAGE -
			from / IMAGE_PAGE));
		from = to;
	}
	return r < 0 ? err_num(c->err, r, "reading a memfd") : 0;
}

int
memory_collect_shared(struct ckpt *c)
{
	bool ask = swap_is_empty();
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_shms; i++) {
		r = make_room(c, &c->shms[i]);
		if (r >= 0 && c->shms[i].source >= 0)
			r = copy_source(c, &c->shms[i]);
	}
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		struct task *t = &c->tasks[i];

		for (size_t k = 0; t->mem != NULL && k < t->mem->n_vmas; k++) {
			const struct vma *v = &t->mem->vmas[k];

			if (v->kind == VMA_SHM &&
			    c->shms[v->object - 1].source < 0)
				copy_shared(c, t, v, &c->shms[v->object - 1],
				    ask && is_memory(v));
		}
	}
	return r;
}
