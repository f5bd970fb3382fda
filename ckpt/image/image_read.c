/*
 * image_read.c - opening images and reading records, see image.h. Nothing in
 * the file is believed before it has been measured against the length of the
 * file and its checksum; where something lies is computed from what lies
 * before it, and the sum must come out right.
 */
#include "ckpt/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/image/image_reader.h"

/*
 * Memory that unpacking a record may take: protobuf-c needs up to 130 bytes
 * for the smallest sensible message inside a message (4 bytes packed).
 */
#define UNPACK_BASE (1u << 20)
#define UNPACK_FACTOR 64
#define UNPACK_MAX (1u << 30)

/* ---- opening ---- */

void
image_close(struct image *img)
{
	if (img == NULL)
		return;
	if (img->fd >= 0)
		(void)close(img->fd);
	free(img->path);
	free(img->chunks);
	free(img->records);
	free(img->rec);
	free(img->by_id);
	free(img);
}

static void
image_closep(struct image **img)
{
	image_close(*img);
	*img = NULL;
}

int
image_bad(const struct image *img, const char *what, struct err *e)
{
	return err_set(e, -EBADMSG,
	    "%s is damaged (%s); revive an older snapshot of the session, "
	    "if there is one",
	    img->path, what);
}

/* One of the store is for its owner alone. */
static int
image_check_owner(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EPERM, "%s is not a file", path);
	if (st.st_uid != geteuid())
		return err_set(e, -EPERM,
		    "%s belongs to user %u, not to you: reviving it would run "
		    "their programs as you",
		    path, (unsigned)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return err_set(e, -EPERM,
		    "%s is open to other users (mode %03o): if nobody has "
		    "changed it, chmod 600 it",
		    path, (unsigned)(st.st_mode & 0777));
	return 0;
}

static int
image_check_file(struct image *img, struct err *e)
{
	struct stat st;

	if (fstat(img->fd, &st) < 0)
		return err_sys(e, "%s", img->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EPERM, "%s is not a file", img->path);
	if (img->len == 0)
		img->len = (uint64_t)st.st_size;
	return 0;
}

int
image_read_at(const struct image *img, void *buf, size_t len, uint64_t off,
    struct err *e)
{
	int r = io_pread(img->fd, buf, len, img->base + off);

	if (r == -ENODATA)
		return image_bad(img, "it became shorter", e);
	return r < 0 ? err_num(e, r, "reading %s", img->path) : 0;
}

static int
image_check_head(struct image *img, uint8_t h[HEAD_SIZE], struct err *e)
{
	char machine[17] = { 0 };
	int r;

	if (img->len < HEAD_SIZE + TAIL_SIZE)
		return image_bad(img, "it is cut short", e);
	r = image_read_at(img, h, HEAD_SIZE, 0, e);
	if (r < 0)
		return r;
	if (memcmp(h + HEAD_MAGIC, IMAGE_MAGIC, 8) != 0)
		return err_set(e, -EBADMSG, "%s is not a snapshot of sess",
		    img->path);
	if (get_u64(h + HEAD_HASH) != XXH3_64bits(h, HEAD_HASH))
		return image_bad(img, "header", e);
	if (get_u16(h + HEAD_MAJOR) != IMAGE_MAJOR ||
	    get_u64(h + HEAD_FLAGS) != 0 ||
	    get_u32(h + HEAD_LEN) != HEAD_SIZE ||
	    get_u32(h + HEAD_CHUNK) != IMAGE_CHUNK)
		return err_set(e, -ENOTSUP,
		    "%s was written by a newer sess (format %u.%u, flags "
		    "%#" PRIx64 "): update sess",
		    img->path, get_u16(h + HEAD_MAJOR), get_u16(h + HEAD_MINOR),
		    get_u64(h + HEAD_FLAGS));
	memcpy(machine, h + HEAD_MACHINE, 16);
	if (strcmp(machine, IMAGE_MACHINE) != 0 ||
	    get_u32(h + HEAD_PAGE) != IMAGE_PAGE)
		return err_set(e, -ENOEXEC,
		    "%s is of a machine of another kind (%s with pages of %u "
		    "bytes; this is %s with %d)",
		    img->path, machine, get_u32(h + HEAD_PAGE), IMAGE_MACHINE,
		    IMAGE_PAGE);
	img->generation = get_u64(h + HEAD_GENERATION);
	memcpy(img->id, h + HEAD_ID, IMAGE_ID_LEN);
	return 0;
}

