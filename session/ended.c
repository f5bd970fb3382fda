/*
 * ended.c - see ended.h. The files are named by a hash of the session's name
 * (any name fits) and hold an Ended message (sess.proto).
 * That somebody has seen one is a bit of its mode: who says so may be the server
 * of a session whose name has been taken again meanwhile, and must not bring
 * back a record that the next one has removed.
 */
#include "session/ended.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/scope.h"
#include "config.h"
#include "sess.pb-c.h"
#include "session/session.h"

#define FILE_MAX 8192
#define KEY_LEN 32
#define DAY_S 86400
#define SEEN_MODE 0700   /* 0600: not yet */
#define SEEN_KEEP_S 3600 /* for others who ask: -wait */

void
ended_done(struct ended *d)
{
	free(d->name);
	free(d->command);
	*d = (struct ended){ 0 };
}

static void
make_key(const char *name, char *ret_key)
{
	XXH128_hash_t h = XXH3_128bits(name, strlen(name));

	(void)snprintf(ret_key, KEY_LEN + 1, "%016llx%016llx",
	    (unsigned long long)h.high64, (unsigned long long)h.low64);
}

int
ended_put(const struct places *p, const struct ended *d, struct err *e)
{
	Sess__Ended m = SESS__ENDED__INIT;
	uint8_t data[FILE_MAX];
	char key[KEY_LEN + 1], temp[KEY_LEN + 8];
	autoclose int fd = -1;
	size_t len;
	int r;

	m.name = d->name;
	m.status = d->status;
	m.command = d->command;
	m.has_created_s = m.has_ended_s = m.has_seen = m.has_generation = true;
	m.generation = d->generation;
	m.created_s = d->created_s;
	m.ended_s = d->ended_s;
	m.seen = d->seen;
	if (sess__ended__get_packed_size(&m) > sizeof data)
		m.command = NULL;
	len = sess__ended__pack(&m, data);
	make_key(d->name, key);
	(void)snprintf(temp, sizeof temp, "%s.new", key);
	fd = openat(p->ended, temp,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "cannot record the end of '%s'", d->name);
	r = io_write(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(p->ended, temp, p->ended, key) < 0)
		r = -errno;
	if (r == 0 && fsync(p->ended) < 0) /* it must outlive a power loss */
		r = -errno;
	if (r < 0) {
		(void)unlinkat(p->ended, temp, 0);
		return err_num(e, r, "cannot record the end of '%s'", d->name);
	}
	return 0;
}

/* Read the record in file KEY. */
static int
get_key(const struct places *p, const char *key, struct ended *ret_d)
{
	struct buf b autobuf = BUF_INIT(FILE_MAX);
	struct stat st = { .st_mode = 0 };
	Sess__Ended *m;
	int r;

	(void)fstatat(p->ended, key, &st, AT_SYMLINK_NOFOLLOW);
	r = io_read_file(p->ended, key, &b);
	if (r < 0)
		return r;
	m = sess__ended__unpack(NULL, b.len, b.data);
	if (m == NULL || session_check_name(m->name, NULL) < 0) {
		if (m != NULL)
			sess__ended__free_unpacked(m, NULL);
		return -EBADMSG;
	}
	*ret_d = (struct ended){ .name = TAKE_PTR(m->name),
		.command = TAKE_PTR(m->command),
		.status = m->status,
		.created_s = m->created_s,
		.ended_s = m->ended_s,
		.generation = m->has_generation ? m->generation : UINT64_MAX,
		.seen = m->seen || (st.st_mode & S_IXUSR) != 0 };
	sess__ended__free_unpacked(m, NULL);
	return 0;
}

int
ended_get(const struct places *p, const char *name, struct ended *ret_d)
{
	char key[KEY_LEN + 1];
	struct ended d;
	int r;

	make_key(name, key);
	r = get_key(p, key, &d);
	if (r < 0)
		return r;
	if (strcmp(d.name, name) != 0) {
		ended_done(&d);
		return -ENOENT;
	}
	*ret_d = d;
	return 0;
}

int
ended_see(const struct places *p, const char *name, bool keep)
{
	char key[KEY_LEN + 1];
	autoclose int fd = -1;

	if (!keep) {
		ended_remove(p, name);
		return 0;
	}
	make_key(name, key);
	fd = openat(p->ended, key, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || fchmod(fd, SEEN_MODE) < 0 ? -errno : 0;
}

void
ended_remove(const struct places *p, const char *name)
{
	char key[KEY_LEN + 1];

	make_key(name, key);
	if (unlinkat(p->ended, key, 0) == 0)
		(void)fsync(p->ended);
}

static bool
is_older(const struct ended *d, uint64_t keep_s)
{
	return d->ended_s + keep_s < (uint64_t)time(NULL);
}

bool
ended_expired(const struct ended *d)
{
	return is_older(d,
	    d->seen ? SEEN_KEEP_S : (uint64_t)ENDED_KEEP_DAYS * DAY_S);
}

bool
ended_snapshots_expired(const struct ended *d)
{
	return ENDED_SNAPSHOT_DAYS > 0 &&
	    is_older(d, (uint64_t)ENDED_SNAPSHOT_DAYS * DAY_S);
}

/* Append the record in file KEY. */
static int
add_ended(const struct places *p, const char *key, struct ended **v, size_t *n)
{
	struct ended d, *grown;

	if (strlen(key) != KEY_LEN || get_key(p, key, &d) < 0)
		return 0;
	grown = reallocarray(*v, *n + 1, sizeof *grown);
	if (grown == NULL) {
		ended_done(&d);
		return -ENOMEM;
	}
	*v = grown;
	grown[(*n)++] = d;
	return 0;
}

int
ended_list(const struct places *p, struct ended **ret_v, size_t *ret_n,
    struct err *e)
{
	autoclosedir DIR *d = NULL;
	struct ended *v = NULL;
	struct dirent *de;
	size_t n = 0;
	int fd, r = 0;

	fd = openat(p->ended, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL)
		return err_sys(e, "cannot list the ended sessions");
	while (r == 0 && (de = readdir(d)) != NULL)
		r = add_ended(p, de->d_name, &v, &n);
	if (r < 0) {
		while (n > 0)
			ended_done(&v[--n]);
		free(v);
		return err_num(e, r, "cannot list the ended sessions");
	}
	*ret_v = v;
	*ret_n = n;
	return 0;
}

int
ended_exit_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}
