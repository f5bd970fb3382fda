/*
 * store.c - see store.h.
 */
#include "ckpt/image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/dir.h"
#include "base/io.h"
#include "base/name.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"

#define NAME_FILE "name"
#define NAME_LEN_MAX 255
#define DIGITS_MAX 18 /* of a generation: fits 64 bits */
#define COMMAND_MAX 4096

/* "7.sess" is 7; 0 for all that image_name() does not make. */
static uint64_t
parse_generation(const char *file)
{
	size_t n = strspn(file, "0123456789");
	uint64_t v = 0;

	if (n == 0 || n > DIGITS_MAX || file[0] == '0' ||
	    strcmp(file + n, ".sess") != 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint64_t)(file[i] - '0');
	return v;
}

/* The true name kept in DIRFD; NULL when there is none. */
static char *
read_name(int dirfd)
{
	autobuf struct buf b = BUF_INIT(NAME_LEN_MAX + 1);

	if (io_read_file(dirfd, NAME_FILE, &b) < 0)
		return NULL;
	if (b.len == 0 || memchr(b.data, 0, b.len) != NULL)
		return NULL;
	return (char *)TAKE_PTR(b.data);
}

/* DIRFD, whose key is a hash, is that of NAME; say so in it if CREATE. */
static int
check_name(int dirfd, const char *name, bool create, struct err *e)
{
	autofree char *is = read_name(dirfd);
	autotemp struct temp t = TEMP_NONE;
	int r;

	if (is != NULL && strcmp(is, name) == 0)
		return 0;
	if (is != NULL)
		return err_set(e, -EEXIST,
		    "the snapshots of %s lie where those of %s would: choose "
		    "another name",
		    is, name);
	if (!create)
		return 0;
	(void)unlinkat(dirfd, NAME_FILE, 0); /* empty or not a name */
	r = temp_create(dirfd, 0600, &t);
	if (r == 0)
		r = io_write(t.fd, name, strlen(name));
	if (r == 0)
		r = temp_commit(&t, NAME_FILE);
	if (r < 0 && r != -EEXIST)
		return err_num(e, r, "recording the name of %s", name);
	return 0;
}

int
store_open(int saved_dirfd, const char *name, bool create, int *ret_dirfd,
    struct err *e)
{
	autoclose int dirfd = -1;
	char key[NAME_KEY_CAP];
	bool hashed = name_key(name, key);
	int r;

	r = dir_open(saved_dirfd, key, create, &dirfd, e);
	if (r == -ENOENT)
		return err_set(e, r, "there is no snapshot of %s", name);
	if (r < 0)
		return r;
	if (create) {
		(void)temp_sweep(dirfd);
		r = temp_sync_dir(saved_dirfd);
		if (r < 0)
			return err_num(e, r, "creating directory %s", key);
	}
	if (hashed) {
		r = check_name(dirfd, name, create, e);
		if (r < 0)
			return r;
	}
	*ret_dirfd = TAKE_FD(dirfd);
	return 0;
}

void
store_tidy(int saved_dirfd, const char *name)
{
	autofree struct ckpt_generation *v = NULL;
	autoclose int dirfd = -1;
	char key[NAME_KEY_CAP];
	size_t n;

	(void)name_key(name, key);
	if (store_open(saved_dirfd, name, false, &dirfd, NULL) < 0 ||
	    store_list(dirfd, &v, &n, NULL) < 0 || n > 0)
		return;
	if (temp_sweep(dirfd) != 0)
		return;
	(void)unlinkat(dirfd, NAME_FILE, 0);
	(void)unlinkat(saved_dirfd, key, AT_REMOVEDIR);
}

/* The file with the true name as NAME's key wants it; it has none now. */
static int
put_name(int dirfd, const char *name, struct err *e)
{
	char key[NAME_KEY_CAP];

	return name_key(name, key) ? check_name(dirfd, name, true, e) : 0;
}

/* rename(2) replaces an empty directory and no other. */
static int
rename_dir(int saved_dirfd, const char *key, const char *key_to)
{
	if (renameat(saved_dirfd, key, saved_dirfd, key_to) == 0)
		return 0;
	return errno == ENOTEMPTY ? -EEXIST : -errno;
}

