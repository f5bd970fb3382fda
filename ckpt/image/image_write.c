/*
 * image_write.c - the writer of images, see image.h. Pages go out chunk by
 * chunk as they come, behind the caller's back (behind.h): to read memory and
 * to write the file take as long, and both are the kernel's work. Records and
 * the chunk table wait in memory until the end, so that the file is written
 * once from front to back.
 */
#include "ckpt/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/image/behind.h"
#include "ckpt/image/image_format.h"

struct image_writer {
	struct temp temp;
	char name[IMAGE_NAME_MAX];
	char *path; /* for sentences */
	uint8_t head[HEAD_SIZE];
	uint64_t off;     /* bytes of the file so far */
	uint64_t n_pages; /* of the stream, those in the room included */
	uint64_t n_records;
	struct behind *behind; /* its room is the chunk being filled */
	size_t chunk_len;
	ZSTD_CCtx *zstd; /* NULL: raw */
	uint8_t *packed; /* a compressed chunk */
	size_t packed_cap;
	struct buf records; /* as in the file */
	struct buf table;   /* as in the file */
};

void
image_name(uint64_t generation, char ret_name[IMAGE_NAME_MAX])
{
	(void)snprintf(ret_name, IMAGE_NAME_MAX, "%" PRIu64 ".sess",
	    generation);
}

static void
writer_free(struct image_writer *w)
{
	if (w == NULL)
		return;
	(void)behind_close(w->behind);
	temp_done(&w->temp);
	(void)ZSTD_freeCCtx(w->zstd);
	buf_done(&w->records);
	buf_done(&w->table);
	free(w->packed);
	free(w->path);
	free(w);
}

static void
writer_freep(struct image_writer **w)
{
	writer_free(*w);
	*w = NULL;
}

static int
writer_err(const struct image_writer *w, int r, struct err *e)
{
	return err_num(e, r, "writing %s", w->path);
}

static int
writer_put(struct image_writer *w, const void *data, size_t len, struct err *e)
{
	int r;

	r = io_write(w->temp.fd, data, len);
	if (r < 0)
		return writer_err(w, r, e);
	w->off += len;
	return 0;
}

static int
writer_head(struct image_writer *w, uint64_t generation, struct err *e)
{
	uint8_t *h = w->head;

	memcpy(h + HEAD_MAGIC, IMAGE_MAGIC, 8);
	put_u16(h + HEAD_MAJOR, IMAGE_MAJOR);
	put_u16(h + HEAD_MINOR, IMAGE_MINOR);
	put_u32(h + HEAD_LEN, HEAD_SIZE);
	put_u32(h + HEAD_PAGE, IMAGE_PAGE);
	put_u32(h + HEAD_CHUNK, IMAGE_CHUNK);
	memcpy(h + HEAD_MACHINE, IMAGE_MACHINE, sizeof IMAGE_MACHINE);
	put_u64(h + HEAD_GENERATION, generation);
	if (getrandom(h + HEAD_ID, IMAGE_ID_LEN, 0) != IMAGE_ID_LEN)
		return err_set(e, -EIO, "no random number for %s", w->path);
	put_u64(h + HEAD_HASH, XXH3_64bits(h, HEAD_HASH));
	return writer_put(w, h, HEAD_SIZE, e);
}

