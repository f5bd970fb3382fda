/*
 * memory.c - the saving side of memory.h: /proc/PID/maps and smaps
 * (proc_pid_maps(5), proc_pid_smaps(5)) parsed and sorted into kinds.
 *
 * A mapping whose file has been deleted or replaced is stored whole, as
 * anonymous memory: the file cannot be opened again by anybody without
 * privileges (map_files), its content can be read through the mapping.
 */
#include "ckpt/memory/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "base/procfs.h"
#include "base/scope.h"

#define MAPS_MAX (256u << 20) /* bytes of a maps or smaps file */

static void
free_vmas(struct memory *m)
{
	for (size_t i = 0; i < m->n_vmas; i++) {
		free(m->vmas[i].path);
		if (m->vmas[i].copy != NULL)
			(void)munmap(m->vmas[i].copy,
			    m->vmas[i].end - m->vmas[i].start);
	}
	free(m->vmas);
	m->vmas = NULL;
	m->n_vmas = 0;
}

void
memory_free(struct memory *m)
{
	if (m == NULL)
		return;
	free_vmas(m);
	free(m->exe_path);
	free(m);
}

void
memory_objects_free(struct ckpt *c)
{
	for (size_t i = 0; i < c->n_mapped; i++)
		free(c->mapped[i].path);
	for (size_t i = 0; i < c->n_shms; i++) {
		if (c->shms[i].copy != NULL)
			(void)munmap(c->shms[i].copy, c->shms[i].len);
		free(c->shms[i].have);
		free(c->shms[i].name);
		scope_close(&c->shms[i].source);
	}
	free(c->mapped);
	free(c->shms);
	free(c->unforked);
	c->mapped = NULL;
	c->shms = NULL;
	c->unforked = NULL;
	c->n_mapped = c->n_shms = c->n_unforked = 0;
}

static int
read_maps(int dirfd, const char *path, bool smaps, struct memory *m)
{
	autobuf struct buf b = BUF_INIT(MAPS_MAX);
	int r;

	r = io_read_file(dirfd, path, &b);
	return r < 0 ? r : memory_parse(m, (char *)b.data, smaps);
}

/* ---- kinds ---- */

static bool
starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool
is_deleted(const char *path)
{
	size_t len = strlen(path);

	return len > 10 && strcmp(path + len - 10, " (deleted)") == 0;
}

/* Why a mapping cannot be saved, or NULL. */
static const char *
unsupported(const struct vma *v)
{
	if (starts(v->path, "/SYSV"))
		return "System V shared memory";
	if (starts(v->path, "/anon_hugepage") || (v->flags & VMA_F_HUGETLB))
		return "explicit huge pages (hugetlbfs)";
	if (starts(v->path, "/[aio]"))
		return "kernel AIO rings (io_setup)";
	if (starts(v->path, "anon_inode:[io_uring]"))
		return "an io_uring";
	if (starts(v->path, "anon_inode:"))
		return v->path;
	if (v->flags & VMA_F_IO)
		return "device memory";
	if (v->flags & VMA_F_UFFD)
		return "memory watched by userfaultfd";
	if (starts(v->path, "/dev/") && !starts(v->path, "/dev/zero") &&
	    !starts(v->path, "/dev/shm/"))
		return v->path;
	return NULL;
}

static bool
is_nameless_shm(const char *path)
{
	return starts(path, "/dev/zero") || starts(path, "/memfd:") ||
	    starts(path, "[anon_shmem:") || path[0] == '\0';
}

