/*
 * objects_cache.c - see objects_cache.h. Entries are appended by one write(2)
 * each; a torn one does not have its checksum, and a file that has grown or
 * got out of step begins anew.
 */
#include "ckpt/image/objects_cache.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <xxhash.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/scope.h"

#define CACHE_MAX (256u << 10) /* bytes */
#define SETTLED_NS 2000000000  /* a change that is older shows in the times */

struct cached {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	uint64_t hash_hi, hash_lo;
	uint64_t check; /* XXH3-64 of all before it */
};

static int64_t
in_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct cached
cached_key(const struct stat *st)
{
	return (struct cached){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = in_ns(st->st_mtim),
		.ctime_ns = in_ns(st->st_ctim),
	};
}

bool
objects_cache_find(int dirfd, const struct stat *st, struct object_id *ret_id)
{
	autobuf struct buf b = BUF_INIT(2 * CACHE_MAX);
	struct cached key = cached_key(st), c;
	size_t at;

	if (io_read_file(dirfd, "cache", &b) < 0)
		return false;
	for (at = b.len - b.len % sizeof c; at > 0; at -= sizeof c) {
		memcpy(&c, b.data + at - sizeof c, sizeof c);
		if (memcmp(&c, &key, offsetof(struct cached, hash_hi)) != 0 ||
		    c.check != XXH3_64bits(&c, offsetof(struct cached, check)))
			continue;
		*ret_id = (struct object_id){ c.hash_hi, c.hash_lo, c.size };
		return true;
	}
	return false;
}

void
objects_cache_put(int dirfd, int fd, const struct stat *st,
    const struct object_id *id)
{
	struct cached c = cached_key(st), is;
	autoclose int cache = -1;
	struct timespec now;
	struct stat now_st, cache_st;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || fstat(fd, &now_st) < 0)
		return;
	is = cached_key(&now_st);
	if (memcmp(&c, &is, sizeof c) != 0 || c.size != id->size ||
	    in_ns(now) - c.ctime_ns < SETTLED_NS)
		return;
	c.hash_hi = id->hash_hi;
	c.hash_lo = id->hash_lo;
	c.check = XXH3_64bits(&c, offsetof(struct cached, check));
	cache = openat(dirfd, "cache",
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (cache < 0 || fstat(cache, &cache_st) < 0)
		return;
	if (cache_st.st_size >= CACHE_MAX ||
	    (size_t)cache_st.st_size % sizeof c != 0) {
		if (ftruncate(cache, 0) < 0)
			return;
	}
	(void)io_write(cache, &c, sizeof c);
}
