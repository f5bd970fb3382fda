/* ckpt/image/stream.h: a snapshot as one run of bytes, and whatever else comes that way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "ckpt/ckpt.h"
#include "test/fuzz/forge_stream.h"

#define NONE 0

/* What is in saved/: entries of the session's directory, objects. */
static void
holds(const struct forge *f, int n_images, int n_objects)
{
	autoclose int dir = openat(f->to.fd, "w", O_RDONLY | O_CLOEXEC);
	autoclose int objects = openat(f->to.fd, "objects",
	    O_RDONLY | O_CLOEXEC);

	assert_int_equal(dir < 0 ? 0 : (int)scratch_count(dir, ""), n_images);
	assert_int_equal(objects < 0 ? 0 : (int)scratch_count(objects, ""),
	    n_objects);
	if (n_images == 0)
		assert_int_equal(dir, -1);
}

static int
sent(struct forge *f, const void *data, size_t len, struct err *e)
{
	*e = (struct err){ "" };
	return forge_receive(f, data, len, NULL, e);
}

/* Refused with a sentence, and nothing is left. */
static int
refused(struct forge *f, const void *data, size_t len)
{
	struct err e;
	int r = sent(f, data, len, &e);

	assert_true(r < 0);
	assert_true(e.text[0] != 0 && strchr(e.text, '\n') == NULL);
	holds(f, 0, 0);
	return r;
}

static void
a_snapshot_arrives_with_what_it_needs(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	struct err e;

	(void)state;
	assert_int_equal(sent(&f, f.data, f.len, &e), 0);
	holds(&f, 1, FORGE_OBJECTS);
	assert_int_equal(ckpt_remove(f.to.fd, "w", FORGE_GENERATION, &e), 0);
	holds(&f, 0, 0);
}

static void
what_is_here_is_not_kept_twice(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	struct err e;

	(void)state;
	assert_int_equal(sent(&f, f.data, f.len, &e), 0);
	assert_int_equal(ckpt_rename(f.to.fd, "w", "v", &e), 0);
	assert_int_equal(sent(&f, f.data, f.len, &e), 0);
	holds(&f, 1, FORGE_OBJECTS);
	/* the one that is here stays with its other user */
	assert_int_equal(ckpt_remove(f.to.fd, "w", 0, &e), 0);
	holds(&f, 0, FORGE_OBJECTS);
	assert_int_equal(ckpt_remove(f.to.fd, "v", 0, &e), 0);
	holds(&f, 0, 0);
}

static void
a_damaged_copy_here_is_replaced(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	struct object_id id = f.ids[0];
	autoclose int dirfd = -1, fd = -1, good = -1;
	char name[OBJECT_NAME_CAP];
	struct err e;

	(void)state;
	object_name(&id, name);
	assert_int_equal(mkdirat(f.to.fd, "objects", 0700), 0);
	dirfd = openat(f.to.fd, "objects", O_RDONLY | O_CLOEXEC);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0500);
	assert_int_equal(ftruncate(fd, (off_t)id.size), 0);
	assert_int_equal(sent(&f, f.data, f.len, &e), 0);
	assert_int_equal(objects_open(f.to.fd, &id, &good, &e), 0);
	assert_int_equal(objects_verify(good, &id, &e), 0);
}

static void
cut_anywhere_it_is_refused(void **state)
{
	scoped(forge_done) struct forge f = forge_new();

	(void)state;
	for (size_t len = 0; len < f.len; len += len < 256 ? 7 : 211)
		assert_int_equal(refused(&f, f.data, len), -ENODATA);
	assert_int_equal(refused(&f, f.data, f.len - 1), -ENODATA);
}

static void
a_flipped_bit_anywhere_is_found(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	int r;

	(void)state;
	for (size_t at = 0; at < f.len; at += at < 192 ? 1 : 211) {
		f.data[at] ^= 0x10;
		r = refused(&f, f.data, f.len);
		assert_true(r == -EBADMSG || r == -ENODATA);
		f.data[at] ^= 0x10;
	}
}

static void
bytes_behind_the_end_are_refused(void **state)
{
	scoped(forge_done) struct forge f = forge_new();

	(void)state;
	f.data[f.len] = 0;
	assert_int_equal(refused(&f, f.data, f.len + 1), -EBADMSG);
}