static int
writer_zstd(struct image_writer *w, int level, struct err *e)
{
	if (level == 0)
		return 0;
	if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
		return err_set(e, -EINVAL,
		    "compression level %d: must be from %d to %d", level,
		    ZSTD_minCLevel(), ZSTD_maxCLevel());
	w->packed_cap = ZSTD_compressBound(IMAGE_CHUNK) + IMAGE_PAGE;
	w->packed = malloc(w->packed_cap);
	w->zstd = ZSTD_createCCtx();
	if (w->packed == NULL || w->zstd == NULL)
		return writer_err(w, -ENOMEM, e);
	(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
	return 0;
}

int
image_create(int dirfd, uint64_t generation, int zstd_level,
    struct image_writer **ret_w, struct err *e)
{
	scoped(writer_freep) struct image_writer *w = NULL;
	int r;

	r = FAULT("image.create", e);
	if (r < 0)
		return r;
	w = calloc(1, sizeof *w);
	if (w == NULL)
		return err_num(e, -ENOMEM, "beginning an image");
	w->temp = TEMP_NONE;
	w->records = BUF_INIT(IMAGE_RECORDS_MAX);
	w->table = BUF_INIT(IMAGE_RECORDS_MAX);
	image_name(generation, w->name);
	w->path = io_path(dirfd, w->name);
	if (w->path == NULL)
		return err_num(e, -ENOMEM, "beginning an image");
	if (faccessat(dirfd, w->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return writer_err(w, -EEXIST, e);
	r = writer_zstd(w, zstd_level, e);
	if (r < 0)
		return r;
	r = temp_create(dirfd, 0600, &w->temp);
	if (r < 0)
		return writer_err(w, r, e);
	r = writer_head(w, generation, e);
	if (r < 0)
		return r;
	r = behind_open(w->temp.fd, IMAGE_CHUNK, &w->behind);
	if (r < 0)
		return writer_err(w, r, e);
	*ret_w = TAKE_PTR(w);
	return 0;
}

/*
 * Compress LEN bytes at DATA into w->packed, zeros up to the next page
 * behind them. The frame's length, or 0 when that saves no page.
 */
static size_t
writer_pack(struct image_writer *w, const uint8_t *data, size_t len)
{
	size_t n, pad;

	if (w->zstd == NULL)
		return 0;
	n = ZSTD_compress2(w->zstd, w->packed, w->packed_cap - IMAGE_PAGE, data,
	    len);
	if (ZSTD_isError(n))
		return 0;
	pad = -n & (IMAGE_PAGE - 1);
	if (n + pad >= len)
		return 0;
	memset(w->packed + n, 0, pad);
	return n;
}

/* Write the room as the next chunk, if there is something in it. */
static int
writer_flush(struct image_writer *w, struct err *e)
{
	uint8_t ent[ENT_SIZE], *data = behind_room(w->behind);
	size_t frame, stored = w->chunk_len;
	int r;

	if (w->chunk_len == 0)
		return 0;
	r = FAULT("image.chunk", e);
	if (r < 0)
		return r;
	frame = writer_pack(w, data, w->chunk_len);
	if (frame > 0) {
		stored = (frame + IMAGE_PAGE - 1) & ~(size_t)(IMAGE_PAGE - 1);
		memcpy(data, w->packed, stored);
	}
	put_u32(ent + ENT_STORED, stored);
	put_u32(ent + ENT_FRAME, frame);
	put_u64(ent + ENT_HASH, XXH3_64bits(data, stored));
	r = buf_put(&w->table, ent, sizeof ent);
	if (r < 0)
		return writer_err(w, r == -ENOBUFS ? -EFBIG : r, e);
	w->chunk_len = 0;
	w->off += stored;
	r = behind_put(w->behind, stored);
	return r < 0 ? writer_err(w, r, e) : 0;
}

void *
image_pages_room(struct image_writer *w, size_t *ret_len)
{
	uint8_t *chunk = behind_room(w->behind);

	*ret_len = IMAGE_CHUNK - w->chunk_len;
	return chunk + w->chunk_len;
}

int
image_pages_fill(struct image_writer *w, size_t len, uint64_t *ret_page,
    struct err *e)
{
	uint64_t page = w->n_pages;
	int r;

	if (len % IMAGE_PAGE != 0 || len > IMAGE_CHUNK - w->chunk_len)
		return err_set(e, -EINVAL, "%s: %zu bytes are no whole pages",
		    w->path, len);
	w->chunk_len += len;
	w->n_pages += len / IMAGE_PAGE;
	if (w->chunk_len == IMAGE_CHUNK) {
		r = writer_flush(w, e);
		if (r < 0)
			return r;
	}
	*ret_page = page;
	return 0;
}

int
image_put_pages(struct image_writer *w, const void *data, size_t len,
    uint64_t *ret_page, struct err *e)
{
	const uint8_t *p = data;
	uint64_t page = w->n_pages, ignored;
	size_t n;
	int r;

	if (len % IMAGE_PAGE != 0)
		return err_set(e, -EINVAL, "%s: %zu bytes are no whole pages",
		    w->path, len);
	for (; len > 0; p += n, len -= n) {
		void *room = image_pages_room(w, &n);

		n = n < len ? n : len;
		memcpy(room, p, n);
		r = image_pages_fill(w, n, &ignored, e);
		if (r < 0)
			return r;
	}
	*ret_page = page;
	return 0;
}

/*
 * Room for a record with LEN bytes of message behind the others. The bytes
 * behind its head are the caller's to fill; writer_seal() ends it.
 */
static int
writer_record(struct image_writer *w, size_t len, uint8_t **ret_rec,
    struct err *e)
{
	int r;

	r = FAULT("image.record", e);
	if (r < 0)
		return r;
	if (len > IMAGE_RECORD_MAX)
		return err_set(e, -EFBIG,
		    "writing %s: a record of %zu bytes is too large", w->path,
		    len);
	r = buf_reserve(&w->records, REC_SIZE + rec_padded((uint32_t)len));
	if (r == -ENOBUFS)
		return err_set(e, -EFBIG, "writing %s: too many records",
		    w->path);
	if (r < 0)
		return writer_err(w, r, e);
	*ret_rec = w->records.data + w->records.len;
	return 0;
}

static void
writer_seal(struct image_writer *w, uint8_t *rec, enum image_tag tag,
    uint64_t id, size_t len)
{
	size_t padded = rec_padded((uint32_t)len);

	put_u32(rec + REC_TAG, tag);
	put_u32(rec + REC_LEN, len);
	put_u64(rec + REC_ID, id);
	memset(rec + REC_SIZE + len, 0, padded - len);
	put_u64(rec + REC_HASH, rec_hash(rec, (uint32_t)len));
	w->records.len += REC_SIZE + padded;
	w->n_records++;
}

int
image_put_packed(struct image_writer *w, enum image_tag tag, uint64_t id,
    const void *data, size_t len, struct err *e)
{
	uint8_t *rec;
	int r;

	r = writer_record(w, len, &rec, e);
	if (r < 0)
		return r;
	if (len > 0)
		memcpy(rec + REC_SIZE, data, len);
	writer_seal(w, rec, tag, id, len);
	return 0;
}

int
image_put(struct image_writer *w, enum image_tag tag, uint64_t id,
    const ProtobufCMessage *msg, struct err *e)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	uint8_t *rec;
	int r;

	r = writer_record(w, len, &rec, e);
	if (r < 0)
		return r;
	(void)protobuf_c_message_pack(msg, rec + REC_SIZE);
	writer_seal(w, rec, tag, id, len);
	return 0;
}

uint64_t
image_len(const struct image_writer *w)
{
	return w->off + w->chunk_len + w->records.len + w->table.len;
}

static void
writer_tail(const struct image_writer *w, uint8_t t[TAIL_SIZE])
{
	uint64_t table_off = w->off + w->records.len;

	memset(t, 0, TAIL_SIZE);
	memcpy(t + TAIL_MAGIC, IMAGE_END_MAGIC, 8);
	put_u32(t + TAIL_LEN, TAIL_SIZE);
	memcpy(t + TAIL_ID, w->head + HEAD_ID, IMAGE_ID_LEN);
	put_u64(t + TAIL_FILE_LEN, table_off + w->table.len + TAIL_SIZE);
	put_u64(t + TAIL_N_PAGES, w->n_pages);
	put_u64(t + TAIL_N_CHUNKS, w->table.len / ENT_SIZE);
	put_u64(t + TAIL_RECORDS_OFF, w->off);
	put_u64(t + TAIL_RECORDS_LEN, w->records.len);
	put_u64(t + TAIL_N_RECORDS, w->n_records);
	put_u64(t + TAIL_TABLE_OFF, table_off);
	memcpy(t + TAIL_HEAD_HASH, w->head + HEAD_HASH, 8);
	hash128(w->records.data, w->records.len, t + TAIL_RECORDS_HASH);
	hash128(w->table.data, w->table.len, t + TAIL_TABLE_HASH);
	hash128(t, TAIL_HASH, t + TAIL_HASH);
}

/* All that is still in memory, then the trailer. */
static int
writer_finish(struct image_writer *w, struct err *e)
{
	uint8_t tail[TAIL_SIZE];
	int r;

	r = writer_flush(w, e);
	if (r < 0)
		return r;
	r = behind_close(TAKE_PTR(w->behind));
	if (r < 0)
		return writer_err(w, r, e);
	writer_tail(w, tail);
	r = FAULT("image.records", e);
	if (r < 0)
		return r;
	r = writer_put(w, w->records.data, w->records.len, e);
	if (r < 0)
		return r;
	r = writer_put(w, w->table.data, w->table.len, e);
	if (r < 0)
		return r;
	r = FAULT("image.trailer", e);
	if (r < 0)
		return r;
	return writer_put(w, tail, sizeof tail, e);
}

/* What cannot be opened now could not be revived later. */
static int
writer_verify(const struct image_writer *w, struct err *e)
{
	struct image *img;
	int r;

	r = image_open_fd(w->temp.fd, w->path, &img, e);
	if (r < 0)
		return r;
	image_close(img);
	return FAULT("image.verified", e);
}

int
image_commit(struct image_writer *writer, uint64_t *ret_len, struct err *e)
{
	scoped(writer_freep) struct image_writer *w = writer;
	int r;

	r = writer_finish(w, e);
	if (r < 0)
		return r;
	r = writer_verify(w, e);
	if (r < 0)
		return r;
	r = temp_commit(&w->temp, w->name);
	if (r < 0)
		return writer_err(w, r, e);
	*ret_len = w->off;
	return 0;
}

void
image_abort(struct image_writer *w)
{
	writer_free(w);
}
