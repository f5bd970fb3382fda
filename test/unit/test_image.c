/* ckpt/image/image.h: what is written is read, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"
#include "test/fuzz/forge.h"
#include "test/unit/scratch.h"
#include "test/unit/skip.h"

#define N_OBJECTS 5

/* Page number I of the test's stream: no two are alike, none is zero. */
static void
fill_page(uint8_t *p, uint64_t i)
{
	memset(p, (int)(i % 7), IMAGE_PAGE);
	put_u64(p, i);
	put_u64(p + IMAGE_PAGE - 8, ~i * 31);
}

static bool
is_page(const uint8_t *p, uint64_t i)
{
	uint8_t page[IMAGE_PAGE];

	fill_page(page, i);
	return memcmp(p, page, IMAGE_PAGE) == 0;
}

static void
put_pages(struct image_writer *w, uint64_t first, size_t n)
{
	autofree uint8_t *data = malloc(n * IMAGE_PAGE + 1);
	uint64_t page = UINT64_MAX;

	for (size_t i = 0; i < n; i++)
		fill_page(data + i * IMAGE_PAGE, first + i);
	assert_int_equal(image_put_pages(w, data, n * IMAGE_PAGE, &page, NULL),
	    0);
	assert_int_equal(page, first);
}

static void
put_object(struct image_writer *w, uint64_t id, uint64_t size)
{
	Img__Object o = IMG__OBJECT__INIT;

	o.size = size;
	o.path = (char *)"/lib/libc.so.6";
	assert_int_equal(image_put(w, IMG_OBJECT, id, &o.base, NULL), 0);
}

/* An image of N pages and some records as generation 7. */
static uint64_t
make_image(int dirfd, size_t n_pages, int zstd_level)
{
	Img__Session s = IMG__SESSION__INIT;
	char *argv[] = { (char *)"vim", (char *)"a b" };
	struct image_writer *w;
	struct err e = { "" };
	uint64_t len = 0;

	assert_int_equal(image_create(dirfd, 7, zstd_level, &w, &e), 0);
	put_pages(w, 0, n_pages / 2);
	for (uint64_t id = N_OBJECTS; id > 0; id--)
		put_object(w, id, id * 100);
	s.name = (char *)"work";
	s.argv = argv;
	s.n_argv = 2;
	assert_int_equal(image_put(w, IMG_SESSION, 0, &s.base, NULL), 0);
	put_pages(w, n_pages / 2, n_pages - n_pages / 2);
	assert_int_equal(image_commit(w, &len, &e), 0);
	return len;
}

/* The bytes of generation 7, malloc'd. */
static uint8_t *
load_image(int dirfd, size_t *ret_len)
{
	struct buf b = BUF_INIT(64u << 20);

	assert_int_equal(io_read_file(dirfd, "7.sess", &b), 0);
	*ret_len = b.len;
	return b.data;
}

/* Open LEN bytes as an image and read all its pages. */
static int
open_bytes(const uint8_t *data, size_t len, struct err *e)
{
	autoclose int fd = forge_file(data, len);
	struct image *img;
	int r;

	r = image_open_fd(fd, "test", &img, e);
	if (r < 0)
		return r;
	r = image_verify_pages(img, e);
	image_close(img);
	return r;
}

