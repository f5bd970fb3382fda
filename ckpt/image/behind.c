/*
 * behind.c - see behind.h. Blocks are used in turn: those from n_written to
 * n_put are the thread's, the one at n_put is being filled.
 */
#include "ckpt/image/behind.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"

#define N_BLOCKS 4
#define BLOCK_ALIGN 4096

/* Let the disk begin with what is this far behind, so that fsync is short. */
#define WRITEBACK_LEN (16u << 20)

struct behind {
	int fd;
	size_t block_len;
	uint8_t *blocks;
	size_t len[N_BLOCKS];
	off_t off;     /* where in the file the next block goes */
	off_t flushed; /* up to here writing to disk was begun */
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t moved;
	uint64_t n_put, n_written;
	bool closing;
	int error; /* of the first write that failed */
};

/* Write block number I. 0 or negative errno. */
static int
write_block(struct behind *b, uint64_t i)
{
	size_t len = b->len[i % N_BLOCKS];
	int r;

	r = io_write(b->fd, b->blocks + i % N_BLOCKS * b->block_len, len);
	if (r < 0)
		return r;
	b->off += (off_t)len;
	if (b->off - b->flushed >= WRITEBACK_LEN) {
		(void)sync_file_range(b->fd, b->flushed, b->off - b->flushed,
		    SYNC_FILE_RANGE_WRITE);
		b->flushed = b->off;
	}
	return 0;
}

/* The thread. After a failure blocks are only taken off, so nobody waits. */
static void *
write_blocks(void *arg)
{
	struct behind *b = arg;
	int r;

	(void)pthread_mutex_lock(&b->lock);
	for (;;) {
		while (b->n_written == b->n_put && !b->closing)
			(void)pthread_cond_wait(&b->moved, &b->lock);
		if (b->n_written == b->n_put)
			break;
		r = b->error;
		(void)pthread_mutex_unlock(&b->lock);
		if (r == 0)
			r = write_block(b, b->n_written);
		(void)pthread_mutex_lock(&b->lock);
		b->error = r;
		b->n_written++;
		(void)pthread_cond_signal(&b->moved);
	}
	(void)pthread_mutex_unlock(&b->lock);
	return NULL;
}

int
behind_open(int fd, size_t block_len, struct behind **ret_b)
{
	struct behind *b = calloc(1, sizeof *b);

	if (b == NULL)
		return -ENOMEM;
	b->blocks = aligned_alloc(BLOCK_ALIGN, N_BLOCKS * block_len);
	if (b->blocks == NULL) {
		free(b);
		return -ENOMEM;
	}
	/* One call instead of a thousand faults, dear in virtual machines. */
	(void)madvise(b->blocks, N_BLOCKS * block_len, MADV_POPULATE_WRITE);
	b->fd = fd;
	b->off = b->flushed = lseek(fd, 0, SEEK_CUR);
	b->block_len = block_len;
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_cond_init(&b->moved, NULL);
	*ret_b = b;
	return 0;
}

void *
behind_room(struct behind *b)
{
	return b->blocks + b->n_put % N_BLOCKS * b->block_len;
}

int
behind_put(struct behind *b, size_t len)
{
	int r;

	b->len[b->n_put % N_BLOCKS] = len;
	/* Not before there is something to write: many files are small. */
	if (!b->threaded)
		b->threaded = pthread_create(&b->thread, NULL, write_blocks,
				  b) == 0;
	if (!b->threaded) {
		if (b->error == 0)
			b->error = write_block(b, b->n_put);
		b->n_written = ++b->n_put;
		return b->error;
	}
	(void)pthread_mutex_lock(&b->lock);
	b->n_put++;
	(void)pthread_cond_signal(&b->moved);
	while (b->n_put - b->n_written == N_BLOCKS)
		(void)pthread_cond_wait(&b->moved, &b->lock);
	r = b->error;
	(void)pthread_mutex_unlock(&b->lock);
	return r;
}

int
behind_close(struct behind *b)
{
	int r;

	if (b == NULL)
		return 0;
	if (b->threaded) {
		(void)pthread_mutex_lock(&b->lock);
		b->closing = true;
		(void)pthread_cond_signal(&b->moved);
		(void)pthread_mutex_unlock(&b->lock);
		(void)pthread_join(b->thread, NULL);
	}
	r = b->error;
	(void)pthread_cond_destroy(&b->moved);
	(void)pthread_mutex_destroy(&b->lock);
	free(b->blocks);
	free(b);
	return r;
}