/*
 * The trailer agrees with the header, the file and itself: the four parts
 * follow each other and fill the file.
 */
static bool
tail_is_sound(const struct image *img, const uint8_t *t)
{
	uint64_t records_off = get_u64(t + TAIL_RECORDS_OFF);
	uint64_t records_len = get_u64(t + TAIL_RECORDS_LEN);
	uint64_t table_off = get_u64(t + TAIL_TABLE_OFF);
	uint64_t tail_off = img->len - TAIL_SIZE;
	uint64_t n_chunks = get_u64(t + TAIL_N_CHUNKS);
	uint64_t n_pages = get_u64(t + TAIL_N_PAGES);

	return get_u32(t + TAIL_LEN) == TAIL_SIZE &&
	    memcmp(t + TAIL_ID, img->id, IMAGE_ID_LEN) == 0 &&
	    get_u64(t + TAIL_FILE_LEN) == img->len &&
	    records_off >= HEAD_SIZE && records_off <= table_off &&
	    table_off <= tail_off && records_len == table_off - records_off &&
	    records_len <= IMAGE_RECORDS_MAX &&
	    get_u64(t + TAIL_N_RECORDS) <= records_len / REC_SIZE &&
	    n_chunks <= (tail_off - table_off) / ENT_SIZE &&
	    n_chunks * ENT_SIZE == tail_off - table_off &&
	    n_chunks ==
	    n_pages / IMAGE_CHUNK_PAGES + (n_pages % IMAGE_CHUNK_PAGES != 0);
}

static int
image_check_tail(struct image *img, const uint8_t *head, uint8_t t[TAIL_SIZE],
    struct err *e)
{
	uint8_t hash[16];
	int r;

	r = image_read_at(img, t, TAIL_SIZE, img->len - TAIL_SIZE, e);
	if (r < 0)
		return r;
	if (memcmp(t + TAIL_MAGIC, IMAGE_END_MAGIC, 8) != 0)
		return image_bad(img, "it is cut short", e);
	hash128(t, TAIL_HASH, hash);
	if (memcmp(t + TAIL_HASH, hash, 16) != 0 ||
	    memcmp(t + TAIL_HEAD_HASH, head + HEAD_HASH, 8) != 0 ||
	    !tail_is_sound(img, t))
		return image_bad(img, "trailer", e);
	return 0;
}

/* Read LEN bytes at OFF, whose XXH3-128 must be HASH; malloc'd. */
static int
image_read_part(const struct image *img, uint64_t off, uint64_t len,
    const uint8_t *hash, const char *what, uint8_t **ret_data, struct err *e)
{
	autofree uint8_t *data = NULL;
	uint8_t is[16];
	int r;

	data = malloc(len > 0 ? len : 1);
	if (data == NULL)
		return err_num(e, -ENOMEM, "reading %s", img->path);
	r = image_read_at(img, data, len, off, e);
	if (r < 0)
		return r;
	hash128(data, len, is);
	*ret_data = TAKE_PTR(data);
	if (memcmp(hash, is, 16) != 0)
		return image_bad(img, what, e);
	return 0;
}

uint32_t
image_chunk_pages(const struct image *img, uint64_t i)
{
	uint64_t left = img->n_pages - i * IMAGE_CHUNK_PAGES;

	return left < IMAGE_CHUNK_PAGES ? (uint32_t)left : IMAGE_CHUNK_PAGES;
}

static bool
chunk_is_sound(const struct chunk *c, uint32_t n_pages)
{
	if (c->stored % IMAGE_PAGE != 0)
		return false;
	if (c->frame == 0)
		return c->stored == n_pages * IMAGE_PAGE;
	return c->stored < n_pages * IMAGE_PAGE && c->frame <= c->stored &&
	    c->stored - c->frame < IMAGE_PAGE;
}