/* Change one number of the head and seal it again. */
static int
with_head(struct forge *f, size_t at, uint64_t v, int n)
{
	uint8_t head[STREAM_HEAD_SIZE];
	int r;

	memcpy(head, f->data, sizeof head);
	put_le(f->data + at, v, n);
	forge_stream_seal(f->data, f->len);
	r = refused(f, f->data, f->len);
	memcpy(f->data, head, sizeof head);
	forge_stream_seal(f->data, f->len);
	return r;
}

static void
a_foreign_head_is_refused(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	struct err e;

	(void)state;
	assert_int_equal(with_head(&f, STREAM_MAJOR_AT, 2, 2), -ENOTSUP);
	assert_int_equal(with_head(&f, STREAM_FLAGS, 1, 8), -ENOTSUP);
	assert_int_equal(with_head(&f, STREAM_MACHINE, 'z', 1), -ENOEXEC);
	assert_int_equal(with_head(&f, STREAM_N_PARTS, 0, 8), -EBADMSG);
	assert_int_equal(with_head(&f, STREAM_N_PARTS, 2, 8), -EBADMSG);
	assert_int_equal(with_head(&f, STREAM_N_PARTS, UINT64_MAX, 8),
	    -EBADMSG);
	assert_int_equal(with_head(&f, STREAM_LEN, f.len - 1, 8), -EBADMSG);
	assert_int_equal(with_head(&f, STREAM_LEN, f.len + 1, 8), -EBADMSG);
	assert_int_equal(with_head(&f, STREAM_LEN, UINT64_MAX, 8), -EBADMSG);
	/* the seals of this test are right */
	assert_int_equal(sent(&f, f.data, f.len, &e), 0);
}

static void
what_has_no_room_is_refused_before_it_comes(void **state)
{
	scoped(forge_done) struct forge f = forge_new();

	(void)state;
	put_u64(f.data + STREAM_LEN, UINT64_C(1) << 60);
	put_u64(f.data + STREAM_HEAD_SIZE + PART_SIZE, UINT64_C(1) << 59);
	forge_stream_seal(f.data, f.len);
	assert_int_equal(refused(&f, f.data, f.len), -ENOSPC);
}

static int
unfit(struct image *img, struct err *e)
{
	(void)img;
	return err_set(e, -EPERM, "not here");
}

static void
what_does_not_fit_here_leaves_nothing(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	struct err e = { "" };

	(void)state;
	assert_int_equal(forge_receive(&f, f.data, f.len, unfit, &e), -EPERM);
	assert_string_equal(e.text, "not here");
	holds(&f, 0, 0);
}

static void
a_taken_generation_is_left_alone(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	struct err e;

	(void)state;
	assert_int_equal(sent(&f, f.data, f.len, &e), 0);
	assert_int_equal(sent(&f, f.data, f.len, &e), -EEXIST);
	holds(&f, 1, FORGE_OBJECTS);
}

static void
it_can_be_given_up(void **state)
{
	scoped(forge_done) struct forge f = forge_new();
	autoclose int ready = eventfd(1, EFD_CLOEXEC);
	struct stream_end from = { .stop_fd = ready };
	autoclose int fd = forge_file(f.data, f.len);
	struct err e = { "" };
	uint64_t got = NONE;

	(void)state;
	from.fd = fd;
	assert_int_equal(stream_get(f.to.fd, "w", &from, NULL, &got, &e),
	    -ECANCELED);
	holds(&f, 0, 0);
	assert_int_equal(stream_put(f.from.fd, "w", FORGE_GENERATION, &from,
			     &got, &e),
	    -ECANCELED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_arrives_with_what_it_needs),
		cmocka_unit_test(what_is_here_is_not_kept_twice),
		cmocka_unit_test(a_damaged_copy_here_is_replaced),
		cmocka_unit_test(cut_anywhere_it_is_refused),
		cmocka_unit_test(a_flipped_bit_anywhere_is_found),
		cmocka_unit_test(bytes_behind_the_end_are_refused),
		cmocka_unit_test(a_foreign_head_is_refused),
		cmocka_unit_test(what_has_no_room_is_refused_before_it_comes),
		cmocka_unit_test(what_does_not_fit_here_leaves_nothing),
		cmocka_unit_test(a_taken_generation_is_left_alone),
		cmocka_unit_test(it_can_be_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