static void
check_pages(struct image_pages *c, uint64_t first, size_t n)
{
	autofree uint8_t *buf = malloc(n * IMAGE_PAGE + 1);

	assert_int_equal(image_read_pages(c, first, buf, n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		assert_true(is_page(buf + i * IMAGE_PAGE, first + i));
}

static void
check_image(size_t n_pages, int zstd_level)
{
	autoscratch struct scratch s = scratch_new();
	uint64_t len = make_image(s.fd, n_pages, zstd_level), id;
	struct image_pages *c;
	struct err e = { "" };
	struct image *img;
	Img__Session *m;
	Img__Object *o;
	uint8_t page[IMAGE_PAGE];

	assert_int_equal(image_open(s.fd, 7, &img, &e), 0);
	assert_int_equal(image_generation(img), 7);
	assert_int_equal(image_file_len(img), len);
	assert_int_equal(image_n_pages(img), n_pages);
	assert_int_equal(image_count(img, IMG_OBJECT), N_OBJECTS);
	assert_int_equal(image_count(img, IMG_SESSION), 1);
	assert_int_equal(image_count(img, IMG_PIPE), 0);
	for (size_t i = 0; i < N_OBJECTS; i++) {
		o = image_get(img, IMG_OBJECT, i, &img__object__descriptor, &id,
		    &e);
		assert_non_null(o);
		assert_int_equal(id, N_OBJECTS - i);
		assert_int_equal(o->size, id * 100);
		assert_string_equal(o->path, "/lib/libc.so.6");
		img__object__free_unpacked(o, NULL);
	}
	o = image_find(img, IMG_OBJECT, 2, &img__object__descriptor, &e);
	assert_int_equal(o->size, 200);
	img__object__free_unpacked(o, NULL);
	assert_null(
	    image_find(img, IMG_OBJECT, 9, &img__object__descriptor, &e));
	assert_null(
	    image_get(img, IMG_PIPE, 0, &img__object__descriptor, &id, &e));
	m = image_find(img, IMG_SESSION, 0, &img__session__descriptor, &e);
	assert_string_equal(m->argv[1], "a b");
	img__session__free_unpacked(m, NULL);

	assert_int_equal(image_pages_open(img, &c, &e), 0);
	check_pages(c, 0, n_pages);
	for (size_t i = 0; i < n_pages; i += 97)
		check_pages(c, i, n_pages - i < 300 ? n_pages - i : 300);
	for (size_t i = n_pages; i > 0; i--)
		check_pages(c, i - 1, 1);
	assert_int_equal(image_read_pages(c, n_pages, page, 1, &e), -ERANGE);
	assert_int_equal(image_read_pages(c, UINT64_MAX, page, 1, &e), -ERANGE);
	assert_int_equal(image_read_pages(c, 1, page, SIZE_MAX, &e), -ERANGE);
	image_pages_close(c);
	assert_int_equal(image_verify_pages(img, &e), 0);
	image_close(img);
	assert_int_equal(scratch_count(s.fd, "tmp-"), 0);
}

static void
an_image_gives_back_records_and_pages(void **state)
{
	static const size_t n_pages[] = { 0, 1, 255, 256, 257, 513, 1024 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(n_pages); i++) {
		check_image(n_pages[i], 0);
		check_image(n_pages[i], 1);
	}
}

static void
pages_may_be_filled_in_place(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_writer *w;
	struct image_pages *c;
	struct image *img;
	uint64_t page, n = 0, len;
	size_t room;
	uint8_t *p;

	(void)state;
	assert_int_equal(image_create(s.fd, 1, 0, &w, NULL), 0);
	while (n < 600) {
		p = image_pages_room(w, &room);
		assert_true(room >= IMAGE_PAGE);
		assert_int_equal((uintptr_t)p % IMAGE_PAGE, 0);
		fill_page(p, n);
		assert_int_equal(image_pages_fill(w, IMAGE_PAGE, &page, NULL),
		    0);
		assert_int_equal(page, n++);
	}
	p = image_pages_room(w, &room);
	assert_int_equal(image_pages_fill(w, 17, &page, NULL), -EINVAL);
	assert_int_equal(image_pages_fill(w, room + IMAGE_PAGE, &page, NULL),
	    -EINVAL);
	assert_int_equal(image_commit(w, &len, NULL), 0);
	assert_int_equal(image_open(s.fd, 1, &img, NULL), 0);
	assert_int_equal(image_pages_open(img, &c, NULL), 0);
	check_pages(c, 0, 600);
	image_pages_close(c);
	image_close(img);
}

static void
raw_pages_can_be_read_from_the_file_itself(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_pages *c;
	struct image *img;
	uint8_t page[IMAGE_PAGE];
	uint64_t off, at = 3;
	size_t n;

	(void)state;
	(void)make_image(s.fd, 700, 0);
	assert_int_equal(image_open(s.fd, 7, &img, NULL), 0);
	assert_int_equal(image_pages_open(img, &c, NULL), 0);
	while (at < 700) {
		assert_int_equal(image_locate_pages(c, at, 700 - at, &off, &n,
				     NULL),
		    0);
		assert_in_range(n, 1, 700 - at);
		assert_int_equal(off % IMAGE_PAGE, 0);
		for (size_t i = 0; i < n; i++, at++) {
			assert_int_equal(io_pread(image_fd(img), page,
					     IMAGE_PAGE, off + i * IMAGE_PAGE),
			    0);
			assert_true(is_page(page, at));
		}
	}
	assert_int_equal(image_locate_pages(c, 700, 1, &off, &n, NULL),
	    -ERANGE);
	image_pages_close(c);
	image_close(img);
}

static void
compressed_pages_are_not_located(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_pages *c;
	struct image *img;
	uint64_t off;
	size_t n;

	(void)state;
	assert_true(make_image(s.fd, 700, 3) < 700 * IMAGE_PAGE / 2);
	assert_int_equal(image_open(s.fd, 7, &img, NULL), 0);
	assert_int_equal(image_pages_open(img, &c, NULL), 0);
	assert_int_equal(image_locate_pages(c, 0, 1, &off, &n, NULL),
	    -EOPNOTSUPP);
	image_pages_close(c);
	image_close(img);
}

static void
chunks_that_do_not_shrink_stay_raw(void **state)
{
	autoscratch struct scratch s = scratch_new();
	autofree uint8_t *noise = malloc(2 * IMAGE_CHUNK);
	struct image_writer *w;
	struct image_pages *c;
	struct image *img;
	uint64_t page, off, x = 88172645463325252u;
	size_t n;

	(void)state;
	for (size_t i = 0; i < 2 * IMAGE_CHUNK; i += 8) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
		memcpy(noise + i, &x, 8);
	}
	memset(noise, 0, IMAGE_CHUNK);
	assert_int_equal(image_create(s.fd, 1, 1, &w, NULL), 0);
	assert_int_equal(image_put_pages(w, noise, 2 * IMAGE_CHUNK, &page,
			     NULL),
	    0);
	assert_int_equal(image_commit(w, &page, NULL), 0);
	assert_int_equal(image_open(s.fd, 1, &img, NULL), 0);
	assert_int_equal(image_pages_open(img, &c, NULL), 0);
	assert_int_equal(image_locate_pages(c, 0, 1, &off, &n, NULL),
	    -EOPNOTSUPP);
	assert_int_equal(image_locate_pages(c, IMAGE_CHUNK_PAGES, 256, &off, &n,
			     NULL),
	    0);
	assert_int_equal(off, HEAD_SIZE + IMAGE_PAGE);
	assert_int_equal(n, 256);
	image_pages_close(c);
	image_close(img);
}

static void
a_cut_image_is_refused_wherever_it_was_cut(void **state)
{
	autoscratch struct scratch s = scratch_new();
	size_t len;
	uint64_t made = make_image(s.fd, 3, 1);
	autofree uint8_t *data = load_image(s.fd, &len);
	struct err e;

	(void)state;
	assert_int_equal(made, len);
	assert_int_equal(open_bytes(data, len, &e), 0);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(open_bytes(data, n, &e), -EBADMSG);
	data = realloc(data, len + 1);
	data[len] = 0;
	assert_int_equal(open_bytes(data, len + 1, &e), -EBADMSG);
}

static void
any_byte_that_changes_is_found(void **state)
{
	static const int levels[] = { 0, 1 };
	(void)state;
	for (size_t l = 0; l < N_ELEMENTS(levels); l++) {
		autoscratch struct scratch s = scratch_new();
		autofree uint8_t *data = NULL;
		struct err e;
		size_t len;

		(void)make_image(s.fd, 3, levels[l]);
		data = load_image(s.fd, &len);
		for (size_t i = 0; i < len; i++) {
			data[i] ^= 1u << i % 8;
			e.text[0] = 0;
			assert_int_equal(open_bytes(data, len, &e), -EBADMSG);
			assert_string_not_equal(e.text, "");
			data[i] ^= 1u << i % 8;
		}
	}
}

/* Open LEN bytes as an image, no more. */
static int
open_only(const uint8_t *data, size_t len)
{
	autoclose int fd = forge_file(data, len);
	struct image *img;
	struct err e;
	int r;

	r = image_open_fd(fd, "test", &img, &e);
	if (r == 0)
		image_close(img);
	return r;
}

static void
all_but_page_data_is_verified_by_opening(void **state)
{
	autoscratch struct scratch s = scratch_new();
	autofree uint8_t *data = NULL;
	uint64_t pages_end, table;
	size_t len;

	(void)state;
	(void)make_image(s.fd, 3, 1);
	data = load_image(s.fd, &len);
	pages_end = get_u64(data + len - TAIL_SIZE + TAIL_RECORDS_OFF);
	table = get_u64(data + len - TAIL_SIZE + TAIL_TABLE_OFF);
	assert_int_equal(open_only(data, len), 0);
	for (size_t i = 0; i < len; i++) {
		if (i == HEAD_SIZE)
			i = pages_end;
		data[i] ^= 0x10;
		assert_int_equal(open_only(data, len), -EBADMSG);
		data[i] ^= 0x10;
	}
	/* A chunk that is longer than the room for it, frame and all. */
	assert_int_equal(get_u32(data + table + ENT_STORED), 4096);
	put_u32(data + table + ENT_STORED, 8192);
	put_u32(data + table + ENT_FRAME, 5000);
	forge_seal(data, len);
	assert_int_equal(open_only(data, len), -EBADMSG);
}

static void
damage_is_found_by_the_chunk_that_is_read(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_pages *c;
	struct image *img;
	uint8_t page[IMAGE_PAGE];
	uint64_t off;
	struct err e;
	size_t n;
	autoclose int fd = -1;

	(void)state;
	(void)make_image(s.fd, 600, 0);
	fd = openat(s.fd, "7.sess", O_WRONLY | O_CLOEXEC);
	assert_int_equal(io_pwrite(fd, "!", 1, HEAD_SIZE + IMAGE_CHUNK + 99),
	    0);
	assert_int_equal(image_open(s.fd, 7, &img, &e), 0);
	assert_int_equal(image_pages_open(img, &c, &e), 0);
	check_pages(c, 0, 256);
	check_pages(c, 255, 1);
	assert_int_equal(image_read_pages(c, 500, page, 1, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "byte 1052672"));
	check_pages(c, 255, 1);
	assert_int_equal(image_locate_pages(c, 300, 1, &off, &n, &e), -EBADMSG);
	check_pages(c, 512, 88);
	assert_int_equal(image_verify_pages(img, &e), -EBADMSG);
	image_pages_close(c);
	image_close(img);
}

/* Generation 7 with the N-byte number V at offset OFF of its header. */
static int
open_forged_head(size_t off, uint64_t v, int n, struct err *e)
{
	autoscratch struct scratch s = scratch_new();
	autofree uint8_t *data = NULL;
	size_t len;

	(void)make_image(s.fd, 3, 0);
	data = load_image(s.fd, &len);
	put_le(data + off, v, n);
	forge_seal(data, len);
	return open_bytes(data, len, e);
}

static void
images_of_newer_sess_and_other_machines_are_refused(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(open_forged_head(HEAD_MAJOR, 2, 2, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "newer sess"));
	assert_int_equal(open_forged_head(HEAD_FLAGS, 1, 8, &e), -ENOTSUP);
	assert_int_equal(open_forged_head(HEAD_MINOR, 9, 2, &e), 0);
	assert_int_equal(open_forged_head(HEAD_MACHINE, 'z', 1, &e), -ENOEXEC);
	assert_int_equal(open_forged_head(HEAD_PAGE, 16384, 4, &e), -ENOEXEC);
	assert_int_equal(open_forged_head(HEAD_MAGIC, 0, 1, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "not a snapshot"));
}

/* The same in the trailer. */
static int
open_forged_tail(size_t off, uint64_t v, struct err *e)
{
	autoscratch struct scratch s = scratch_new();
	autofree uint8_t *data = NULL;
	size_t len;

	(void)make_image(s.fd, 300, 0);
	data = load_image(s.fd, &len);
	put_u64(data + len - TAIL_SIZE + off, v);
	forge_seal(data, len);
	return open_bytes(data, len, e);
}

static void
lying_numbers_in_the_trailer_are_refused(void **state)
{
	static const size_t at[] = { TAIL_FILE_LEN, TAIL_N_PAGES, TAIL_N_CHUNKS,
		TAIL_RECORDS_OFF, TAIL_RECORDS_LEN, TAIL_N_RECORDS,
		TAIL_TABLE_OFF };
	static const uint64_t v[] = { 0, 1, 4095, 4096, 1u << 20, UINT32_MAX,
		(uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX,
		UINT64_MAX - 4095, UINT64_MAX / 16 + 1 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(at); i++)
		for (size_t j = 0; j < N_ELEMENTS(v); j++)
			assert_int_equal(open_forged_tail(at[i], v[j], &e),
			    -EBADMSG);
}

static void
lying_chunk_and_record_lengths_are_refused(void **state)
{
	static const uint32_t v[] = { 0, 1, 4096, 8192, 1u << 20,
		(1u << 20) + 4096, UINT32_MAX, UINT32_MAX - 4095 };
	autoscratch struct scratch s = scratch_new();
	autofree uint8_t *data = NULL, *forged = NULL;
	uint8_t *tail;
	size_t len, spot[3];
	struct err e;

	(void)state;
	(void)make_image(s.fd, 4, 0);
	data = load_image(s.fd, &len);
	forged = malloc(len);
	tail = data + len - TAIL_SIZE;
	spot[0] = get_u64(tail + TAIL_TABLE_OFF) + ENT_STORED;
	spot[1] = get_u64(tail + TAIL_TABLE_OFF) + ENT_FRAME;
	spot[2] = get_u64(tail + TAIL_RECORDS_OFF) + REC_LEN;
	for (size_t i = 0; i < N_ELEMENTS(spot); i++)
		for (size_t j = 0; j < N_ELEMENTS(v); j++) {
			if (get_u32(data + spot[i]) == v[j])
				continue;
			memcpy(forged, data, len);
			put_u32(forged + spot[i], v[j]);
			forge_seal(forged, len);
			assert_int_equal(open_bytes(forged, len, &e), -EBADMSG);
		}
	memcpy(forged, data, len);
	forge_seal(forged, len);
	assert_int_equal(open_bytes(forged, len, &e), 0);
}

static void
read_hex(const char *path, struct buf *b)
{
	autobuf struct buf text = BUF_INIT(1u << 20);
	unsigned byte;
	int used;

	assert_int_equal(io_read_file(AT_FDCWD, path, &text), 0);
	for (const char *p = (const char *)text.data;
	     sscanf(p, "%2x%n", &byte, &used) == 1; p += used)
		assert_int_equal(buf_put(b, &(uint8_t){ (uint8_t)byte }, 1), 0);
}

/*
 * test/unit/image-1.0.hex is, in hexadecimal, generation 7 of make_image()
 * with 300 pages at level 1, written when the format was made. It is never
 * made anew: if this test fails, images that people have can no longer be
 * read.
 */
static void
an_image_of_the_first_release_is_read_for_ever(void **state)
{
	autobuf struct buf b = BUF_INIT(1u << 20);
	struct image_pages *c;
	struct image *img;
	Img__Session *m;
	Img__Object *o;
	struct err e = { "" };
	autoclose int fd = -1;

	(void)state;
	if (strcmp(IMAGE_MACHINE, "x86_64") != 0)
		skip_because("the image kept here is one of x86_64");
	read_hex("test/unit/image-1.0.hex", &b);
	fd = forge_file(b.data, b.len);
	assert_int_equal(image_open_fd(fd, "image-1.0", &img, &e), 0);
	assert_int_equal(image_generation(img), 7);
	assert_int_equal(image_count(img, IMG_OBJECT), N_OBJECTS);
	o = image_find(img, IMG_OBJECT, 3, &img__object__descriptor, &e);
	assert_int_equal(o->size, 300);
	img__object__free_unpacked(o, NULL);
	m = image_get(img, IMG_SESSION, 0, &img__session__descriptor, NULL, &e);
	assert_string_equal(m->name, "work");
	img__session__free_unpacked(m, NULL);
	assert_int_equal(image_pages_open(img, &c, &e), 0);
	check_pages(c, 0, 300);
	image_pages_close(c);
	image_close(img);
}

static void
two_records_of_one_name_are_refused_before_the_image_exists(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_writer *w;
	struct err e;
	uint64_t len;

	(void)state;
	assert_int_equal(image_create(s.fd, 1, 0, &w, &e), 0);
	put_object(w, 5, 1);
	put_object(w, 5, 2);
	assert_int_equal(image_commit(w, &len, &e), -EBADMSG);
	assert_int_equal(scratch_count(s.fd, ""), 0);
}

static void
a_record_that_swells_beyond_measure_is_refused(void **state)
{
	const ProtobufCFieldDescriptor *vmas =
	    protobuf_c_message_descriptor_get_field_by_name(
		&img__mm__descriptor, "vmas");
	autoscratch struct scratch s = scratch_new();
	size_t len = 2u << 20;
	autofree uint8_t *bomb = malloc(len);
	struct image_writer *w;
	struct image *img;
	uint64_t n;
	struct err e;

	(void)state;
	assert_in_range(vmas->id, 1, 15);
	for (size_t i = 0; i < len; i += 2) { /* a million empty mappings */
		bomb[i] = (uint8_t)(vmas->id << 3 | 2);
		bomb[i + 1] = 0;
	}
	assert_int_equal(image_create(s.fd, 1, 0, &w, &e), 0);
	assert_int_equal(image_put_packed(w, IMG_MM, 0, bomb, len, &e), 0);
	assert_int_equal(image_put_packed(w, IMG_TREE, 0, "\xff\xff", 2, &e),
	    0);
	assert_int_equal(image_commit(w, &n, &e), 0);
	assert_int_equal(image_open(s.fd, 1, &img, &e), 0);
	assert_null(image_get(img, IMG_MM, 0, &img__mm__descriptor, NULL, &e));
	assert_non_null(strstr(e.text, "cannot be understood"));
	assert_null(
	    image_get(img, IMG_TREE, 0, &img__session__descriptor, NULL, &e));
	image_close(img);
}

static void
a_record_that_is_too_long_is_not_written(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_writer *w;
	struct err e;

	(void)state;
	assert_int_equal(image_create(s.fd, 2, 0, &w, &e), 0);
	assert_int_equal(image_put_packed(w, IMG_SESSION, 0, "",
			     IMAGE_RECORD_MAX + 1, &e),
	    -EFBIG);
	image_abort(w);
}

static void
an_image_open_to_others_or_not_a_file_is_refused(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image *img;
	struct err e;

	(void)state;
	(void)make_image(s.fd, 1, 0);
	assert_int_equal(fchmodat(s.fd, "7.sess", 0640, 0), 0);
	assert_int_equal(image_open(s.fd, 7, &img, &e), -EPERM);
	assert_non_null(strstr(e.text, "chmod 600"));
	assert_int_equal(fchmodat(s.fd, "7.sess", 0602, 0), 0);
	assert_int_equal(image_open(s.fd, 7, &img, &e), -EPERM);
	assert_int_equal(fchmodat(s.fd, "7.sess", 0600, 0), 0);
	assert_int_equal(symlinkat("7.sess", s.fd, "8.sess"), 0);
	assert_int_equal(image_open(s.fd, 8, &img, &e), -ELOOP);
	assert_int_equal(mkdirat(s.fd, "9.sess", 0700), 0);
	assert_int_equal(image_open(s.fd, 9, &img, &e), -EPERM);
	assert_int_equal(mkfifoat(s.fd, "10.sess", 0600), 0);
	assert_int_equal(image_open(s.fd, 10, &img, &e), -EPERM);
	assert_int_equal(image_open(s.fd, 11, &img, &e), -ENOENT);
	assert_int_equal(renameat(s.fd, "7.sess", s.fd, "12.sess"), 0);
	assert_int_equal(image_open(s.fd, 12, &img, &e), -EBADMSG);
}

static void
check_foreign(void)
{
	autoscratch struct scratch s = scratch_new();
	struct image *img;
	struct err e;

	(void)make_image(s.fd, 1, 0);
	assert_int_equal(fchownat(s.fd, "7.sess", 1234, 0, 0), 0);
	assert_int_equal(image_open(s.fd, 7, &img, &e), -EPERM);
	assert_non_null(strstr(e.text, "user 1234"));
}

static void
an_image_of_somebody_else_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root can have a file of somebody else");
	check_foreign();
}

static void
an_existing_generation_is_never_replaced(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_writer *w, *v;
	struct err e;
	uint64_t len;

	(void)state;
	assert_int_equal(image_create(s.fd, 1, 0, &w, &e), 0);
	assert_int_equal(image_create(s.fd, 1, 0, &v, &e), 0);
	put_pages(v, 0, 3);
	assert_int_equal(image_commit(w, &len, &e), 0);
	assert_int_equal(image_commit(v, &len, &e), -EEXIST);
	assert_int_equal(image_create(s.fd, 1, 0, &w, &e), -EEXIST);
	assert_int_equal(scratch_count(s.fd, ""), 1);
}

static void
an_image_given_up_leaves_nothing(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_writer *w;
	struct stat st;

	(void)state;
	assert_int_equal(image_create(s.fd, 1, 1, &w, NULL), 0);
	put_pages(w, 0, 1000);
	assert_int_equal(scratch_count(s.fd, "tmp-"), 1);
	assert_int_equal(scratch_count(s.fd, ""), 1);
	image_abort(w);
	image_abort(NULL);
	assert_int_equal(scratch_count(s.fd, ""), 0);
	(void)umask(0);
	(void)make_image(s.fd, 1, 0);
	(void)umask(022);
	assert_int_equal(fstatat(s.fd, "7.sess", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Write 4 MiB of image into DIRFD; the failure and its sentence. */
static int
fill_disk(int dirfd, struct err *e)
{
	autofree uint8_t *data = calloc(1, 4u << 20);
	struct image_writer *w;
	uint64_t page, len;
	int r;

	r = image_create(dirfd, 1, 0, &w, e);
	if (r < 0)
		return r;
	r = image_put_pages(w, data, 4u << 20, &page, e);
	if (r == 0)
		return image_commit(w, &len, e);
	image_abort(w);
	return r;
}

/* In a child of its own mount namespace: 0 as expected, 77 not possible. */
static int
fill_small_disk(const struct scratch *s)
{
	struct err e = { "" };
	autoclose int fd = -1;
	int r;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("t", s->path, "tmpfs", 0, "size=1m,mode=700") < 0)
		return 77;
	fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fill_disk(fd, &e);
	if (r != -ENOSPC || strstr(e.text, "1.sess") == NULL ||
	    strstr(e.text, s->path) == NULL)
		return 1;
	return scratch_count(fd, "") == 0 ? 0 : 2;
}

static int
fill_in_child(void)
{
	autoscratch struct scratch s = scratch_new();
	int status = -1;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		_exit(fill_small_disk(&s));
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
a_full_disk_leaves_no_trace_and_one_sentence(void **state)
{
	int r = fill_in_child();

	(void)state;
	if (r == 77)
		skip_because("no small file system can be mounted here");
	assert_int_equal(r, 0);
}

static void
a_limit_on_file_size_leaves_no_trace(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct rlimit old, small;
	struct err e = { "" };

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1u << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(fill_disk(s.fd, &e), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(e.text, "1.sess"));
	assert_int_equal(scratch_count(s.fd, ""), 0);
}

static void
two_processes_read_one_image_at_once(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_pages *c;
	struct image *img;
	int status;
	pid_t pid;

	(void)state;
	(void)make_image(s.fd, 2000, 1);
	assert_int_equal(image_open(s.fd, 7, &img, NULL), 0);
	pid = fork();
	assert_int_equal(image_pages_open(img, &c, NULL), 0);
	for (uint64_t i = pid == 0; i < 2000; i += 2)
		check_pages(c, i, 1);
	image_pages_close(c);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	image_close(img);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_gives_back_records_and_pages),
		cmocka_unit_test(pages_may_be_filled_in_place),
		cmocka_unit_test(raw_pages_can_be_read_from_the_file_itself),
		cmocka_unit_test(compressed_pages_are_not_located),
		cmocka_unit_test(chunks_that_do_not_shrink_stay_raw),
		cmocka_unit_test(a_cut_image_is_refused_wherever_it_was_cut),
		cmocka_unit_test(any_byte_that_changes_is_found),
		cmocka_unit_test(all_but_page_data_is_verified_by_opening),
		cmocka_unit_test(damage_is_found_by_the_chunk_that_is_read),
		cmocka_unit_test(
		    images_of_newer_sess_and_other_machines_are_refused),
		cmocka_unit_test(lying_numbers_in_the_trailer_are_refused),
		cmocka_unit_test(lying_chunk_and_record_lengths_are_refused),
		cmocka_unit_test(
		    an_image_of_the_first_release_is_read_for_ever),
		cmocka_unit_test(
		    two_records_of_one_name_are_refused_before_the_image_exists),
		cmocka_unit_test(
		    a_record_that_swells_beyond_measure_is_refused),
		cmocka_unit_test(a_record_that_is_too_long_is_not_written),
		cmocka_unit_test(
		    an_image_open_to_others_or_not_a_file_is_refused),
		cmocka_unit_test(an_image_of_somebody_else_is_refused),
		cmocka_unit_test(an_existing_generation_is_never_replaced),
		cmocka_unit_test(an_image_given_up_leaves_nothing),
		cmocka_unit_test(a_full_disk_leaves_no_trace_and_one_sentence),
		cmocka_unit_test(a_limit_on_file_size_leaves_no_trace),
		cmocka_unit_test(two_processes_read_one_image_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