static int
image_load_table(struct image *img, const uint8_t *t, struct err *e)
{
	autofree uint8_t *table = NULL;
	uint64_t off = HEAD_SIZE, n = get_u64(t + TAIL_N_CHUNKS);
	struct chunk *c;
	int r;

	r = image_read_part(img, get_u64(t + TAIL_TABLE_OFF), n * ENT_SIZE,
	    t + TAIL_TABLE_HASH, "chunk table", &table, e);
	if (r < 0)
		return r;
	img->chunks = calloc(n > 0 ? n : 1, sizeof *img->chunks);
	if (img->chunks == NULL)
		return err_num(e, -ENOMEM, "reading %s", img->path);
	img->n_pages = get_u64(t + TAIL_N_PAGES);
	img->n_chunks = n;
	for (uint64_t i = 0; i < n; i++) {
		c = &img->chunks[i];
		*c = (struct chunk){
			.off = off,
			.stored = get_u32(table + i * ENT_SIZE + ENT_STORED),
			.frame = get_u32(table + i * ENT_SIZE + ENT_FRAME),
			.hash = get_u64(table + i * ENT_SIZE + ENT_HASH),
		};
		if (!chunk_is_sound(c, image_chunk_pages(img, i)))
			return image_bad(img, "chunk table", e);
		off += c->stored;
	}
	if (off != get_u64(t + TAIL_RECORDS_OFF))
		return image_bad(img, "chunk table", e);
	return 0;
}

/* By tag, then position: data are pointers into one block. */
static int
record_cmp_place(const void *va, const void *vb)
{
	const struct image_rec *a = va, *b = vb;

	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return a->data < b->data ? -1 : a->data > b->data;
}

