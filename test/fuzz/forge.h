/*
 * forge.h - images made to deceive: a changed image gets its checksums put
 * right again, so that what is behind them is reached.
 */
#ifndef TEST_FUZZ_FORGE_H
#define TEST_FUZZ_FORGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "ckpt/image/image_format.h"

/* The records in the LEN bytes at P, as far as they can be followed. */
static inline void
forge_records(uint8_t *p, uint64_t len)
{
	while (len >= REC_SIZE) {
		uint64_t n = rec_padded(get_u32(p + REC_LEN));

		if (n > len - REC_SIZE)
			break;
		put_u64(p + REC_HASH, rec_hash(p, get_u32(p + REC_LEN)));
		p += REC_SIZE + n;
		len -= REC_SIZE + n;
	}
}

/* The chunks of the table at T; those inside the file end at END. */
static inline void
forge_chunks(uint8_t *data, uint8_t *t, uint64_t n, uint64_t end)
{
	uint64_t off = HEAD_SIZE;

	for (; n > 0; n--, t += ENT_SIZE) {
		uint32_t stored = get_u32(t + ENT_STORED);

		if (off > end || stored > end - off)
			break;
		put_u64(t + ENT_HASH, XXH3_64bits(data + off, stored));
		off += stored;
	}
}

/* Put right every checksum in the LEN bytes at DATA. */
static inline void
forge_seal(uint8_t *data, size_t len)
{
	uint8_t *t = data + len - TAIL_SIZE;
	uint64_t rec_off, tab_off, tail_off = len - TAIL_SIZE;

	if (len < HEAD_SIZE + TAIL_SIZE)
		return;
	put_u64(data + HEAD_HASH, XXH3_64bits(data, HEAD_HASH));
	memcpy(t + TAIL_HEAD_HASH, data + HEAD_HASH, 8);
	memcpy(t + TAIL_ID, data + HEAD_ID, IMAGE_ID_LEN);
	rec_off = get_u64(t + TAIL_RECORDS_OFF);
	tab_off = get_u64(t + TAIL_TABLE_OFF);
	if (rec_off <= tab_off && tab_off <= tail_off) {
		uint64_t n = (tail_off - tab_off) / ENT_SIZE;

		forge_records(data + rec_off, tab_off - rec_off);
		forge_chunks(data, data + tab_off, n, rec_off);
		hash128(data + rec_off, tab_off - rec_off,
		    t + TAIL_RECORDS_HASH);
		hash128(data + tab_off, tail_off - tab_off,
		    t + TAIL_TABLE_HASH);
	}
	hash128(t, TAIL_HASH, t + TAIL_HASH);
}

/* LEN bytes as a file that only we may read and write. */
static inline int
forge_file(const uint8_t *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0600) < 0 || io_pwrite(fd, data, len, 0) < 0)
		abort();
	return fd;
}

#endif
