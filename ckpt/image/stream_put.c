/*
 * stream_put.c - sending a snapshot, see stream.h. Everything that is sent is
 * opened or pinned first, so that a save beside it, which drops old
 * generations, cannot take anything away.
 */
#include "ckpt/image/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/scope.h"
#include "ckpt/image/image.pb-c.h"
#include "ckpt/image/objects_dir.h"
#include "ckpt/image/objects_of.h"
#include "ckpt/image/store.h"
#include "ckpt/image/stream_format.h"

#define BLOCK (1u << 20)

struct sink {
	const struct stream_end *to;
	XXH3_state_t *hash; /* owned */
	uint8_t *block;     /* owned */
	uint64_t len;       /* bytes written */
};

static void
sink_done(struct sink *k)
{
	(void)XXH3_freeState(k->hash);
	free(k->block);
}

static int
sink_put(struct sink *k, const void *data, size_t len, struct err *e)
{
	struct pollfd stop = { .fd = k->to->stop_fd, .events = POLLIN };
	int r;

	if (poll(&stop, 1, 0) > 0)
		return err_set(e, -ECANCELED, "interrupted");
	r = FAULT("stream.put", e);
	if (r < 0)
		return r;
	r = io_write(k->to->fd, data, len);
	if (r == -EPIPE)
		return err_set(e, r,
		    "whoever was to read the snapshot has gone");
	if (r < 0)
		return err_num(e, r, "writing the snapshot");
	(void)XXH3_128bits_update(k->hash, data, len);
	k->len += len;
	return 0;
}

static int
put_seal(struct sink *k, struct err *e)
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(k->hash));
	return sink_put(k, c.digest, PART_SEAL_SIZE, e);
}

/* LEN bytes of FD, which has so many. */
static int
put_part(struct sink *k, enum stream_kind kind, uint64_t a, uint64_t b, int fd,
    uint64_t len, struct err *e)
{
	uint8_t head[PART_HEAD_SIZE] = { 0 };
	uint64_t off = 0;
	size_t n;
	int r;

	put_u32(head + PART_KIND, kind);
	put_u64(head + PART_SIZE, len);
	put_u64(head + PART_A, a);
	put_u64(head + PART_B, b);
	r = sink_put(k, head, sizeof head, e);
	for (; r == 0 && off < len; off += n) {
		n = len - off < BLOCK ? (size_t)(len - off) : BLOCK;
		r = io_pread(fd, k->block, n, off);
		r = r < 0 ? err_num(e, r, "reading the snapshot") :
			    sink_put(k, k->block, n, e);
	}
	return r < 0 ? r : put_seal(k, e);
}

static int
put_head(struct sink *k, const struct image *img, const struct object_ids *o,
    struct err *e)
{
	uint8_t h[STREAM_HEAD_SIZE] = { 0 };
	uint64_t len = STREAM_HEAD_SIZE + PART_OVERHEAD + image_file_len(img);

	for (size_t i = 0; i < o->n; i++)
		len += PART_OVERHEAD + o->v[i].size;
	memcpy(h + STREAM_MAGIC_AT, STREAM_MAGIC, 8);
	put_u16(h + STREAM_MAJOR_AT, STREAM_MAJOR);
	put_u16(h + STREAM_MINOR_AT, STREAM_MINOR);
	put_u32(h + STREAM_HEAD_LEN, STREAM_HEAD_SIZE);
	memcpy(h + STREAM_MACHINE, IMAGE_MACHINE, sizeof IMAGE_MACHINE);
	put_u64(h + STREAM_N_PARTS, 1 + o->n);
	put_u64(h + STREAM_LEN, len);
	put_u64(h + STREAM_HEAD_HASH, XXH3_64bits(h, STREAM_HEAD_HASH));
	return sink_put(k, h, sizeof h, e);
}

static int
put_objects(struct sink *k, int dirfd, const struct object_ids *o,
    struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->n; i++) {
		autoclose int fd = -1;

		r = object_open(dirfd, &o->v[i], &fd, e);
		if (r == 0)
			r = put_part(k, STREAM_OBJECT, o->v[i].hash_hi,
			    o->v[i].hash_lo, fd, o->v[i].size, e);
	}
	return r;
}

/* The image is open and nothing is removed from DIRFD, objects/. */
static int
put_all(const struct stream_end *to, int dirfd, const struct image *img,
    uint64_t *ret_len, struct err *e)
{
	scoped(sink_done) struct sink k = { .to = to };
	scoped(object_ids_done) struct object_ids o = { .n = 0 };
	int r;

	k.hash = XXH3_createState();
	k.block = malloc(BLOCK);
	if (k.hash == NULL || k.block == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	(void)XXH3_128bits_reset(k.hash);
	if (image_count(img, IMG_PARENT) > 0)
		return err_set(e, -EOPNOTSUPP,
		    "the snapshot needs an older one beside it and cannot be "
		    "sent alone");
	r = image_verify_pages(img, e);
	if (r == 0)
		r = object_ids_of(img, &o, e);
	if (r == 0 && o.n >= STREAM_PARTS_MAX)
		r = err_set(e, -E2BIG, "the snapshot needs too many files");
	if (r == 0)
		r = put_head(&k, img, &o, e);
	if (r == 0)
		r = put_part(&k, STREAM_IMAGE, image_generation(img), 0,
		    image_fd(img), image_file_len(img), e);
	if (r == 0)
		r = put_objects(&k, dirfd, &o, e);
	*ret_len = k.len;
	return r;
}

int
stream_put(int saved_dirfd, const char *name, uint64_t generation,
    const struct stream_end *to, uint64_t *ret_len, struct err *e)
{
	autoclose int dirfd = -1, lock = -1;
	struct image *img;
	uint64_t len = 0;
	int r;

	r = store_open(saved_dirfd, name, false, &dirfd, e);
	if (r == 0)
		r = objects_lock(saved_dirfd, LOCK_SH, &lock, e);
	if (r == 0)
		r = image_open(dirfd, generation, &img, e);
	if (r < 0)
		return r;
	r = put_all(to, lock, img, &len, e);
	image_close(img);
	if (r == 0)
		*ret_len = len;
	return r;
}
