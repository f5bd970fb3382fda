/*
 * forge_stream.h - a small stream (ckpt/image/stream.h) to be received, and
 * one that was changed made to look right again.
 */
#ifndef TEST_FUZZ_FORGE_STREAM_H
#define TEST_FUZZ_FORGE_STREAM_H

#include <sys/eventfd.h>

#include "ckpt/image/image.pb-c.h"
#include "ckpt/image/objects_dir.h"
#include "ckpt/image/store.h"
#include "ckpt/image/stream.h"
#include "ckpt/image/stream_format.h"
#include "test/fuzz/forge.h"
#include "test/unit/scratch.h"

#define FORGE_OBJECTS 3
#define FORGE_GENERATION 7
#define FORGE_STREAM_CAP (64u << 10)

struct forge {
	struct scratch from, to; /* saved/ of the two places */
	struct object_id ids[FORGE_OBJECTS];
	uint8_t *data; /* the stream, with room up to FORGE_STREAM_CAP */
	size_t len;
};

static inline void
forge_done(struct forge *f)
{
	scratch_done(&f->from);
	scratch_done(&f->to);
	free(f->data);
}

/* Three objects and an image with two pages of its own that needs them. */
static inline void
forge_save(struct forge *f)
{
	static const uint8_t pages[2 * IMAGE_PAGE] = "memory";
	Img__Session s = IMG__SESSION__INIT;
	struct image_writer *w;
	autoclose int dirfd = -1;
	uint64_t at;

	if (store_open(f->from.fd, "w", true, &dirfd, NULL) < 0 ||
	    image_create(dirfd, FORGE_GENERATION, 0, &w, NULL) < 0 ||
	    image_put(w, IMG_SESSION, 0, &s.base, NULL) < 0 ||
	    image_put_pages(w, pages, sizeof pages, &at, NULL) < 0)
		abort();
	for (uint64_t i = 0; i < FORGE_OBJECTS; i++) {
		uint8_t text[3000] = { (uint8_t)i };
		autoclose int fd = forge_file(text, i * 1500);
		Img__Object o = IMG__OBJECT__INIT;

		if (objects_put(f->from.fd, fd, &f->ids[i], NULL) < 0)
			abort();
		o.hash_hi = f->ids[i].hash_hi;
		o.hash_lo = f->ids[i].hash_lo;
		o.size = f->ids[i].size;
		if (image_put(w, IMG_OBJECT, i + 1, &o.base, NULL) < 0)
			abort();
	}
	if (image_commit(w, &at, NULL) < 0)
		abort();
}

static inline struct forge
forge_new(void)
{
	struct forge f = { .from = scratch_new(), .to = scratch_new() };
	struct stream_end to = { .stop_fd = -1 };
	autoclose int fd = forge_file(NULL, 0);
	uint64_t len;

	forge_save(&f);
	to.fd = fd;
	f.data = calloc(1, FORGE_STREAM_CAP);
	if (f.data == NULL ||
	    stream_put(f.from.fd, "w", FORGE_GENERATION, &to, &len, NULL) < 0 ||
	    len > FORGE_STREAM_CAP || io_pread(fd, f.data, len, 0) < 0)
		abort();
	f.len = len;
	return f;
}

/* Let DATA be received as a snapshot of "w". */
static inline int
forge_receive(struct forge *f, const uint8_t *data, size_t len,
    int (*fits)(struct image *img, struct err *e), struct err *e)
{
	struct stream_end from = { .stop_fd = -1 };
	autoclose int fd = forge_file(data, len);
	uint64_t generation;

	from.fd = fd;
	return stream_get(f->to.fd, "w", &from, fits, &generation, e);
}

/* Put right the checksums of the head and of each part that can be followed. */
static inline void
forge_stream_seal(uint8_t *data, size_t len)
{
	size_t at = STREAM_HEAD_SIZE;

	if (len < STREAM_HEAD_SIZE)
		return;
	put_u64(data + STREAM_HEAD_HASH, XXH3_64bits(data, STREAM_HEAD_HASH));
	while (len - at >= PART_OVERHEAD) {
		uint64_t n = get_u64(data + at + PART_SIZE);

		if (n > len - at - PART_OVERHEAD)
			break;
		at += PART_HEAD_SIZE + n;
		hash128(data, at, data + at);
		at += PART_SEAL_SIZE;
	}
}

#endif