/*
 * A key that is a hash must find its own name in the directory, or none: so
 * the old name goes first and the new one comes last, and whatever happens
 * between, the snapshots are found by one of the two.
 */
int
ckpt_rename(int saved_dirfd, const char *from, const char *to, struct err *e)
{
	char key[NAME_KEY_CAP], key_to[NAME_KEY_CAP];
	autoclose int dirfd = -1;
	int r;

	(void)name_key(from, key);
	(void)name_key(to, key_to);
	r = store_open(saved_dirfd, from, false, &dirfd, NULL);
	if (r < 0)
		return r == -ENOENT ? r :
				      err_num(e, r, "snapshots of %s", from);
	store_tidy(saved_dirfd, to);
	(void)unlinkat(dirfd, NAME_FILE, 0);
	r = rename_dir(saved_dirfd, key, key_to);
	if (r == -EEXIST)
		(void)err_set(e, r, "there are snapshots of %s", to);
	else if (r < 0)
		(void)err_num(e, r, "renaming the snapshots of %s", from);
	if (r == 0) {
		r = put_name(dirfd, to, e);
		if (r < 0)
			(void)rename_dir(saved_dirfd, key_to, key);
	}
	if (r < 0) {
		(void)put_name(dirfd, from, NULL);
		return r;
	}
	(void)temp_sync_dir(saved_dirfd);
	return 0;
}

/* A stream of the entries of DIRFD, which stays open. */
static int
open_stream(int dirfd, DIR **ret_d, struct err *e)
{
	DIR *d;
	int fd;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "listing snapshots");
	d = fdopendir(fd);
	if (d == NULL) {
		(void)close(fd);
		return err_num(e, -ENOMEM, "listing snapshots");
	}
	*ret_d = d;
	return 0;
}

static int
generation_cmp(const void *va, const void *vb)
{
	const struct ckpt_generation *a = va, *b = vb;

	return a->number < b->number ? -1 : a->number > b->number;
}

int
store_list(int dirfd, struct ckpt_generation **ret_v, size_t *ret_n,
    struct err *e)
{
	autobuf struct buf v = BUF_INIT(64u << 20);
	autoclosedir DIR *d = NULL;
	struct dirent *de;
	struct stat st;
	int r;

