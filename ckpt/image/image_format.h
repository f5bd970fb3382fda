/*
 * image_format.h - the bytes of an image, as told in sess-image(5). Only streams,
 * image_read.c, image_write.c and tests that forge images include it.
 *
 * header | chunks | records | chunk table | trailer, with no gap between
 * them: every byte is under a checksum, and nothing can overlap because no
 * chunk and no record says where it lies. Numbers are little-endian.
 */
#ifndef CKPT_IMAGE_FORMAT_H
#define CKPT_IMAGE_FORMAT_H

#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "ckpt/image/image.h"

#define IMAGE_MAJOR 1 /* a reader of another major understands nothing */
#define IMAGE_MINOR 0 /* counts additions that may be ignored */
#define IMAGE_MAGIC "\x89SESS\r\n\x1a"
#define IMAGE_END_MAGIC "\x89SESSEND"
#define IMAGE_ID_LEN 16

#if defined(__x86_64__)
#define IMAGE_MACHINE "x86_64"
#elif defined(__aarch64__)
#define IMAGE_MACHINE "aarch64"
#else
#error "this machine has no name in images yet"
#endif

/* Header: one page; what is not listed is 0. */
enum {
	HEAD_MAGIC = 0,       /* 8 bytes */
	HEAD_MAJOR = 8,       /* u16 */
	HEAD_MINOR = 10,      /* u16 */
	HEAD_LEN = 12,        /* u32: 4096 */
	HEAD_PAGE = 16,       /* u32: 4096 */
	HEAD_CHUNK = 20,      /* u32: 1 MiB */
	HEAD_MACHINE = 24,    /* 16 bytes, padded with 0 */
	HEAD_GENERATION = 40, /* u64 */
	HEAD_ID = 48,         /* 16 random bytes */
	HEAD_FLAGS = 64,      /* u64: an unknown bit means: do not read */
	HEAD_HASH = 4088,     /* u64: XXH3-64 of all before it */
	HEAD_SIZE = 4096,
};

/* Head of a record; the packed message follows, padded with 0 to 8 bytes. */
enum {
	REC_HASH = 0, /* u64: XXH3-64 of all behind it, padding included */
	REC_TAG = 8,  /* u32 */
	REC_LEN = 12, /* u32: without padding */
	REC_ID = 16,  /* u64 */
	REC_SIZE = 24,
};

/* Entry of the chunk table. */
enum {
	ENT_STORED = 0, /* u32: bytes in the file, a multiple of 4096 */
	ENT_FRAME = 4,  /* u32: of these, the zstd frame; 0: not compressed */
	ENT_HASH = 8,   /* u64: XXH3-64 of the stored bytes */
	ENT_SIZE = 16,
};

/* Trailer: the last 160 bytes; what is not listed is 0. */
enum {
	TAIL_MAGIC = 0,         /* 8 bytes */
	TAIL_LEN = 8,           /* u32: 160 */
	TAIL_ID = 16,           /* as in the header */
	TAIL_FILE_LEN = 32,     /* u64: bytes of the whole file */
	TAIL_N_PAGES = 40,      /* u64 */
	TAIL_N_CHUNKS = 48,     /* u64: n_pages / 256, rounded up */
	TAIL_RECORDS_OFF = 56,  /* u64: where the chunks end */
	TAIL_RECORDS_LEN = 64,  /* u64 */
	TAIL_N_RECORDS = 72,    /* u64 */
	TAIL_TABLE_OFF = 80,    /* u64: where the records end */
	TAIL_HEAD_HASH = 88,    /* u64: as in the header */
	TAIL_RECORDS_HASH = 96, /* XXH3-128, canonical */
	TAIL_TABLE_HASH = 112,  /* XXH3-128, canonical */
	TAIL_HASH = 144,        /* XXH3-128, canonical, of all before it */
	TAIL_SIZE = 160,
};

static inline void
put_le(uint8_t *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline uint64_t
get_le(const uint8_t *p, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

#define put_u16(p, v) put_le(p, v, 2)
#define put_u32(p, v) put_le(p, v, 4)
#define put_u64(p, v) put_le(p, v, 8)
#define get_u16(p) ((uint16_t)get_le(p, 2))
#define get_u32(p) ((uint32_t)get_le(p, 4))
#define get_u64(p) get_le(p, 8)

/* The length of a record's message with its padding. */
static inline uint64_t
rec_padded(uint32_t len)
{
	return ((uint64_t)len + 7) & ~UINT64_C(7);
}

/* The checksum of the record at REC with LEN bytes of message. */
static inline uint64_t
rec_hash(const uint8_t *rec, uint32_t len)
{
	return XXH3_64bits(rec + REC_TAG, REC_SIZE - REC_TAG + rec_padded(len));
}

/* XXH3-128 of LEN bytes, as its canonical 16. */
static inline void
hash128(const void *data, size_t len, uint8_t ret_hash[16])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits(data, len));
	memcpy(ret_hash, c.digest, 16);
}

#endif
