/*
 * files_table.c - see files_table.h.
 */
#include "ckpt/files/files_table.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/scope.h"

#define FD_MAX (1u << 30) /* numbers beyond are nonsense */

int
fd_table_new(struct files *fs, pid_t vpid, struct fd_table **ret_tab)
{
	void *p;

	p = reallocarray(fs->tables, fs->n_tables + 1, sizeof *fs->tables);
	if (p == NULL)
		return -ENOMEM;
	fs->tables = p;
	fs->tables[fs->n_tables] = (struct fd_table){ .vpid = vpid };
	*ret_tab = &fs->tables[fs->n_tables++];
	return 0;
}

int
fd_table_add(struct fd_table *tab, int fd, uint64_t file, bool cloexec)
{
	int r;

	r = array_room(&tab->fds, tab->n, &tab->cap);
	if (r < 0)
		return r;
	img__fd__init(&tab->fds[tab->n]);
	tab->fds[tab->n].fd = (uint32_t)fd;
	tab->fds[tab->n].file = file;
	tab->fds[tab->n].cloexec = cloexec;
	tab->n++;
	return 0;
}

int
fd_table_lock(struct fd_table *tab, const Img__FileLock *lock)
{
	int r;

	r = array_room(&tab->locks, tab->n_locks, &tab->cap_locks);
	if (r >= 0)
		tab->locks[tab->n_locks++] = *lock;
	return r;
}

const Img__Fd *
fd_table_find(const struct fd_table *tab, int fd)
{
	size_t lo = 0, hi = tab->loaded != NULL ? tab->loaded->n_fds : tab->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const Img__Fd *m = tab->loaded != NULL ? tab->loaded->fds[mid] :
							 &tab->fds[mid];

		if ((int)m->fd == fd)
			return m;
		if ((int)m->fd < fd)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int
put(struct ckpt *c, const struct fd_table *tab)
{
	Img__Files m = IMG__FILES__INIT;
	autofree Img__Fd **fds = NULL;
	autofree Img__FileLock **locks = NULL;

	fds = calloc(tab->n + 1, sizeof *fds);
	locks = calloc(tab->n_locks + 1, sizeof *locks);
	if (fds == NULL || locks == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < tab->n; i++)
		fds[i] = &tab->fds[i];
	for (size_t i = 0; i < tab->n_locks; i++)
		locks[i] = &tab->locks[i];
	m.fds = fds;
	m.n_fds = tab->n;
	m.locks = locks;
	m.n_locks = tab->n_locks;
	return record_put(c, IMG_FILES, (uint64_t)tab->vpid, &m.base);
}

int
fd_tables_put(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->files->n_tables; i++)
		r = put(c, &c->files->tables[i]);
	return r;
}

/* Every number once, every description known. */
static int
check(struct ckpt *c, const struct fd_table *tab)
{
	int64_t last = -1;

	for (size_t i = 0; i < tab->loaded->n_fds; i++) {
		const Img__Fd *m = tab->loaded->fds[i];

		if (m->fd > FD_MAX || m->fd <= last || m->file == 0 ||
		    m->file > c->files->n)
			return err_set(c->err, -EBADMSG,
			    "the image's "
			    "descriptors of process %d make no sense",
			    tab->vpid);
		last = m->fd;
		c->files->v[m->file - 1]->n_left++;
	}
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	const Img__Fd *x = *(Img__Fd *const *)a, *y = *(Img__Fd *const *)b;

	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

int
fd_tables_load(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < image_count(c->img, IMG_FILES); i++) {
		struct fd_table *tab;
		Img__Files *m;
		uint64_t id;

		m = image_get(c->img, IMG_FILES, i, &img__files__descriptor,
		    &id, c->err);
		if (m == NULL)
			return -EBADMSG;
		r = fd_table_new(c->files, (pid_t)id, &tab);
		if (r < 0) {
			img__files__free_unpacked(m, NULL);
			return err_num(c->err, r, "loading descriptors");
		}
		tab->loaded = m;
		if (m->n_fds > 0)
			qsort(m->fds, m->n_fds, sizeof m->fds[0], by_number);
		r = check(c, tab);
	}
	return r;
}

void
fd_tables_free(struct files *fs)
{
	for (size_t i = 0; i < fs->n_tables; i++) {
		free(fs->tables[i].fds);
		free(fs->tables[i].locks);
		if (fs->tables[i].loaded != NULL)
			img__files__free_unpacked(fs->tables[i].loaded, NULL);
	}
	free(fs->tables);
	fs->tables = NULL;
	fs->n_tables = 0;
}

const struct fd_table *
fd_table_holder(const struct files *fs, const struct file *f, int *ret_fd)
{
	for (size_t i = 0; i < fs->n_tables; i++) {
		const Img__Files *m = fs->tables[i].loaded;

		for (size_t k = 0; m != NULL && k < m->n_fds; k++)
			if (m->fds[k]->file == f->id) {
				*ret_fd = (int)m->fds[k]->fd;
				return &fs->tables[i];
			}
	}
	return NULL;
}
