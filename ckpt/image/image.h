/*
 * image.h - one saved generation of a session as a file. Layout, limits and
 * checks are told in sess-image(5); what the records mean in image.proto.
 *
 * An image is a stream of pages, cut into chunks of IMAGE_CHUNK bytes, and
 * a set of records, each known by (tag, id). It is written in one pass,
 * never changed afterwards, and read only after its owner, mode, header,
 * records and chunk table have been verified; a chunk is verified whenever
 * it is read. The checksums (XXH3) find damage, not malice: an image is
 * trusted because it belongs to the user and nobody else can write it. All
 * the same nothing in one can make the reader leave its memory.
 */
#ifndef CKPT_IMAGE_H
#define CKPT_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <protobuf-c/protobuf-c.h>

#include "base/err.h"

#define IMAGE_PAGE 4096
#define IMAGE_CHUNK (1u << 20)
#define IMAGE_CHUNK_PAGES (IMAGE_CHUNK / IMAGE_PAGE)
#define IMAGE_RECORD_MAX (64u << 20) /* bytes of one packed record */
#define IMAGE_RECORDS_MAX (1u << 30) /* bytes of all of them */
#define IMAGE_NAME_MAX 32            /* of image_name() */

/*
 * What a record is. Written into images: numbers are never changed and
 * never used again.
 */
enum image_tag {
	IMG_SESSION = 1,
	IMG_MACHINE = 2,
	IMG_TREE = 3,
	IMG_TASK = 4,
	IMG_THREAD = 5,
	IMG_MM = 6,
	IMG_FILES = 7,
	IMG_FILE = 8,
	IMG_PIPE = 9,
	IMG_TTY = 10,
	IMG_SHM = 11,
	IMG_SIGNALS = 12,
	IMG_TIMERS = 13,
	IMG_CRED = 14,
	IMG_SCHED = 15,
	IMG_LIMITS = 16,
	IMG_OBJECT = 17,
	IMG_PARENT = 18,
	IMG_MAPPED = 19,
	IMG_FS = 20,
	IMG_CONTENT = 21,
	IMG_SOCKET = 22,
	IMG_TRAITS = 23,
	IMG_PLACE = 24,
};

/* The file name of generation GENERATION, "7.sess". */
void image_name(uint64_t generation, char ret_name[IMAGE_NAME_MAX]);

/* ---- writing ---- */

struct image_writer;

/*
 * Begin generation GENERATION in directory DIRFD (store_open(); it stays
 * the caller's) as a temporary file, mode 0600. ZSTD_LEVEL 0 stores pages
 * as they are, otherwise each chunk is compressed when that makes it
 * smaller. -EEXIST when the generation exists. After the failure of any
 * function below the image is lost: call image_abort().
 */
int image_create(int dirfd, uint64_t generation, int zstd_level,
    struct image_writer **ret_w, struct err *e);

/*
 * Append LEN bytes, a multiple of IMAGE_PAGE, to the page stream. *RET_PAGE
 * is the number of the first one; the others follow it.
 */
int image_put_pages(struct image_writer *w, const void *data, size_t len,
    uint64_t *ret_page, struct err *e);

/*
 * The same without a copy: image_pages_room() says where to put up to
 * *RET_LEN bytes (at least a page), image_pages_fill() appends the first
 * LEN of those.
 */
void *image_pages_room(struct image_writer *w, size_t *ret_len);
int image_pages_fill(struct image_writer *w, size_t len, uint64_t *ret_page,
    struct err *e);

/*
 * Append record ID of TAG; an id is used once within its tag. The message
 * may be given packed. Order is kept among records of one tag.
 */
int image_put(struct image_writer *w, enum image_tag tag, uint64_t id,
    const ProtobufCMessage *msg, struct err *e);
int image_put_packed(struct image_writer *w, enum image_tag tag, uint64_t id,
    const void *data, size_t len, struct err *e);

/* Bytes written so far, those still held in memory included. */
uint64_t image_len(const struct image_writer *w);

/*
 * Write the rest, flush, read header, records and tables back and verify
 * them, give the file its name (never replacing one) and flush the
 * directory. W is freed in any case; on failure no trace of the image is
 * left. *RET_LEN is the length of the file in bytes.
 */
int image_commit(struct image_writer *w, uint64_t *ret_len, struct err *e);

/* Remove the temporary file and free W, which may be NULL. */
void image_abort(struct image_writer *w);

/* ---- reading ---- */

struct image;

/*
 * Open and verify all but the pages. -ENOENT: there is no such generation;
 * -EPERM: it is not a regular file of ours that only we can read and write;
 * -EBADMSG: damaged or not an image; -ENOTSUP: written by a newer sess;
 * -ENOEXEC: of another kind of machine. A struct image is not changed by
 * reading from it: threads, and processes after fork(2), may share it.
 */
int image_open(int dirfd, uint64_t generation, struct image **ret_img,
    struct err *e);

/* The same for a descriptor, which stays the caller's. PATH is for E. */
int image_open_fd(int fd, const char *path, struct image **ret_img,
    struct err *e);

/*
 * The same for LEN bytes (0: all) at BASE in it, but whose file it is and who
 * may write it is for the caller to check.
 */
int image_open_part(int fd, const char *path, uint64_t base, uint64_t len,
    struct image **ret_img, struct err *e);

void image_close(struct image *img);

uint64_t image_generation(const struct image *img);
const uint8_t *image_id(const struct image *img); /* 16 random bytes */
uint64_t image_file_len(const struct image *img);
uint64_t image_n_pages(const struct image *img);
size_t image_count(const struct image *img, enum image_tag tag);

/*
 * Unpack record number I of TAG, in the order of writing, or the one whose
 * id is ID. The message is the caller's, to be freed with
 * protobuf_c_message_free_unpacked(m, NULL). NULL: there is none, or it
 * does not unpack, or would need more memory than a record of its length
 * can honestly need; E says which. Its values are input: verified against
 * damage, not against nonsense.
 */
void *image_get(const struct image *img, enum image_tag tag, size_t i,
    const ProtobufCMessageDescriptor *d, uint64_t *ret_id, struct err *e);
void *image_find(const struct image *img, enum image_tag tag, uint64_t id,
    const ProtobufCMessageDescriptor *d, struct err *e);

/*
 * A reader of the page stream: it holds one decoded chunk, so that reading
 * on is cheap. One per thread or process.
 */
struct image_pages;

int image_pages_open(const struct image *img, struct image_pages **ret_c,
    struct err *e);
void image_pages_close(struct image_pages *c);

/*
 * Read N pages starting with number PAGE into BUF. Each chunk read is
 * verified first: -EBADMSG when one is damaged, -ERANGE when the stream has
 * no such pages; BUF is then of no use.
 */
int image_read_pages(struct image_pages *c, uint64_t page, void *buf, size_t n,
    struct err *e);

/*
 * Where page PAGE is to be found in image_fd(), for a read by somebody else
 * (another process, FICLONERANGE): verifies the chunks that hold it and up
 * to N - 1 pages behind it. *RET_N (at least 1) pages lie in one piece at
 * *RET_OFF. -EOPNOTSUPP: it is compressed, use image_read_pages().
 */
int image_locate_pages(struct image_pages *c, uint64_t page, size_t n,
    uint64_t *ret_off, size_t *ret_n, struct err *e);
int image_fd(const struct image *img);

/* Read and verify every chunk. 0, or -EBADMSG and E names the first. */
int image_verify_pages(const struct image *img, struct err *e);

#endif
