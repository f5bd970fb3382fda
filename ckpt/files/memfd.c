/*
 * memfd.c - memfd_create(2): memory with a descriptor. What is in it is an
 * object beside the other shared memory (ckpt/memory): it may be mapped as
 * well, and several descriptions may lead to it. Seals that forbid what a
 * revival has to do are set when that is done (mapping_seal()).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ckpt/files/files.h"
#include "ckpt/memory/mapping.h"
#include "ckpt/memory/memory.h"

#define PREFIX "/memfd:"
#define DELETED " (deleted)"
#define HUGETLBFS_MAGIC 0x958458f6 /* linux/magic.h */

static bool
memfd_match(const struct file *f)
{
	return S_ISREG(f->st.st_mode) &&
	    strncmp(f->link, PREFIX, strlen(PREFIX)) == 0;
}

static int
memfd_check(struct ckpt *c, struct file *f)
{
	struct statfs fs;
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", f->task->pid,
	    f->fd);
	if (statfs(path, &fs) < 0 || fs.f_type != HUGETLBFS_MAGIC)
		return 0;
	return obstacle(c, f->task,
	    "descriptor %d is a memfd of explicit huge pages, which cannot "
	    "be saved: close it or end the program",
	    f->fd);
}

/* Between "/memfd:" and " (deleted)". */
static char *
name_of(const struct file *f)
{
	const char *name = f->link + strlen(PREFIX);
	size_t len = strlen(name), tail = strlen(DELETED);

	if (len >= tail && strcmp(name + len - tail, DELETED) == 0)
		len -= tail;
	return strndup(name, len);
}

/* The first that leads to object S tells of it. */
static int
describe(struct ckpt *c, const struct file *f, struct shm *s)
{
	int seals;

	s->source = file_reopen(f, O_RDONLY);
	if (s->source < 0)
		return err_num(c->err, s->source,
		    "%s (pid %d): reading the memfd of descriptor %d",
		    f->task->comm, f->task->pid, f->fd);
	s->name = name_of(f);
	if (s->name == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	seals = fcntl(s->source, F_GET_SEALS);
	s->seals = seals > 0 ? (uint32_t)seals : 0;
	s->mode = f->st.st_mode & 07777;
	s->size = (uint64_t)f->st.st_size;
	return 0;
}

static int
memfd_save(struct ckpt *c, struct file *f)
{
	Img__Memfd *m = malloc(sizeof *m);
	int r;

	if (m == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->extra = m;
	f->rec.memfd = m;
	img__memfd__init(m);
	r = memfd_check(c, f);
	if (r >= 0)
		r = memory_shared_id(c, f->st.st_dev, f->st.st_ino,
		    (uint64_t)f->st.st_size, &m->shm);
	if (r >= 0 && c->shms[m->shm - 1].source < 0)
		r = describe(c, f, &c->shms[m->shm - 1]);
	return r;
}

static int
memfd_plan(struct ckpt *c, struct file *f)
{
	const Img__Memfd *m = f->m->memfd;

	return m == NULL || m->shm == 0 || m->shm > c->n_shms ?
	    image_damaged(c, "a memfd") :
	    0;
}

static int
memfd_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	char path[64];
	int r;

	r = mapping_open_shm(c, f->m->memfd->shm);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d",
	    c->shms[f->m->memfd->shm - 1].fd);
	*ret_fd = open(path, file_open_flags(f) & ~O_NOFOLLOW);
	if (*ret_fd < 0)
		return err_sys(c->err, "opening a memfd");
	(void)lseek(*ret_fd, (off_t)f->m->pos, SEEK_SET);
	return 0;
}

const struct file_kind kind_memfd = {
	.name = "memfd",
	.match = memfd_match,
	.check = memfd_check,
	.save = memfd_save,
	.plan = memfd_plan,
	.open = memfd_open,
};
