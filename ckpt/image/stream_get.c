/*
 * stream_get.c - receiving a snapshot, see stream.h. All that comes is input:
 * each length is held against what the head of the stream has left before a
 * byte of it is read, and where the image does not agree with the parts that
 * follow it the stream is refused.
 *
 * The image's temporary file is made first: while it is there nothing is
 * removed from objects/ (objects.h).
 */
#include "ckpt/image/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/image/objects_dir.h"
#include "ckpt/image/objects_of.h"
#include "ckpt/image/store.h"
#include "ckpt/image/stream_format.h"

#define BLOCK (1u << 20)
#define GENERATION_MAX UINT64_C(999999999999999999) /* store.c */
#define MIB (UINT64_C(1) << 20)

/* What is received. */
struct receiver {
	const struct stream_end *from;
	XXH3_state_t *hash; /* owned */
	uint8_t *block;     /* two of BLOCK; owned */
	uint64_t len;       /* bytes read */
	uint64_t left;      /* bytes that may still be read */
	uint64_t n_parts;
	int dirfd; /* of the session */
	int objfd; /* objects/, locked; -1 */
	struct temp image;
	struct image *img; /* open on it; owned */
	struct object_ids ids;
	struct temp *objects; /* one for each id; empty: it is here; owned */
	size_t n_kept;        /* of them, those that have their name */
};

static void
receiver_done(struct receiver *v)
{
	for (size_t i = 0; v->objects != NULL && i < v->ids.n; i++)
		temp_done(&v->objects[i]);
	free(v->objects);
	object_ids_done(&v->ids);
	image_close(v->img);
	temp_done(&v->image);
	scope_close(&v->objfd);
	scope_close(&v->dirfd);
	(void)XXH3_freeState(v->hash);
	free(v->block);
}

static int
damaged(const char *what, struct err *e)
{
	return err_set(e, -EBADMSG,
	    "what was sent is damaged (%s): nothing of it was kept", what);
}

/* ---- bytes ---- */

