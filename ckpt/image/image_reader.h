/*
 * image_reader.h - an open image, as image_read.c and image_pages.c see it.
 * Nothing in it changes after image_open().
 */
#ifndef CKPT_IMAGE_READER_H
#define CKPT_IMAGE_READER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ckpt/image/image_format.h"

struct chunk {
	uint64_t off;    /* in the file */
	uint32_t stored; /* bytes there */
	uint32_t frame;  /* bytes of the zstd frame; 0: raw */
	uint64_t hash;
};

struct image_rec {
	uint32_t tag;
	uint32_t len;
	uint64_t id;
	uint8_t *data; /* inside img->records */
};

struct image {
	int fd;
	char *path;
	uint64_t base; /* where it begins in the file */
	uint64_t len;  /* of the image */
	uint64_t generation;
	uint8_t id[IMAGE_ID_LEN];
	uint64_t n_pages;
	struct chunk *chunks;
	size_t n_chunks;
	uint8_t *records; /* as in the file */
	uint64_t records_len;
	struct image_rec *rec;   /* by tag, then as in the file */
	struct image_rec *by_id; /* by tag, then id */
	size_t n_rec;
};

/* "PATH is damaged (WHAT); ...": -EBADMSG. */
int image_bad(const struct image *img, const char *what, struct err *e);

/* Read exactly LEN bytes at OFF; a file that ends earlier is damaged. */
int image_read_at(const struct image *img, void *buf, size_t len, uint64_t off,
    struct err *e);

/* Number of pages in chunk I: all are full but the last. */
uint32_t image_chunk_pages(const struct image *img, uint64_t i);

#endif
