/*
 * image_pages.c - reading the page stream of an image, see image.h. What is
 * handed out was verified in the memory it is handed out from; only
 * image_locate_pages() lets others read the file itself, after it was.
 */
#include "ckpt/image/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "ckpt/image/image_reader.h"

struct image_pages {
	const struct image *img;
	uint8_t *chunk;  /* decoded chunk number HAVE */
	uint8_t *packed; /* a compressed one as stored; NULL until needed */
	uint64_t have;   /* UINT64_MAX: none */
	uint8_t *seen;   /* a bit for each chunk verified by locate */
	ZSTD_DCtx *zstd; /* NULL until needed */
};

int
image_pages_open(const struct image *img, struct image_pages **ret_c,
    struct err *e)
{
	struct image_pages *c = calloc(1, sizeof *c);

	if (c != NULL) {
		c->img = img;
		c->have = UINT64_MAX;
		c->chunk = aligned_alloc(IMAGE_PAGE, IMAGE_CHUNK);
		c->seen = calloc(img->n_chunks / 8 + 1, 1);
	}
	if (c == NULL || c->chunk == NULL || c->seen == NULL) {
		image_pages_close(c);
		return err_num(e, -ENOMEM, "reading %s", img->path);
	}
	*ret_c = c;
	return 0;
}

void
image_pages_close(struct image_pages *c)
{
	if (c == NULL)
		return;
	(void)ZSTD_freeDCtx(c->zstd);
	free(c->chunk);
	free(c->packed);
	free(c->seen);
	free(c);
}

static int
chunk_bad(const struct image *img, uint64_t i, struct err *e)
{
	char what[64];

	(void)snprintf(what, sizeof what, "memory at byte %" PRIu64,
	    img->chunks[i].off);
	return image_bad(img, what, e);
}

/* Read chunk I as stored into BUF and verify it. */
static int
chunk_read(const struct image *img, uint64_t i, uint8_t *buf, struct err *e)
{
	const struct chunk *k = &img->chunks[i];
	int r;

	r = image_read_at(img, buf, k->stored, k->off, e);
	if (r < 0)
		return r;
	if (XXH3_64bits(buf, k->stored) != k->hash)
		return chunk_bad(img, i, e);
	return 0;
}

static int
chunk_unpack(struct image_pages *c, uint64_t i, uint8_t *buf, struct err *e)
{
	size_t len = (size_t)image_chunk_pages(c->img, i) * IMAGE_PAGE;
	int r;

	if (c->packed == NULL)
		c->packed = malloc(IMAGE_CHUNK);
	if (c->zstd == NULL)
		c->zstd = ZSTD_createDCtx();
	if (c->packed == NULL || c->zstd == NULL)
		return err_num(e, -ENOMEM, "reading %s", c->img->path);
	r = chunk_read(c->img, i, c->packed, e);
	if (r < 0)
		return r;
	if (ZSTD_decompressDCtx(c->zstd, buf, len, c->packed,
		c->img->chunks[i].frame) != len)
		return chunk_bad(c->img, i, e);
	return 0;
}

/* Decode chunk I into BUF, which has room for its pages. */
static int
chunk_decode(struct image_pages *c, uint64_t i, uint8_t *buf, struct err *e)
{
	if (c->img->chunks[i].frame != 0)
		return chunk_unpack(c, i, buf, e);
	return chunk_read(c->img, i, buf, e);
}

static int
chunk_load(struct image_pages *c, uint64_t i, struct err *e)
{
	int r;

	if (c->have == i)
		return 0;
	c->have = UINT64_MAX;
	r = chunk_decode(c, i, c->chunk, e);
	if (r == 0)
		c->have = i;
	return r;
}

static int
pages_check(const struct image *img, uint64_t page, size_t n, struct err *e)
{
	if (page <= img->n_pages && n <= img->n_pages - page)
		return 0;
	return err_set(e, -ERANGE, "%s has no pages %" PRIu64 " to %" PRIu64,
	    img->path, page, page + n);
}

int
image_read_pages(struct image_pages *c, uint64_t page, void *buf, size_t n,
    struct err *e)
{
	uint8_t *out = buf;
	uint64_t i;
	size_t at, k;
	int r;

	r = pages_check(c->img, page, n, e);
	for (; r == 0 && n > 0; page += k, n -= k, out += k * IMAGE_PAGE) {
		i = page / IMAGE_CHUNK_PAGES;
		at = page % IMAGE_CHUNK_PAGES;
		k = image_chunk_pages(c->img, i) - at;
		k = k < n ? k : n;
		if (k == image_chunk_pages(c->img, i) && c->have != i) {
			r = chunk_decode(c, i, out, e);
			continue;
		}
		r = chunk_load(c, i, e);
		if (r == 0)
			memcpy(out, c->chunk + at * IMAGE_PAGE, k * IMAGE_PAGE);
	}
	return r;
}

/* Verify raw chunk I unless this cursor has done so. */
static int
chunk_see(struct image_pages *c, uint64_t i, struct err *e)
{
	int r;

	if (c->seen[i / 8] & 1u << i % 8)
		return 0;
	r = chunk_load(c, i, e);
	if (r == 0)
		c->seen[i / 8] |= (uint8_t)(1u << i % 8);
	return r;
}

int
image_locate_pages(struct image_pages *c, uint64_t page, size_t n,
    uint64_t *ret_off, size_t *ret_n, struct err *e)
{
	const struct image *img = c->img;
	uint64_t i = page / IMAGE_CHUNK_PAGES;
	size_t at = page % IMAGE_CHUNK_PAGES, have = 0;
	int r;

	n = n > 0 ? n : 1;
	r = pages_check(img, page, n, e);
	if (r < 0)
		return r;
	if (img->chunks[i].frame != 0)
		return err_set(e, -EOPNOTSUPP, "%s is compressed", img->path);
	*ret_off = img->base + img->chunks[i].off + at * IMAGE_PAGE;
	for (; i < img->n_chunks && img->chunks[i].frame == 0; i++, at = 0) {
		r = chunk_see(c, i, e);
		if (r < 0)
			return r;
		have += image_chunk_pages(img, i) - at;
		if (have >= n)
			break;
	}
	*ret_n = have < n ? have : n;
	return 0;
}

int
image_verify_pages(const struct image *img, struct err *e)
{
	struct image_pages *c = NULL;
	int r;

	r = image_pages_open(img, &c, e);
	for (uint64_t i = 0; r == 0 && i < img->n_chunks; i++)
		r = chunk_load(c, i, e);
	image_pages_close(c);
	return r;
}