static int
record_cmp_id(const void *va, const void *vb)
{
	const struct image_rec *a = va, *b = vb;

	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Take the record at *OFF into REC; false when it is not sound. */
static bool
record_take(struct image *img, uint64_t *off, struct image_rec *rec)
{
	uint64_t left = img->records_len - *off;
	uint8_t *p = img->records + *off;

	if (left < REC_SIZE)
		return false;
	left -= REC_SIZE;
	*rec = (struct image_rec){
		.tag = get_u32(p + REC_TAG),
		.len = get_u32(p + REC_LEN),
		.id = get_u64(p + REC_ID),
		.data = p + REC_SIZE,
	};
	if (rec->len > IMAGE_RECORD_MAX || rec_padded(rec->len) > left ||
	    rec_hash(p, rec->len) != get_u64(p + REC_HASH))
		return false;
	*off += REC_SIZE + rec_padded(rec->len);
	return true;
}

static int
image_index(struct image *img, uint64_t n, struct err *e)
{
	uint64_t off = 0, i;
	char what[64];

	img->rec = calloc(n > 0 ? n : 1, sizeof *img->rec);
	img->by_id = calloc(n > 0 ? n : 1, sizeof *img->by_id);
	if (img->rec == NULL || img->by_id == NULL)
		return err_num(e, -ENOMEM, "reading %s", img->path);
	for (i = 0; i < n; i++) {
		if (record_take(img, &off, &img->rec[i]))
			continue;
		(void)snprintf(what, sizeof what, "record %" PRIu64, i);
		return image_bad(img, what, e);
	}
	if (off != img->records_len)
		return image_bad(img, "records", e);
	img->n_rec = n;
	memcpy(img->by_id, img->rec, n * sizeof *img->rec);
	qsort(img->rec, n, sizeof *img->rec, record_cmp_place);
	qsort(img->by_id, n, sizeof *img->by_id, record_cmp_id);
	for (i = 1; i < n; i++)
		if (record_cmp_id(&img->by_id[i - 1], &img->by_id[i]) == 0)
			return image_bad(img, "two records of one name", e);
	return 0;
}

/*
 * Where the checksum over all records is wrong, that of the single record
 * tells which one it is.
 */
static int
image_load_records(struct image *img, const uint8_t *t, struct err *e)
{
	int r, all;

	img->records_len = get_u64(t + TAIL_RECORDS_LEN);
	all = image_read_part(img, get_u64(t + TAIL_RECORDS_OFF),
	    img->records_len, t + TAIL_RECORDS_HASH, "records", &img->records,
	    e);
	if (all < 0 && all != -EBADMSG)
		return all;
	if (img->records == NULL)
		return all;
	r = image_index(img, get_u64(t + TAIL_N_RECORDS), e);
	return r < 0 ? r : all;
}

int
image_open_fd(int fd, const char *path, struct image **ret_img, struct err *e)
{
	int r = image_check_owner(fd, path, e);

	return r < 0 ? r : image_open_part(fd, path, 0, 0, ret_img, e);
}

int
image_open_part(int fd, const char *path, uint64_t base, uint64_t len,
    struct image **ret_img, struct err *e)
{
	scoped(image_closep) struct image *img = NULL;
	uint8_t head[HEAD_SIZE], tail[TAIL_SIZE];
	int r;

	img = calloc(1, sizeof *img);
	if (img == NULL)
		return err_num(e, -ENOMEM, "%s", path);
	img->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (img->fd < 0)
		return err_sys(e, "%s", path);
	img->path = strdup(path);
	if (img->path == NULL)
		return err_num(e, -ENOMEM, "%s", path);
	img->base = base;
	img->len = len;
	r = image_check_file(img, e);
	if (r < 0)
		return r;
	r = image_check_head(img, head, e);
	if (r < 0)
		return r;
	r = image_check_tail(img, head, tail, e);
	if (r < 0)
		return r;
	r = image_load_table(img, tail, e);
	if (r < 0)
		return r;
	r = image_load_records(img, tail, e);
	if (r < 0)
		return r;
	*ret_img = TAKE_PTR(img);
	return 0;
}

int
image_open(int dirfd, uint64_t generation, struct image **ret_img,
    struct err *e)
{
	char name[IMAGE_NAME_MAX];
	autofree char *path = NULL;
	autoclose int fd = -1;
	struct image *img;
	int r;

	image_name(generation, name);
	path = io_path(dirfd, name);
	if (path == NULL)
		return err_num(e, -ENOMEM, "%s", name);
	fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", path);
	r = image_open_fd(fd, path, &img, e);
	if (r < 0)
		return r;
	if (img->generation != generation) {
		r = err_set(e, -EBADMSG,
		    "%s holds generation %" PRIu64 ": give it its old name",
		    path, img->generation);
		image_close(img);
		return r;
	}
	*ret_img = img;
	return 0;
}

uint64_t
image_generation(const struct image *img)
{
	return img->generation;
}

const uint8_t *
image_id(const struct image *img)
{
	return img->id;
}

uint64_t
image_file_len(const struct image *img)
{
	return img->len;
}

uint64_t
image_n_pages(const struct image *img)
{
	return img->n_pages;
}

int
image_fd(const struct image *img)
{
	return img->fd;
}

/* ---- records ---- */

/* The first record in img->rec whose tag is not less than TAG. */
static size_t
record_first(const struct image *img, uint64_t tag)
{
	size_t lo = 0, hi = img->n_rec, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (img->rec[mid].tag < tag)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t
image_count(const struct image *img, enum image_tag tag)
{
	return record_first(img, (uint64_t)tag + 1) - record_first(img, tag);
}

static void *
budget_alloc(void *arg, size_t len)
{
	size_t *left = arg;

	if (len > *left)
		return NULL;
	*left -= len;
	return malloc(len);
}

static void
budget_free(void *arg, void *p)
{
	(void)arg;
	free(p);
}

static void *
record_unpack(const struct image *img, const struct image_rec *rec,
    const ProtobufCMessageDescriptor *d, struct err *e)
{
	size_t left = UNPACK_BASE + (size_t)rec->len * UNPACK_FACTOR;
	ProtobufCAllocator a = {
		.alloc = budget_alloc,
		.free = budget_free,
		.allocator_data = &left,
	};
	void *m;

	if (left > UNPACK_MAX)
		left = UNPACK_MAX;
	m = protobuf_c_message_unpack(d, &a, rec->len, rec->data);
	if (m == NULL)
		(void)err_set(e, -EBADMSG,
		    "%s: record %" PRIu64 " (%s) cannot be understood",
		    img->path, rec->id, d->short_name);
	return m;
}

void *
image_get(const struct image *img, enum image_tag tag, size_t i,
    const ProtobufCMessageDescriptor *d, uint64_t *ret_id, struct err *e)
{
	const struct image_rec *rec;
	void *m;

	if (i >= image_count(img, tag)) {
		(void)err_set(e, -ENOENT, "%s: no record %s number %zu",
		    img->path, d->short_name, i);
		return NULL;
	}
	rec = &img->rec[record_first(img, tag) + i];
	m = record_unpack(img, rec, d, e);
	if (m != NULL && ret_id != NULL)
		*ret_id = rec->id;
	return m;
}

void *
image_find(const struct image *img, enum image_tag tag, uint64_t id,
    const ProtobufCMessageDescriptor *d, struct err *e)
{
	struct image_rec key = { .tag = tag, .id = id };
	const struct image_rec *rec;

	rec = bsearch(&key, img->by_id, img->n_rec, sizeof key, record_cmp_id);
	if (rec == NULL) {
		(void)err_set(e, -ENOENT, "%s: no record %s %" PRIu64,
		    img->path, d->short_name, id);
		return NULL;
	}
	return record_unpack(img, rec, d, e);
}
