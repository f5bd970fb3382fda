/* ckpt/image/store.h, ckpt/image/objects.h: snapshots on disk, and what is removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/dir.h"
#include "base/io.h"
#include "base/name.h"
#include "base/temp.h"
#include "ckpt/ckpt.h"
#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"
#include "ckpt/image/objects.h"
#include "ckpt/image/store.h"
#include "test/unit/scratch.h"

/* Begin generation N of NAME, which refers to OBJECT and PARENT if given. */
static struct image_writer *
begin(int saved, const char *name, uint64_t n, const struct object_id *object,
    uint64_t parent)
{
	char *argv[] = { (char *)"vim", (char *)"a b", (char *)"\033c" };
	Img__Session s = IMG__SESSION__INIT;
	Img__Object o = IMG__OBJECT__INIT;
	Img__Parent p = IMG__PARENT__INIT;
	struct image_writer *w;
	autoclose int dirfd = -1;
	struct err e = { "" };

	assert_int_equal(store_open(saved, name, true, &dirfd, &e), 0);
	assert_int_equal(image_create(dirfd, n, 0, &w, &e), 0);
	s.argv = argv;
	s.n_argv = 3;
	assert_int_equal(image_put(w, IMG_SESSION, 0, &s.base, &e), 0);
	if (object != NULL) {
		o.hash_hi = object->hash_hi;
		o.hash_lo = object->hash_lo;
		o.size = object->size;
		assert_int_equal(image_put(w, IMG_OBJECT, 1, &o.base, &e), 0);
	}
	if (parent != 0) {
		p.generation = parent;
		assert_int_equal(image_put(w, IMG_PARENT, parent, &p.base, &e),
		    0);
	}
	return w;
}

static void
save(int saved, const char *name, uint64_t n, const struct object_id *object,
    uint64_t parent)
{
	struct image_writer *w = begin(saved, name, n, object, parent);
	uint64_t len;

	assert_int_equal(image_commit(w, &len, NULL), 0);
}