/* Some bytes, at most CAP; 0 at the end. */
static ssize_t
read_some(struct receiver *v, uint8_t *data, size_t cap, struct err *e)
{
	struct pollfd fds[] = {
		{ .fd = v->from->fd, .events = POLLIN },
		{ .fd = v->from->stop_fd, .events = POLLIN },
	};
	ssize_t n;
	int r;

	r = FAULT("stream.get", e);
	if (r < 0)
		return r;
	do {
		(void)poll(fds, N_ELEMENTS(fds), -1);
		if (fds[1].revents != 0)
			return err_set(e, -ECANCELED,
			    "interrupted: nothing was kept");
		n = read(v->from->fd, data, cap);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n < 0 ? err_sys(e, "reading the snapshot") : n;
}

/* Exactly LEN bytes, without counting them into the checksum. */
static int
get_raw(struct receiver *v, uint8_t *data, size_t len, struct err *e)
{
	ssize_t n;

	if (len > v->left)
		return damaged("its length", e);
	for (; len > 0; data += n, len -= (size_t)n) {
		n = read_some(v, data, len, e);
		if (n < 0)
			return (int)n;
		if (n == 0 && v->len == 0)
			return err_set(e, -ENODATA,
			    "no snapshot was sent: the input is empty");
		if (n == 0)
			return err_set(e, -ENODATA,
			    "the snapshot was cut off after %" PRIu64
			    " bytes: nothing of it was kept",
			    v->len);
		v->len += (uint64_t)n;
		v->left -= (uint64_t)n;
	}
	return 0;
}

static int
get(struct receiver *v, uint8_t *data, size_t len, struct err *e)
{
	int r = get_raw(v, data, len, e);

	if (r == 0)
		(void)XXH3_128bits_update(v->hash, data, len);
	return r;
}

/* Behind a part: the checksum of all before. */
static int
get_seal(struct receiver *v, struct err *e)
{
	XXH128_canonical_t is;
	uint8_t seal[PART_SEAL_SIZE];
	int r;

	XXH128_canonicalFromHash(&is, XXH3_128bits_digest(v->hash));
	r = get(v, seal, sizeof seal, e);
	if (r == 0 && memcmp(seal, is.digest, sizeof seal) != 0)
		return damaged("checksum", e);
	return r;
}

/* Nothing may follow. */
static int
get_end(struct receiver *v, struct err *e)
{
	ssize_t n = read_some(v, v->block, 1, e);

	return n > 0 ? damaged("something follows it", e) : (int)n;
}

static int
get_head(struct receiver *v, struct err *e)
{
	uint8_t h[STREAM_HEAD_SIZE];
	char machine[17] = { 0 };
	int r;

	v->left = sizeof h;
	r = get(v, h, sizeof h, e);
	if (r < 0)
		return r;
	if (memcmp(h + STREAM_MAGIC_AT, STREAM_MAGIC, 8) != 0)
		return err_set(e, -EBADMSG,
		    "this is no snapshot as sess -save -o writes it");
	if (get_u64(h + STREAM_HEAD_HASH) != XXH3_64bits(h, STREAM_HEAD_HASH))
		return damaged("header", e);
	if (get_u16(h + STREAM_MAJOR_AT) != STREAM_MAJOR ||
	    get_u32(h + STREAM_HEAD_LEN) != STREAM_HEAD_SIZE ||
	    get_u64(h + STREAM_FLAGS) != 0)
		return err_set(e, -ENOTSUP,
		    "the snapshot was sent by a newer sess (format %u.%u): "
		    "update sess here",
		    get_u16(h + STREAM_MAJOR_AT), get_u16(h + STREAM_MINOR_AT));
	memcpy(machine, h + STREAM_MACHINE, 16);
	if (strcmp(machine, IMAGE_MACHINE) != 0)
		return err_set(e, -ENOEXEC,
		    "the snapshot is of a machine of another kind (%s, this "
		    "is %s)",
		    machine, IMAGE_MACHINE);
	v->n_parts = get_u64(h + STREAM_N_PARTS);
	if (v->n_parts == 0 || v->n_parts > STREAM_PARTS_MAX ||
	    get_u64(h + STREAM_LEN) < sizeof h + PART_OVERHEAD)
		return damaged("header", e);
	v->left = get_u64(h + STREAM_LEN) - sizeof h;
	return 0;
}

/* The head of a part of KIND; its content and seal are still to come. */
static int
get_part(struct receiver *v, enum stream_kind kind, struct object_id *ret_id,
    struct err *e)
{
	uint8_t head[PART_HEAD_SIZE];
	int r;

	r = get(v, head, sizeof head, e);
	if (r < 0)
		return r;
	*ret_id = (struct object_id){ get_u64(head + PART_A),
		get_u64(head + PART_B), get_u64(head + PART_SIZE) };
	if (get_u32(head + PART_KIND) != kind || v->left < PART_SEAL_SIZE ||
	    ret_id->size > v->left - PART_SEAL_SIZE)
		return damaged("the head of a part", e);
	return 0;
}

/* LEN bytes into FD. */
static int
get_file(struct receiver *v, int fd, uint64_t len, struct err *e)
{
	size_t n;
	int r = 0;

	for (; r == 0 && len > 0; len -= n) {
		n = len < BLOCK ? (size_t)len : BLOCK;
		r = get(v, v->block, n, e);
		if (r < 0)
			return r;
		r = io_write(fd, v->block, n);
		if (r < 0)
			return err_num(e, r,
			    "keeping the snapshot (nothing is left of it)");
	}
	return r;
}

/* LEN bytes that must be those of FD. */
static int
get_same(struct receiver *v, int fd, uint64_t len, struct err *e)
{
	uint64_t off = 0;
	size_t n;
	int r = 0;

	for (; r == 0 && off < len; off += n) {
		n = len - off < BLOCK ? (size_t)(len - off) : BLOCK;
		r = get(v, v->block, n, e);
		if (r < 0)
			return r;
		r = io_pread(fd, v->block + BLOCK, n, off);
		if (r < 0)
			return err_num(e, r, "comparing a kept copy");
		if (memcmp(v->block, v->block + BLOCK, n) != 0)
			return damaged("a program's file", e);
	}
	return r;
}

/* ---- the image ---- */

static int
check_space(int dirfd, uint64_t len, struct err *e)
{
	struct statvfs st;
	uint64_t room;

	if (fstatvfs(dirfd, &st) < 0)
		return 0; /* writing will tell */
	room = (uint64_t)st.f_bavail * st.f_frsize;
	if (len <= room)
		return 0;
	return err_set(e, -ENOSPC,
	    "the snapshot takes %" PRIu64 " MiB, and %" PRIu64
	    " MiB are free: nothing of it was kept",
	    len / MIB + 1, room / MIB);
}

static int
get_image(struct receiver *v, struct err *e)
{
	struct object_id id;
	int r;

	r = get_part(v, STREAM_IMAGE, &id, e);
	if (r == 0)
		r = check_space(v->dirfd, id.size, e);
	if (r < 0)
		return r;
	r = temp_create(v->dirfd, 0600, &v->image);
	if (r < 0)
		return err_num(e, r, "keeping the snapshot");
	r = get_file(v, v->image.fd, id.size, e);
	if (r == 0)
		r = get_seal(v, e);
	if (r == 0)
		r = image_open_fd(v->image.fd, "the snapshot that was sent",
		    &v->img, e);
	if (r == 0)
		r = image_verify_pages(v->img, e);
	if (r < 0)
		return r;
	if (id.hash_hi != image_generation(v->img) || id.hash_hi == 0 ||
	    id.hash_hi > GENERATION_MAX)
		return damaged("generation", e);
	if (image_count(v->img, IMG_PARENT) > 0)
		return damaged("it needs another snapshot", e);
	return 0;
}

/* ---- the objects ---- */

/* What is announced is what the image lists, to the byte. */
static int
check_parts(const struct receiver *v, uint64_t *ret_missing, struct err *e)
{
	uint64_t left = v->left;

	if (v->n_parts - 1 != v->ids.n)
		return damaged("number of parts", e);
	*ret_missing = 0;
	for (size_t i = 0; i < v->ids.n; i++) {
		autoclose int fd = -1;

		if (left < PART_OVERHEAD ||
		    v->ids.v[i].size > left - PART_OVERHEAD)
			return damaged("its length", e);
		left -= PART_OVERHEAD + v->ids.v[i].size;
		if (object_open(v->objfd, &v->ids.v[i], &fd, NULL) < 0)
			*ret_missing += v->ids.v[i].size;
	}
	return left > 0 ? damaged("its length", e) : 0;
}

/* Is a copy of ID kept here, undamaged? Its descriptor if RET_FD. */
static bool
is_here(const struct receiver *v, const struct object_id *id, int *ret_fd)
{
	autoclose int fd = -1;

	if (object_open(v->objfd, id, &fd, NULL) < 0 ||
	    objects_verify(fd, id, NULL) < 0)
		return false;
	if (ret_fd != NULL)
		*ret_fd = TAKE_FD(fd);
	return true;
}

static int
get_object(struct receiver *v, size_t i, struct err *e)
{
	const struct object_id *want = &v->ids.v[i];
	autoclose int fd = -1;
	struct object_id id;
	int r;

	r = get_part(v, STREAM_OBJECT, &id, e);
	if (r < 0)
		return r;
	if (object_cmp(&id, want) != 0)
		return damaged("a program's file", e);
	if (is_here(v, want, &fd)) {
		r = get_same(v, fd, want->size, e);
		return r < 0 ? r : get_seal(v, e);
	}
	r = temp_create(v->objfd, OBJECT_MODE, &v->objects[i]);
	if (r < 0)
		return err_num(e, r, "keeping a copy of a program's file");
	r = get_file(v, v->objects[i].fd, want->size, e);
	if (r == 0)
		r = get_seal(v, e);
	if (r == 0 && objects_verify(v->objects[i].fd, want, NULL) < 0)
		return damaged("a program's file", e);
	return r;
}

static int
get_objects(struct receiver *v, int saved_dirfd, struct err *e)
{
	uint64_t missing = 0;
	int r;

	r = object_ids_of(v->img, &v->ids, e);
	if (r == 0)
		r = objects_lock(saved_dirfd, LOCK_SH, &v->objfd, e);
	if (r == 0)
		r = check_parts(v, &missing, e);
	if (r == 0)
		r = check_space(v->objfd, missing, e);
	if (r < 0)
		return r;
	v->objects = calloc(v->ids.n + 1, sizeof *v->objects);
	if (v->objects == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < v->ids.n; i++)
		v->objects[i] = TEMP_NONE;
	for (size_t i = 0; r == 0 && i < v->ids.n; i++)
		r = get_object(v, i, e);
	return r;
}

/* ---- names ---- */

/* All of it is here and right: first the objects, last the image. */
static int
keep(struct receiver *v, struct err *e)
{
	char name[OBJECT_NAME_CAP], file[IMAGE_NAME_MAX];
	int r;

	for (size_t i = 0; i < v->ids.n; i++) {
		if (v->objects[i].fd < 0)
			continue;
		r = FAULT("stream.keep", e);
		if (r < 0)
			return r;
		object_name(&v->ids.v[i], name);
		if (!is_here(v, &v->ids.v[i], NULL)) /* damaged */
			(void)unlinkat(v->objfd, name, 0);
		r = temp_commit(&v->objects[i], name);
		if (r < 0 && r != -EEXIST)
			return err_num(e, r,
			    "keeping a copy of a program's file");
		v->n_kept++;
	}
	r = FAULT("stream.name", e);
	if (r < 0)
		return r;
	image_name(image_generation(v->img), file);
	r = temp_commit(&v->image, file);
	if (r == -EEXIST)
		return err_set(e, r, "there is a snapshot of that name");
	return r < 0 ? err_num(e, r, "keeping the snapshot") : 0;
}

static int
receive(struct receiver *v, int saved_dirfd,
    int (*fits)(struct image *img, struct err *e), struct err *e)
{
	int r;

	v->hash = XXH3_createState();
	v->block = malloc(2 * (size_t)BLOCK);
	if (v->hash == NULL || v->block == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	(void)XXH3_128bits_reset(v->hash);
	r = get_head(v, e);
	if (r == 0)
		r = get_image(v, e);
	if (r == 0 && fits != NULL)
		r = fits(v->img, e);
	if (r == 0)
		r = get_objects(v, saved_dirfd, e);
	if (r == 0)
		r = get_end(v, e);
	return r < 0 ? r : keep(v, e);
}

int
stream_get(int saved_dirfd, const char *name, const struct stream_end *from,
    int (*fits)(struct image *img, struct err *e), uint64_t *ret_generation,
    struct err *e)
{
	struct receiver v = { .from = from,
		.dirfd = -1,
		.objfd = -1,
		.image = TEMP_NONE };
	bool some;
	int r;

	r = store_open(saved_dirfd, name, true, &v.dirfd, e);
	if (r < 0)
		return r;
	r = receive(&v, saved_dirfd, fits, e);
	if (r == 0)
		*ret_generation = image_generation(v.img);
	some = v.n_kept > 0;
	receiver_done(&v);
	if (r < 0) {
		if (some)
			(void)objects_gc(saved_dirfd, NULL);
		store_tidy(saved_dirfd, name);
	}
	return r;
}

int
stream_find_image(int fd, uint64_t *ret_off, uint64_t *ret_len)
{
	uint8_t h[STREAM_HEAD_SIZE + PART_HEAD_SIZE];
	const uint8_t *part = h + STREAM_HEAD_SIZE;

	if (io_pread(fd, h, sizeof h, 0) < 0 ||
	    memcmp(h + STREAM_MAGIC_AT, STREAM_MAGIC, 8) != 0 ||
	    get_u64(h + STREAM_HEAD_HASH) != XXH3_64bits(h, STREAM_HEAD_HASH) ||
	    get_u16(h + STREAM_MAJOR_AT) != STREAM_MAJOR ||
	    get_u32(part + PART_KIND) != STREAM_IMAGE ||
	    get_u64(part + PART_SIZE) == 0 ||
	    get_u64(part + PART_SIZE) > INT64_MAX / 2)
		return -EBADMSG;
	*ret_off = sizeof h;
	*ret_len = get_u64(part + PART_SIZE);
	return 0;
}