/* True when PATH still leads to the very file that is mapped. */
static bool
file_is_there(const struct vma *v)
{
	struct stat st;

	return stat(v->path, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_ino == v->ino;
}

static void
classify(struct vma *v)
{
	if (v->path[0] == '[' && !v->shared) {
		if (strcmp(v->path, "[vsyscall]") == 0)
			v->kind = VMA_SKIP;
		else if (starts(v->path, "[vvar") ||
		    strcmp(v->path, "[vdso]") == 0)
			v->kind = VMA_KERNEL;
		else
			v->kind = VMA_ANON;
	} else if (v->ino == 0 && !v->shared) {
		v->kind = VMA_ANON;
	} else if (is_nameless_shm(v->path)) {
		v->kind = v->shared ? VMA_SHM : VMA_ANON;
		v->all = !v->shared;
	} else if (is_deleted(v->path) || !file_is_there(v)) {
		v->kind = v->shared ? VMA_SHM : VMA_ANON;
		v->all = !v->shared;
	} else {
		v->kind = VMA_FILE;
	}
}

static int
mapped_id(struct ckpt *c, const char *path, uint64_t dev, uint64_t ino,
    bool writable, uint64_t *ret_id)
{
	void *p;

	for (size_t i = 0; i < c->n_mapped; i++)
		if (c->mapped[i].ino == ino && c->mapped[i].dev == dev &&
		    strcmp(c->mapped[i].path, path) == 0) {
			c->mapped[i].writable |= writable;
			*ret_id = i + 1;
			return 0;
		}
	p = reallocarray(c->mapped, c->n_mapped + 1, sizeof *c->mapped);
	if (p == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	c->mapped = p;
	c->mapped[c->n_mapped] = (struct mapped){ .path = strdup(path),
		.dev = dev,
		.ino = ino,
		.writable = writable,
		.fd = -1 };
	if (c->mapped[c->n_mapped].path == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	*ret_id = ++c->n_mapped;
	return 0;
}

int
memory_shared_id(struct ckpt *c, uint64_t dev, uint64_t ino, uint64_t len,
    uint64_t *ret_id)
{
	void *p;

	len = (len + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
	for (size_t i = 0; i < c->n_shms; i++)
		if (c->shms[i].ino == ino && c->shms[i].dev == dev) {
			if (c->shms[i].len < len)
				c->shms[i].len = len;
			*ret_id = i + 1;
			return 0;
		}
	p = reallocarray(c->shms, c->n_shms + 1, sizeof *c->shms);
	if (p == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	c->shms = p;
	c->shms[c->n_shms] = (struct shm){ .dev = dev,
		.ino = ino,
		.len = len,
		.fd = -1,
		.source = -1 };
	*ret_id = ++c->n_shms;
	return 0;
}

/* ---- check ---- */

static int
remember_unforked(struct ckpt *c, const struct task *t, const struct vma *v)
{
	void *p;

	p = reallocarray(c->unforked, c->n_unforked + 1, sizeof *c->unforked);
	if (p == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	c->unforked = p;
	c->unforked[c->n_unforked++] = (struct unforked){ .pid = t->pid,
		.start = v->start,
		.end = v->end,
		.flags = v->flags };
	return 0;
}

static int
compare_unforked(const void *va, const void *vb)
{
	const struct unforked *a = va, *b = vb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

void
memory_checked(struct ckpt *c)
{
	if (c->n_unforked > 0)
		qsort(c->unforked, c->n_unforked, sizeof *c->unforked,
		    compare_unforked);
}

int
memory_check(struct ckpt *c, struct task *t)
{
	struct memory m = { .vmas = NULL };
	char path[64];
	int r;

	(void)snprintf(path, sizeof path, "/proc/%d/smaps", t->pid);
	r = read_maps(AT_FDCWD, path, true, &m);
	if (r == -ESRCH || r == -ENOENT ||
	    (r == -EACCES && procfs_is_ending(t->pid))) {
		free_vmas(&m);
		return 0;
	}
	if (r < 0) {
		free_vmas(&m);
		return obstacle(c, t,
		    "its memory cannot be read (%s): "
		    "it belongs to somebody else or protects itself; end it "
		    "before the save",
		    strerror(-r));
	}
	for (size_t i = 0; r >= 0 && i < m.n_vmas; i++) {
		const struct vma *v = &m.vmas[i];
		const char *why;

		if (v->path[0] == '[' && starts(v->path, "[v"))
			continue;
		why = unsupported(v);
		if (why != NULL)
			r = obstacle(c, t,
			    "it maps %s, which cannot be "
			    "saved: end it before the save",
			    why);
		if (r >= 0 &&
		    (v->flags &
			(VMA_F_DONTFORK | VMA_F_WIPEONFORK | VMA_F_LOCKED)))
			r = remember_unforked(c, t, v);
	}
	free_vmas(&m);
	return r;
}

/* ---- collect ---- */

/* Do orphans below T become its children? */
static int
ask_subreaper(struct ckpt *c, struct task *t)
{
	int subreaper = 0;
	raddr where = tracee_put(&t->area, &subreaper, sizeof subreaper);
	int64_t val;

	val = task_must(c, t, "asking for its settings", SYS_prctl,
	    PR_GET_CHILD_SUBREAPER, where, 0, 0, 0, 0);
	if (val < 0)
		return (int)val;
	val = tracee_read(&t->area, where, &subreaper, sizeof subreaper,
	    c->err);
	t->subreaper = subreaper != 0;
	return (int)val;
}

static int
read_numbers(struct ckpt *c, struct task *t)
{
	struct memory *m = t->mem;
	struct procfs_stat st;
	autobuf struct buf b = BUF_INIT(sizeof m->auxv + 1);
	char path[64];
	int64_t brk;
	int r;

	r = procfs_stat(t->pid, &st);
	if (r < 0)
		return err_num(c->err, r, "reading /proc/%d/stat", t->pid);
	img__mm__init(&m->rec);
	m->rec.start_code = st.start_code;
	m->rec.end_code = st.end_code;
	m->rec.start_data = st.start_data;
	m->rec.end_data = st.end_data;
	m->rec.start_brk = st.start_brk;
	m->rec.start_stack = st.start_stack;
	m->rec.arg_start = st.arg_start;
	m->rec.arg_end = st.arg_end;
	m->rec.env_start = st.env_start;
	m->rec.env_end = st.env_end;
	brk = task_must(c, t, "asking for the break", SYS_brk, 0, 0, 0, 0, 0,
	    0);
	if (brk < 0)
		return (int)brk;
	m->rec.brk = (uint64_t)brk;
	r = ask_subreaper(c, t);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof path, "/proc/%d/auxv", t->pid);
	r = io_read_file(AT_FDCWD, path, &b);
	if (r < 0)
		return err_num(c->err, r, "reading %s", path);
	memcpy(m->auxv, b.data, b.len);
	m->rec.auxv.data = m->auxv;
	m->rec.auxv.len = b.len;
	return 0;
}

static int
read_exe(struct ckpt *c, struct task *t)
{
	char link[64], path[4096];
	struct stat st;
	ssize_t n;

	(void)snprintf(link, sizeof link, "/proc/%d/exe", t->pid);
	n = readlink(link, path, sizeof path - 1);
	if (n < 0 || stat(link, &st) < 0)
		return err_sys(c->err, "reading %s", link);
	path[n] = '\0';
	if (is_deleted(path))
		path[n - 10] = '\0';
	t->mem->exe_path = strdup(path);
	return mapped_id(c, path, st.st_dev, st.st_ino, false, &t->mem->exe);
}

/* Copy the content of V, of which a snapshot would show nothing. */
static int
copy_vma(struct ckpt *c, struct task *t, struct vma *v)
{
	size_t len = v->end - v->start;

	v->copy = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v->copy == MAP_FAILED) {
		v->copy = NULL;
		return err_sys(c->err, "copying %zu bytes of memory", len);
	}
	return tracee_read(&t->area, v->start, v->copy, len, c->err);
}

static const struct unforked *
find_unforked(const struct ckpt *c, const struct task *t, const struct vma *v)
{
	const struct unforked key = { .pid = t->pid, .start = v->start };

	return c->n_unforked == 0 ? NULL :
				    bsearch(&key, c->unforked, c->n_unforked,
					sizeof key, compare_unforked);
}

/*
 * Cut our own work area out of V: the kernel may have merged its data with a
 * mapping of the program beside it. Code and data lie together, and differ
 * in protection, so that V can reach beyond the area on one side only.
 */
static void
cut_area(const struct task *t, struct vma *v)
{
	uint64_t from = t->area.code < t->area.data ? t->area.code :
						      t->area.data;
	uint64_t to = t->area.data + t->area.data_len;

	if (t->area.code + IMAGE_PAGE > to)
		to = t->area.code + IMAGE_PAGE;
	if (t->area.code == 0 || v->end <= from || v->start >= to)
		return;
	if (v->start < from)
		v->end = from;
	else if (v->end > to)
		v->start = to;
	else
		v->kind = VMA_SKIP;
}

static int
collect_vma(struct ckpt *c, struct task *t, struct vma *v)
{
	const struct unforked *u;
	int r = 0;

	cut_area(t, v);
	if (v->kind == VMA_SKIP)
		return 0;
	classify(v);
	if (unsupported(v) != NULL && v->kind != VMA_KERNEL &&
	    v->kind != VMA_SKIP)
		return obstacle(c, t, "it maps %s, which cannot be saved",
		    unsupported(v));
	if (v->kind == VMA_KERNEL) {
		if (t->mem->vdso == 0)
			t->mem->vdso = v->start;
		t->mem->vdso_end = v->end;
	} else if (v->kind == VMA_FILE) {
		r = mapped_id(c, v->path, v->dev, v->ino,
		    v->shared && (v->prot & PROT_WRITE), &v->object);
	} else if (v->kind == VMA_SHM) {
		r = memory_shared_id(c, v->dev, v->ino,
		    v->offset + (v->end - v->start), &v->object);
	}
	u = find_unforked(c, t, v);
	if (u != NULL && u->end == v->end)
		v->flags |= u->flags;
	if (r >= 0 && v->kind == VMA_ANON && !v->shared &&
	    (v->flags & (VMA_F_DONTFORK | VMA_F_WIPEONFORK)))
		r = copy_vma(c, t, v);
	return r;
}

int
memory_collect(struct ckpt *c, struct task *t)
{
	char path[64];
	int r;

	t->mem = calloc(1, sizeof *t->mem);
	if (t->mem == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	(void)snprintf(path, sizeof path, "/proc/%d/maps", t->pid);
	r = read_maps(AT_FDCWD, path, false, t->mem);
	if (r < 0)
		return err_num(c->err, r, "reading %s", path);
	for (size_t i = 0; r >= 0 && i < t->mem->n_vmas; i++)
		r = collect_vma(c, t, &t->mem->vmas[i]);
	if (r >= 0)
		r = read_numbers(c, t);
	if (r >= 0)
		r = read_exe(c, t);
	return r;
}