/* Damage generation N of NAME. */
static void
damage(int saved, const char *name, uint64_t n)
{
	autoclose int dirfd = -1, fd = -1;
	char file[IMAGE_NAME_MAX];

	image_name(n, file);
	assert_int_equal(store_open(saved, name, false, &dirfd, NULL), 0);
	fd = openat(dirfd, file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(io_pwrite(fd, "XXXX", 4, 4096 + 9), 0);
}

/* The generations of NAME are those of TEXT, "1 2 3". */
static void
check_list(int saved, const char *name, const char *text)
{
	autobuf struct buf b = BUF_INIT(1000);
	autofree struct ckpt_generation *v = NULL;
	size_t n;

	assert_int_equal(ckpt_generations(saved, name, &v, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_printf(&b, "%s%llu", i > 0 ? " " : "",
				     (unsigned long long)v[i].number),
		    0);
	assert_int_equal(buf_put(&b, "", 1), 0);
	assert_string_equal((char *)b.data, text);
}

static void
a_session_is_found_by_its_name_whatever_it_is(void **state)
{
	static const char *const names[] = { "%41", ".hidden", "a b", "build",
		"objects", "tmp-0123456789abcdef", "w\xc3\xb6rk",
		"0123456789012345678901234567890123456789012345678901234567890"
		"123456789" };
	autoscratch struct scratch s = scratch_new();
	char **found;
	size_t n;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		save(s.fd, names[i], i + 1, NULL, 0);
		save(s.fd, names[i], i + 2, NULL, 0);
	}
	assert_int_equal(ckpt_names(s.fd, &found, &n, NULL), 0);
	assert_int_equal(n, N_ELEMENTS(names));
	for (size_t i = 0; i < n; i++) {
		bool seen = false;

		for (size_t j = 0; j < n; j++)
			seen |= strcmp(found[j], names[i]) == 0;
		assert_true(seen);
		assert_true(i == 0 || strcmp(found[i - 1], found[i]) < 0);
	}
	for (size_t i = 0; i < n; i++)
		free(found[i]);
	free(found);
	check_list(s.fd, "%41", "1 2");
	check_list(s.fd, ".hidden", "2 3");
	check_list(s.fd, "nothing", "");
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		assert_int_equal(ckpt_remove(s.fd, names[i], 0, NULL), 0);
	assert_int_equal(ckpt_names(s.fd, &found, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(scratch_count(s.fd, ""), 1); /* objects/ */
}

static void
two_names_never_share_a_directory(void **state)
{
	autoscratch struct scratch s = scratch_new();
	char key[NAME_KEY_CAP];
	autoclose int dirfd = -1, fd = -1;
	struct err e;

	(void)state;
	save(s.fd, ".a", 1, NULL, 0);
	assert_true(name_key(".a", key));
	assert_true(name_key(key, key)); /* a name that looks like the key */
	dirfd = openat(s.fd, key, O_RDONLY | O_CLOEXEC);
	assert_int_equal(dirfd, -1);
	/* As if another name had the same hash. */
	assert_int_equal(store_open(s.fd, ".a", false, &dirfd, &e), 0);
	fd = scratch_file(dirfd, "name", ".b", 2);
	scope_close(&dirfd);
	assert_int_equal(store_open(s.fd, ".a", false, &dirfd, &e), -EEXIST);
	assert_non_null(strstr(e.text, ".b"));
}

static void
a_name_never_leads_out_of_the_directory(void **state)
{
	autoscratch struct scratch s = scratch_new();
	static const char *const names[] = { "..", ".", "", "../x", "a/b",
		"/etc" };
	char key[NAME_KEY_CAP];
	int fd;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		assert_true(name_key(names[i], key));
		assert_null(strchr(key, '/'));
		assert_int_equal(store_open(s.fd, names[i], false, &fd, NULL),
		    -ENOENT);
	}
	assert_false(name_key("a..b", key));
}

static void
only_generations_are_listed(void **state)
{
	static const char *const stray[] = { "0.sess", "01.sess", "7.sess2",
		"x.sess", ".sess", "99999999999999999999.sess", "name", "4",
		"-1.sess", "tmp-0011223344556677" };
	autoscratch struct scratch s = scratch_new();
	autoclose int dirfd = -1;
	uint64_t next;

	(void)state;
	assert_int_equal(save_next_generation(s.fd, "w", &next, NULL), 0);
	assert_int_equal(next, 1);
	save(s.fd, "w", 2, NULL, 0);
	save(s.fd, "w", 10, NULL, 0);
	assert_int_equal(store_open(s.fd, "w", false, &dirfd, NULL), 0);
	for (size_t i = 0; i < N_ELEMENTS(stray); i++)
		(void)close(scratch_file(dirfd, stray[i], "x", 1));
	assert_int_equal(mkdirat(dirfd, "5.sess", 0700), 0);
	assert_int_equal(symlinkat("2.sess", dirfd, "6.sess"), 0);
	check_list(s.fd, "w", "2 10");
	assert_int_equal(save_next_generation(s.fd, "w", &next, NULL), 0);
	assert_int_equal(next, 11);
}

static void
the_command_is_one_harmless_line(void **state)
{
	autoscratch struct scratch s = scratch_new();
	autofree char *text = NULL;

	(void)state;
	assert_null(ckpt_command(s.fd, "w"));
	save(s.fd, "w", 1, NULL, 0);
	text = ckpt_command(s.fd, "w");
	assert_string_equal(text, "vim a b ?c");
	damage(s.fd, "w", 1);
	assert_null(ckpt_command(s.fd, "w"));
}

static void
a_directory_that_is_not_ours_alone_is_refused(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct err e;
	int fd;

	(void)state;
	save(s.fd, "w", 1, NULL, 0);
	assert_int_equal(fchmodat(s.fd, "w", 0750, 0), 0);
	assert_int_equal(store_open(s.fd, "w", false, &fd, &e), -EPERM);
	assert_non_null(strstr(e.text, "chmod"));
	assert_int_equal(store_open(s.fd, "w", true, &fd, &e), -EPERM);
	assert_int_equal(fchmodat(s.fd, "w", 0700, 0), 0);
	assert_int_equal(symlinkat("w", s.fd, "v"), 0);
	assert_int_equal(store_open(s.fd, "v", false, &fd, &e), -EPERM);
	assert_int_equal(store_open(s.fd, "none", false, &fd, &e), -ENOENT);
	assert_non_null(strstr(e.text, "none"));
	if (geteuid() != 0)
		return;
	assert_int_equal(fchownat(s.fd, "w", 1234, 0, 0), 0);
	assert_int_equal(store_open(s.fd, "w", false, &fd, &e), -EPERM);
	assert_non_null(strstr(e.text, "1234"));
}

static void
what_a_dead_writer_left_is_swept_and_no_more(void **state)
{
	autoscratch struct scratch s = scratch_new();
	autotemp struct temp t = TEMP_NONE;
	autoclose int dirfd = -1;
	uint64_t page;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(store_open(s.fd, "w", true, &dirfd, NULL), 0);
	assert_int_equal(temp_create(dirfd, 0600, &t), 0);
	pid = fork();
	if (pid == 0) {
		struct image_writer *w = begin(s.fd, "w", 1, NULL, 0);
		static uint8_t data[8192];

		(void)image_put_pages(w, data, sizeof data, &page, NULL);
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(scratch_count(dirfd, "tmp-"), 2);
	(void)close(scratch_file(dirfd, "tmp-notes", "x", 1));
	save(s.fd, "w", 2, NULL, 0); /* sweeps first */
	assert_int_equal(scratch_count(dirfd, "tmp-"), 2);
	assert_int_equal(temp_sweep(dirfd), 1);
	assert_int_equal(faccessat(dirfd, t.name, F_OK, 0), 0);
	assert_int_equal(io_write(t.fd, "whole", 5), 0);
	assert_int_equal(temp_commit(&t, "2.sess"), -EEXIST);
	assert_int_equal(temp_sweep(dirfd), 0);
}

static void
pruning_keeps_the_newest_that_can_be_read(void **state)
{
	autoscratch struct scratch s = scratch_new();

	(void)state;
	for (uint64_t i = 1; i <= 7; i++)
		save(s.fd, "w", i, NULL, 0);
	assert_int_equal(ckpt_prune(s.fd, "w", 5, NULL), 0);
	check_list(s.fd, "w", "3 4 5 6 7");
	damage(s.fd, "w", 7);
	damage(s.fd, "w", 5);
	assert_int_equal(ckpt_prune(s.fd, "w", 2, NULL), 0);
	check_list(s.fd, "w", "4 5 6 7");
	assert_int_equal(ckpt_prune(s.fd, "w", 0, NULL), 0);
	check_list(s.fd, "w", "6 7");
	assert_int_equal(ckpt_prune(s.fd, "nothing", 2, NULL), -ENOENT);
}

static void
removing_all_leaves_a_directory_that_is_in_use(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct image_writer *w;
	autoclose int dirfd = -1;
	char **names;
	uint64_t len;
	size_t n;

	(void)state;
	save(s.fd, ".w", 1, NULL, 0);
	w = begin(s.fd, ".w", 2, NULL, 0);
	assert_int_equal(ckpt_remove(s.fd, ".w", 0, NULL), 0);
	assert_int_equal(image_commit(w, &len, NULL), 0);
	check_list(s.fd, ".w", "2");
	/* And one in which lies what is not ours to remove. */
	assert_int_equal(store_open(s.fd, ".w", false, &dirfd, NULL), 0);
	(void)close(scratch_file(dirfd, "note", "x", 1));
	assert_int_equal(ckpt_remove(s.fd, ".w", 0, NULL), 0);
	assert_int_equal(scratch_count(dirfd, ""), 2);
	save(s.fd, ".w", 3, NULL, 0);
	assert_int_equal(ckpt_names(s.fd, &names, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_string_equal(names[0], ".w");
	free(names[0]);
	free(names);
}

static void
a_generation_that_another_one_needs_stays(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct err e;

	(void)state;
	save(s.fd, "w", 1, NULL, 0);
	save(s.fd, "w", 2, NULL, 0);
	save(s.fd, "w", 3, NULL, 1);
	save(s.fd, "w", 4, NULL, 0);
	save(s.fd, "w", 5, NULL, 3);
	assert_int_equal(ckpt_prune(s.fd, "w", 1, NULL), 0);
	check_list(s.fd, "w", "1 3 5");
	assert_int_equal(ckpt_remove(s.fd, "w", 1, &e), -EBUSY);
	assert_int_equal(ckpt_remove(s.fd, "w", 5, &e), 0);
	assert_int_equal(ckpt_remove(s.fd, "w", 5, &e), -ENOENT);
	check_list(s.fd, "w", "1 3");
	assert_int_equal(ckpt_remove(s.fd, "w", 0, &e), 0);
	check_list(s.fd, "w", "");
	assert_int_equal(ckpt_remove(s.fd, "w", 0, &e), -ENOENT);
	assert_string_equal(e.text, "there is no snapshot of w");
}

/* ---- objects ---- */

static size_t
n_objects(const struct scratch *s)
{
	autoclose int dirfd = openat(s->fd, "objects", O_RDONLY | O_CLOEXEC);

	return scratch_count(dirfd, "") -
	    (faccessat(dirfd, "cache", F_OK, 0) == 0);
}

/* Keep a copy of TEXT. */
static struct object_id
put(const struct scratch *s, const char *text)
{
	autoclose int fd = scratch_file(s->fd, "file", text, strlen(text));
	struct object_id id;
	struct err e = { "" };

	assert_int_equal(objects_put(s->fd, fd, &id, &e), 0);
	assert_int_equal(id.size, strlen(text));
	return id;
}

static bool
is_kept(const struct scratch *s, const struct object_id *id)
{
	autoclose int fd = -1;

	return objects_open(s->fd, id, &fd, NULL) == 0 &&
	    objects_verify(fd, id, NULL) == 0;
}

static void
a_content_is_kept_once(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct object_id a = put(&s, "hello"), b = put(&s, "hello"),
			 c = put(&s, "world"), empty = put(&s, "");
	autoclose int fd = -1;
	struct stat st;
	char buf[5];

	(void)state;
	assert_memory_equal(&a, &b, sizeof a);
	assert_memory_not_equal(&a, &c, sizeof a);
	assert_int_equal(n_objects(&s), 3);
	assert_true(is_kept(&s, &empty));
	assert_int_equal(objects_open(s.fd, &a, &fd, NULL), 0);
	assert_int_equal(io_pread(fd, buf, 5, 0), 0);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0500);
	c.hash_lo ^= 1;
	assert_int_equal(objects_open(s.fd, &c, &fd, NULL), -ENOENT);
}

static void
a_large_file_is_kept_whole_and_its_offset_stays(void **state)
{
	autoscratch struct scratch s = scratch_new();
	size_t len = (5u << 20) + 13;
	autofree uint8_t *data = malloc(len);
	autoclose int fd = -1;
	struct object_id id, is;

	(void)state;
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * i >> 7);
	fd = scratch_file(s.fd, "file", data, len);
	assert_int_equal(lseek(fd, 77, SEEK_SET), 77);
	assert_int_equal(objects_put(s.fd, fd, &id, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 77);
	assert_true(is_kept(&s, &id));
	assert_int_equal(objects_hash(fd, &is, NULL), 0);
	assert_memory_equal(&id, &is, sizeof id);
	assert_int_equal(objects_put(s.fd, s.fd, &id, NULL), -EINVAL);
}

static void
a_file_that_did_not_change_is_not_read_again(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct object_id a, b;
	autoclose int fd = -1, cache = -1;
	struct stat st;

	(void)state;
	/* A file old enough for its times to mean something. */
	fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	assert_int_equal(objects_put(s.fd, fd, &a, NULL), 0);
	cache = openat(s.fd, "objects/cache", O_RDONLY | O_CLOEXEC);
	assert_true(cache >= 0);
	assert_int_equal(fstat(cache, &st), 0);
	assert_int_equal(st.st_size, 64);
	assert_int_equal(objects_put(s.fd, fd, &b, NULL), 0);
	assert_memory_equal(&a, &b, sizeof a);
	assert_int_equal(fstat(cache, &st), 0);
	assert_int_equal(st.st_size, 64);
	/* What is remembered about a copy that is gone helps nobody. */
	assert_int_equal(objects_gc(s.fd, NULL), 0);
	assert_int_equal(n_objects(&s), 0);
	assert_int_equal(objects_put(s.fd, fd, &b, NULL), 0);
	assert_true(is_kept(&s, &b));
}

static void
a_file_changed_just_now_is_not_remembered(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct object_id a = put(&s, "one"), b;
	autoclose int fd = openat(s.fd, "file", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(io_pwrite(fd, "two", 3, 0), 0);
	assert_int_equal(objects_put(s.fd, fd, &b, NULL), 0);
	assert_memory_not_equal(&a, &b, sizeof a);
	assert_true(is_kept(&s, &b));
	assert_int_equal(faccessat(s.fd, "objects/cache", F_OK, 0), -1);
}

static void
a_damaged_copy_is_seen_and_replaced(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct object_id id = put(&s, "hello");
	char name[128];
	autoclose int fd = -1;

	(void)state;
	(void)snprintf(name, sizeof name, "objects/%016llx%016llx-5",
	    (unsigned long long)id.hash_hi, (unsigned long long)id.hash_lo);
	assert_int_equal(fchmodat(s.fd, name, 0700, 0), 0);
	(void)close(scratch_file(s.fd, name, "hellO", 5));
	assert_false(is_kept(&s, &id));
	(void)put(&s, "hello");
	assert_true(is_kept(&s, &id));
	assert_int_equal(fchmodat(s.fd, name, 0700, 0), 0);
	(void)close(scratch_file(s.fd, name, "hell", 4));
	assert_int_equal(objects_open(s.fd, &id, &fd, NULL), -EBADMSG);
	(void)put(&s, "hello");
	assert_true(is_kept(&s, &id));
	assert_int_equal(fchmodat(s.fd, name, 0522, 0), 0);
	assert_int_equal(objects_open(s.fd, &id, &fd, NULL), -EPERM);
}

static void
what_an_image_refers_to_is_never_removed(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct object_id a = put(&s, "a"), b = put(&s, "b"), c = put(&s, "c");

	(void)state;
	save(s.fd, "one", 1, &a, 0);
	save(s.fd, ".two", 1, &b, 0);
	assert_int_equal(objects_gc(s.fd, NULL), 0);
	assert_true(is_kept(&s, &a) && is_kept(&s, &b));
	assert_false(is_kept(&s, &c));
	save(s.fd, "one", 2, &a, 0);
	assert_int_equal(ckpt_prune(s.fd, "one", 1, NULL), 0);
	assert_true(is_kept(&s, &a));
	assert_int_equal(ckpt_remove(s.fd, "one", 0, NULL), 0);
	assert_false(is_kept(&s, &a));
	assert_true(is_kept(&s, &b));
	assert_int_equal(ckpt_remove(s.fd, ".two", 1, NULL), 0);
	assert_int_equal(n_objects(&s), 0);
}

static void
nothing_is_removed_while_something_is_not_known(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct object_id a = put(&s, "a");
	struct image_writer *w;
	uint64_t len;

	(void)state;
	/* A save under way may be about to refer to it. */
	w = begin(s.fd, "one", 1, &a, 0);
	assert_int_equal(objects_gc(s.fd, NULL), 0);
	assert_true(is_kept(&s, &a));
	assert_int_equal(image_commit(w, &len, NULL), 0);
	/* So may an image that cannot be read. */
	damage(s.fd, "one", 1);
	save(s.fd, "two", 1, NULL, 0);
	assert_int_equal(objects_gc(s.fd, NULL), 0);
	assert_true(is_kept(&s, &a));
	/* And one in a directory that cannot be trusted. */
	assert_int_equal(ckpt_remove(s.fd, "one", 0, NULL), 0);
	assert_false(is_kept(&s, &a));
	a = put(&s, "a");
	assert_int_equal(fchmodat(s.fd, "two", 0755, 0), 0);
	assert_int_equal(objects_gc(s.fd, NULL), 0);
	assert_true(is_kept(&s, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_found_by_its_name_whatever_it_is),
		cmocka_unit_test(two_names_never_share_a_directory),
		cmocka_unit_test(a_name_never_leads_out_of_the_directory),
		cmocka_unit_test(only_generations_are_listed),
		cmocka_unit_test(the_command_is_one_harmless_line),
		cmocka_unit_test(a_directory_that_is_not_ours_alone_is_refused),
		cmocka_unit_test(what_a_dead_writer_left_is_swept_and_no_more),
		cmocka_unit_test(pruning_keeps_the_newest_that_can_be_read),
		cmocka_unit_test(
		    removing_all_leaves_a_directory_that_is_in_use),
		cmocka_unit_test(a_generation_that_another_one_needs_stays),
		cmocka_unit_test(a_content_is_kept_once),
		cmocka_unit_test(
		    a_large_file_is_kept_whole_and_its_offset_stays),
		cmocka_unit_test(a_file_that_did_not_change_is_not_read_again),
		cmocka_unit_test(a_file_changed_just_now_is_not_remembered),
		cmocka_unit_test(a_damaged_copy_is_seen_and_replaced),
		cmocka_unit_test(what_an_image_refers_to_is_never_removed),
		cmocka_unit_test(
		    nothing_is_removed_while_something_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