	r = open_stream(dirfd, &d, e);
	if (r < 0)
		return r;
	while ((de = readdir(d)) != NULL) {
		struct ckpt_generation g = {
			.number = parse_generation(de->d_name),
		};

		if (g.number == 0 ||
		    fstatat(dirfd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		g.saved_s = (uint64_t)st.st_mtim.tv_sec;
		g.image_len = (uint64_t)st.st_size;
		r = buf_put(&v, &g, sizeof g);
		if (r < 0)
			return err_num(e, r, "listing snapshots");
	}
	*ret_n = v.len / sizeof(struct ckpt_generation);
	*ret_v = (struct ckpt_generation *)(void *)TAKE_PTR(v.data);
	if (*ret_n > 1)
		qsort(*ret_v, *ret_n, sizeof **ret_v, generation_cmp);
	return 0;
}

int
store_each(int saved_dirfd,
    int (*fn)(void *arg, int dirfd, const char *key, struct err *e), void *arg,
    struct err *e)
{
	autoclosedir DIR *d = NULL;
	struct dirent *de;
	struct stat st;
	int r;

	r = open_stream(saved_dirfd, &d, e);
	if (r < 0)
		return r;
	while (r == 0 && (de = readdir(d)) != NULL) {
		autoclose int dirfd = -1;

		if (de->d_name[0] == '.' ||
		    strcmp(de->d_name, "objects") == 0 ||
		    (fstatat(saved_dirfd, de->d_name, &st,
			 AT_SYMLINK_NOFOLLOW) == 0 &&
			!S_ISDIR(st.st_mode)))
			continue;
		(void)dir_open(saved_dirfd, de->d_name, false, &dirfd, NULL);
		r = fn(arg, dirfd, de->d_name, e);
	}
	return r;
}

int
ckpt_generations(int saved_dirfd, const char *name,
    struct ckpt_generation **ret_v, size_t *ret_n, struct err *e)
{
	autoclose int dirfd = -1;
	int r;

	r = store_open(saved_dirfd, name, false, &dirfd, e);
	if (r == -ENOENT) {
		*ret_v = NULL;
		*ret_n = 0;
		return 0;
	}
	if (r < 0)
		return r;
	return store_list(dirfd, ret_v, ret_n, e);
}

int
save_next_generation(int saved_dirfd, const char *name,
    uint64_t *ret_generation, struct err *e)
{
	autofree struct ckpt_generation *v = NULL;
	size_t n;
	int r;

	r = ckpt_generations(saved_dirfd, name, &v, &n, e);
	if (r < 0)
		return r;
	*ret_generation = n > 0 ? v[n - 1].number + 1 : 1;
	return 0;
}

struct names {
	char **v;
	size_t n;
};

static void
names_done(struct names *s)
{
	while (s->n > 0)
		free(s->v[--s->n]);
	free(s->v);
	s->v = NULL;
}

/* The name whose key is KEY and whose directory is DIRFD, or NULL. */
static char *
name_of(int dirfd, const char *key)
{
	autofree char *name = key[0] == '%' ? read_name(dirfd) : strdup(key);
	char is[NAME_KEY_CAP];

	if (name == NULL || strlen(name) > NAME_LEN_MAX)
		return NULL;
	(void)name_key(name, is);
	return strcmp(is, key) == 0 ? TAKE_PTR(name) : NULL;
}

static int
names_add(void *arg, int dirfd, const char *key, struct err *e)
{
	autofree struct ckpt_generation *g = NULL;
	autofree char *name = NULL;
	struct names *s = arg;
	char **v;
	size_t n;
	int r;

	if (dirfd < 0)
		return 0;
	r = store_list(dirfd, &g, &n, e);
	if (r < 0 || n == 0)
		return r;
	name = name_of(dirfd, key);
	if (name == NULL)
		return 0;
	v = reallocarray(s->v, s->n + 1, sizeof *v);
	if (v == NULL)
		return err_num(e, -ENOMEM, "listing snapshots");
	s->v = v;
	s->v[s->n++] = TAKE_PTR(name);
	return 0;
}

static int
names_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
ckpt_names(int saved_dirfd, char ***ret_names, size_t *ret_n, struct err *e)
{
	scoped(names_done) struct names s = { 0 };
	int r;

	r = store_each(saved_dirfd, names_add, &s, e);
	if (r < 0)
		return r;
	if (s.n > 1)
		qsort(s.v, s.n, sizeof *s.v, names_cmp);
	*ret_names = s.v;
	*ret_n = s.n;
	s = (struct names){ 0 };
	return 0;
}

/* The words of the command, a blank between them, one line. */
static char *
join_command(const Img__Session *m)
{
	autobuf struct buf b = BUF_INIT(COMMAND_MAX);

	for (size_t i = 0; i < m->n_argv; i++)
		if (buf_printf(&b, "%s%s", i > 0 ? " " : "", m->argv[i]) < 0)
			break;
	if (buf_put(&b, "", 1) < 0 && b.len > 0)
		b.data[b.len - 1] = 0;
	for (size_t i = 0; i + 1 < b.len; i++)
		if (b.data[i] < 0x20 || b.data[i] == 0x7f)
			b.data[i] = '?';
	return (char *)TAKE_PTR(b.data);
}

char *
ckpt_command(int saved_dirfd, const char *name)
{
	autofree struct ckpt_generation *v = NULL;
	autoclose int dirfd = -1;
	struct image *img;
	Img__Session *m;
	char *text = NULL;
	size_t n;

	if (store_open(saved_dirfd, name, false, &dirfd, NULL) < 0 ||
	    store_list(dirfd, &v, &n, NULL) < 0 || n == 0 ||
	    image_open(dirfd, v[n - 1].number, &img, NULL) < 0)
		return NULL;
	m = image_get(img, IMG_SESSION, 0, &img__session__descriptor, NULL,
	    NULL);
	if (m != NULL) {
		text = join_command(m);
		img__session__free_unpacked(m, NULL);
	}
	image_close(img);
	return text;
}
