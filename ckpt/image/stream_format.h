/*
 * stream_format.h - the bytes of a stream, as told in sess-image(5). Only
 * stream_put.c, stream_get.c and tests that forge streams include it.
 *
 * head | part | part ..., a part being its head, that many bytes, and a seal:
 * the checksum of the stream so far. The first part is the image, the others
 * are the objects that it lists, each once, in the order of object_cmp().
 */
#ifndef CKPT_STREAM_FORMAT_H
#define CKPT_STREAM_FORMAT_H

#include "ckpt/image/image_format.h"

#define STREAM_MAJOR 1
#define STREAM_MINOR 0
#define STREAM_MAGIC "\x89SESSSTR"
#define STREAM_PARTS_MAX 65536

enum {
	STREAM_MAGIC_AT = 0,   /* 8 bytes */
	STREAM_MAJOR_AT = 8,   /* u16 */
	STREAM_MINOR_AT = 10,  /* u16 */
	STREAM_HEAD_LEN = 12,  /* u32: 64 */
	STREAM_MACHINE = 16,   /* 16 bytes, as in an image */
	STREAM_N_PARTS = 32,   /* u64 */
	STREAM_LEN = 40,       /* u64: bytes of the whole stream */
	STREAM_FLAGS = 48,     /* u64: an unknown bit means: do not read */
	STREAM_HEAD_HASH = 56, /* u64: XXH3-64 of all before it */
	STREAM_HEAD_SIZE = 64,
};

enum stream_kind {
	STREAM_IMAGE = 1,
	STREAM_OBJECT = 2,
};

enum {
	PART_KIND = 0, /* u32: enum stream_kind */
	PART_SIZE = 8, /* u64: bytes of content */
	PART_A = 16,   /* u64: the generation, or an object's hash_hi */
	PART_B = 24,   /* u64: 0, or an object's hash_lo */
	PART_HEAD_SIZE = 32,
	PART_SEAL_SIZE = 16, /* XXH3-128, canonical, of all before it */
};

#define PART_OVERHEAD (PART_HEAD_SIZE + PART_SEAL_SIZE)

#endif
