/*
 * objects.c - see objects.h.
 *
 * objects/ holds <32 hex digits>-<size>, mode 0500 (a program's file must be
 * executable to be mapped as such and to become /proc/PID/exe), and "cache"
 * (objects_cache.h). A flock(2) on the directory, shared while something is
 * put, exclusive while things are removed, keeps the two apart.
 *
 * XXH3 is no defence against somebody who makes two files of one checksum,
 * and a mapped file may be somebody else's: when a content seems to be there
 * already the two are compared.
 */
#include "ckpt/image/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <xxhash.h>

#include "base/buf.h"
#include "base/dir.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"
#include "ckpt/image/objects_cache.h"
#include "ckpt/image/store.h"

#define OBJECT_NAME_CAP 64
#define BLOCK (1u << 20)

/* ---- names ---- */

static void
object_name(const struct object_id *id, char ret_name[OBJECT_NAME_CAP])
{
	(void)snprintf(ret_name, OBJECT_NAME_CAP,
	    "%016" PRIx64 "%016" PRIx64 "-%" PRIu64, id->hash_hi, id->hash_lo,
	    id->size);
}

/* The reverse; false when NAME is not such a name. */
static bool
object_parse(const char *name, struct object_id *ret_id)
{
	struct object_id id;
	char hex[17] = { 0 }, is[OBJECT_NAME_CAP];

	if (strspn(name, "0123456789abcdef") != 32 || name[32] != '-')
		return false;
	memcpy(hex, name, 16);
	id.hash_hi = strtoull(hex, NULL, 16);
	memcpy(hex, name + 16, 16);
	id.hash_lo = strtoull(hex, NULL, 16);
	id.size = strtoull(name + 33, NULL, 10);
	object_name(&id, is);
	*ret_id = id;
	return strcmp(name, is) == 0;
}

static int
object_cmp(const void *va, const void *vb)
{
	const struct object_id *a = va, *b = vb;

	if (a->hash_hi != b->hash_hi)
		return a->hash_hi < b->hash_hi ? -1 : 1;
	if (a->hash_lo != b->hash_lo)
		return a->hash_lo < b->hash_lo ? -1 : 1;
	return a->size < b->size ? -1 : a->size > b->size;
}

/* Open objects/ and lock it. */
static int
objects_lock(int saved_dirfd, int how, int *ret_dirfd, struct err *e)
{
	autoclose int dirfd = -1;
	int r;

	r = dir_open(saved_dirfd, "objects", true, &dirfd, e);
	if (r < 0)
		return r;
	while (flock(dirfd, how) < 0) {
		if (errno == EINTR)
			continue;
		/* ENOLCK: no locks on this file system, for anybody. */
		if (errno == EWOULDBLOCK || (how & LOCK_EX))
			return -EAGAIN;
		break;
	}
	*ret_dirfd = TAKE_FD(dirfd);
	return 0;
}

/* ---- content ---- */

/* Up to BLOCK bytes at OFF: how many, fewer only at the end. */
static ssize_t
read_block(int fd, uint8_t *buf, uint64_t off)
{
	size_t have = 0;
	ssize_t n;

	while (have < BLOCK) {
		n = pread(fd, buf + have, BLOCK - have, (off_t)(off + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static void
free_state(XXH3_state_t **st)
{
	(void)XXH3_freeState(*st);
	*st = NULL;
}

int
objects_hash(int fd, struct object_id *ret_id, struct err *e)
{
	scoped(free_state) XXH3_state_t *st = XXH3_createState();
	autofree uint8_t *buf = malloc(BLOCK);
	XXH128_hash_t h;
	uint64_t off = 0;
	ssize_t n;

	if (st == NULL || buf == NULL)
		return err_num(e, -ENOMEM, "reading a file to be kept");
	(void)XXH3_128bits_reset(st);
	do {
		n = read_block(fd, buf, off);
		if (n < 0)
			return err_num(e, (int)n, "reading a file to be kept");
		(void)XXH3_128bits_update(st, buf, (size_t)n);
		off += (uint64_t)n;
	} while (n == BLOCK);
	h = XXH3_128bits_digest(st);
	*ret_id = (struct object_id){ h.high64, h.low64, off };
	return 0;
}

/* 1: the two files have the same content; 0: not. */
static int
same_content(int a, int b)
{
	autofree uint8_t *buf = malloc(2 * BLOCK);
	uint64_t off = 0;
	ssize_t n, m;

	if (buf == NULL)
		return -ENOMEM;
	do {
		n = read_block(a, buf, off);
		m = read_block(b, buf + BLOCK, off);
		if (n < 0 || m < 0)
			return n < 0 ? (int)n : (int)m;
		if (n != m || memcmp(buf, buf + BLOCK, (size_t)n) != 0)
			return 0;
		off += (uint64_t)n;
	} while (n == BLOCK);
	return 1;
}

/* By read(2) and write(2), from OFF to the end. */
static int
copy_rest(int from, int to, uint64_t off)
{
	autofree uint8_t *buf = malloc(BLOCK);
	ssize_t n;
	int r;

	if (buf == NULL)
		return -ENOMEM;
	do {
		n = read_block(from, buf, off);
		if (n < 0)
			return (int)n;
		r = io_pwrite(to, buf, (size_t)n, off);
		if (r < 0)
			return r;
		off += (uint64_t)n;
	} while (n == BLOCK);
	return 0;
}

/*
 * Fill empty file TO with what FROM holds: shared blocks where the file
 * system can, else by the kernel, else by hand (copy_file_range(2) refuses
 * some pairs of file systems and stops early on others).
 */
static int
copy_content(int from, int to)
{
	loff_t in = 0, out = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while (copy_file_range(from, &in, to, &out, 1u << 30, 0) > 0)
		;
	return copy_rest(from, to, (uint64_t)out);
}

/* ---- putting and opening ---- */

/* Open object NAME in objects/: ours, of the right size, unchangeable. */
static int
object_open(int dirfd, const struct object_id *id, int *ret_fd, struct err *e)
{
	char name[OBJECT_NAME_CAP];
	autofree char *path = NULL;
	autoclose int fd = -1;
	struct stat st;

	object_name(id, name);
	path = io_path(dirfd, name);
	if (path == NULL)
		return err_num(e, -ENOMEM, "%s", name);
	fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) != 0)
		return err_set(e, -EPERM,
		    "%s is not a file that only you can write", path);
	if ((uint64_t)st.st_size != id->size)
		return err_set(e, -EBADMSG, "%s is damaged (its length)", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/*
 * Is content ID, that of FD, there? 0: yes, -ENOENT: no. What stands there
 * damaged is removed.
 */
static int
object_present(int dirfd, int fd, const struct object_id *id, struct err *e)
{
	char name[OBJECT_NAME_CAP];
	autoclose int kept = -1;
	int r;

	object_name(id, name);
	r = object_open(dirfd, id, &kept, NULL);
	if (r == 0)
		r = same_content(fd, kept);
	if (r == 1)
		return 0;
	if (r == 0 && objects_verify(kept, id, NULL) == 0)
		return err_set(e, -EEXIST, "two files have the checksum %s",
		    name);
	if (r == 0 || r == -EBADMSG || r == -EPERM)
		r = unlinkat(dirfd, name, 0) < 0 ? -errno : -ENOENT;
	return r == -ENOENT ? r : err_num(e, r, "comparing %s", name);
}

/*
 * Copy FD. Its id is that of the copy, taken after the copying: a file that
 * changes meanwhile cannot make a name and a content that do not match.
 */
static int
object_copy(int dirfd, int fd, struct object_id *id, struct err *e)
{
	autotemp struct temp t = TEMP_NONE;
	char name[OBJECT_NAME_CAP];
	int r;

	r = FAULT("objects.copy", e);
	if (r < 0)
		return r;
	r = temp_create(dirfd, 0500, &t);
	if (r == 0)
		r = copy_content(fd, t.fd);
	if (r < 0)
		return err_num(e, r, "keeping a copy of a program's file");
	r = objects_hash(t.fd, id, e);
	if (r < 0)
		return r;
	object_name(id, name);
	r = temp_commit(&t, name);
	if (r < 0 && r != -EEXIST)
		return err_num(e, r, "keeping a copy of a program's file");
	return 0;
}

int
objects_put(int saved_dirfd, int fd, struct object_id *ret_id, struct err *e)
{
	autoclose int dirfd = -1, kept = -1;
	struct object_id id;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "keeping a copy of a program's file");
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL,
		    "only a regular file can be kept as a copy");
	r = objects_lock(saved_dirfd, LOCK_SH, &dirfd, e);
	if (r < 0)
		return r;
	if (objects_cache_find(dirfd, &st, ret_id) &&
	    object_open(dirfd, ret_id, &kept, NULL) == 0)
		return 0;
	r = objects_hash(fd, &id, e);
	if (r < 0)
		return r;
	r = object_present(dirfd, fd, &id, e);
	if (r == -ENOENT)
		r = object_copy(dirfd, fd, &id, e);
	if (r < 0)
		return r;
	objects_cache_put(dirfd, fd, &st, &id);
	*ret_id = id;
	return 0;
}

int
objects_open(int saved_dirfd, const struct object_id *id, int *ret_fd,
    struct err *e)
{
	autoclose int dirfd = -1;
	int r;

	r = dir_open(saved_dirfd, "objects", false, &dirfd, e);
	if (r == -ENOENT)
		return err_set(e, r, "there are no kept copies");
	if (r < 0)
		return r;
	return object_open(dirfd, id, ret_fd, e);
}

int
objects_verify(int fd, const struct object_id *id, struct err *e)
{
	char name[OBJECT_NAME_CAP];
	struct object_id is;
	int r;

	r = objects_hash(fd, &is, e);
	if (r < 0)
		return r;
	if (object_cmp(&is, id) == 0)
		return 0;
	object_name(id, name);
	return err_set(e, -EBADMSG, "kept copy %s is damaged", name);
}

/* ---- removal ---- */

/* Objects that may go, sorted; those found in use are taken out. */
struct doomed {
	struct object_id *v; /* owned */
	size_t n;
};

static int
doomed_list(int dirfd, struct doomed *ret_d, struct err *e)
{
	autobuf struct buf v = BUF_INIT(64u << 20);
	autoclosedir DIR *d = NULL;
	struct object_id id;
	struct dirent *de;
	int fd, r = 0;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "listing kept copies");
	d = fdopendir(fd);
	if (d == NULL) {
		(void)close(fd);
		return err_num(e, -ENOMEM, "listing kept copies");
	}
	while (r == 0 && (de = readdir(d)) != NULL)
		if (object_parse(de->d_name, &id))
			r = buf_put(&v, &id, sizeof id);
	if (r < 0)
		return err_num(e, r, "listing kept copies");
	ret_d->n = v.len / sizeof id;
	ret_d->v = (struct object_id *)(void *)TAKE_PTR(v.data);
	if (ret_d->n > 1)
		qsort(ret_d->v, ret_d->n, sizeof id, object_cmp);
	return 0;
}

static void
doomed_spare(struct doomed *d, const struct object_id *id)
{
	struct object_id *p = NULL;

	if (d->n > 0)
		p = bsearch(id, d->v, d->n, sizeof *id, object_cmp);
	if (p == NULL)
		return;
	d->n--;
	memmove(p, p + 1, (size_t)(d->v + d->n - p) * sizeof *p);
}

/* Take out what generation NUMBER in DIRFD refers to. */
static int
spare_image(struct doomed *d, int dirfd, uint64_t number)
{
	struct image *img;
	int r = 0;

	if (image_open(dirfd, number, &img, NULL) < 0)
		return -EBUSY;
	for (size_t i = 0; r == 0 && i < image_count(img, IMG_OBJECT); i++) {
		Img__Object *o = image_get(img, IMG_OBJECT, i,
		    &img__object__descriptor, NULL, NULL);

		if (o == NULL) {
			r = -EBUSY;
			break;
		}
		doomed_spare(d,
		    &(struct object_id){ o->hash_hi, o->hash_lo, o->size });
		img__object__free_unpacked(o, NULL);
	}
	image_close(img);
	return r;
}

/* For each session; 1 ends the search: all are in use. */
static int
spare_session(void *arg, int dirfd, const char *key, struct err *e)
{
	autofree struct ckpt_generation *v = NULL;
	struct doomed *d = arg;
	size_t n;
	int r;

	(void)key;
	if (dirfd < 0)
		return -EBUSY;
	r = store_list(dirfd, &v, &n, e);
	while (r == 0 && n > 0 && d->n > 0)
		r = spare_image(d, dirfd, v[--n].number);
	return r < 0 ? r : d->n == 0;
}

/* Is an image being written anywhere? */
static int
save_under_way(void *arg, int dirfd, const char *key, struct err *e)
{
	(void)arg;
	(void)key;
	(void)e;
	return dirfd < 0 || temp_sweep(dirfd) != 0 ? -EBUSY : 0;
}

int
objects_gc(int saved_dirfd, struct err *e)
{
	struct doomed d = { 0 };
	autofree struct object_id *all = NULL;
	char name[OBJECT_NAME_CAP];
	autoclose int dirfd = -1;
	int r;

	r = objects_lock(saved_dirfd, LOCK_EX | LOCK_NB, &dirfd, e);
	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	(void)temp_sweep(dirfd);
	r = doomed_list(dirfd, &d, e);
	all = d.v;
	if (r < 0 || d.n == 0)
		return r;
	/*
	 * In this order: an image that is finished between the two is seen
	 * by the second; one begun after the first puts nothing before we
	 * let go of the lock.
	 */
	r = store_each(saved_dirfd, save_under_way, NULL, e);
	if (r == 0)
		r = store_each(saved_dirfd, spare_session, &d, e);
	if (r != 0)
		return r == -EBUSY || r == 1 ? 0 : r;
	for (size_t i = 0; i < d.n; i++) {
		object_name(&d.v[i], name);
		(void)unlinkat(dirfd, name, 0);
	}
	return 0;
}
