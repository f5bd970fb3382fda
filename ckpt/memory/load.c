/*
 * load.c - see load.h.
 */
#include "ckpt/memory/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"

int
load_file(struct ckpt *c, int fd, uint64_t len, Img__PageRun *const *runs,
    size_t n_runs)
{
	struct image_pages *cursor;
	uint8_t block[16 * IMAGE_PAGE];
	int r;

	r = image_pages_open(c->img, &cursor, c->err);
	for (size_t i = 0; r >= 0 && i < n_runs; i++) {
		const Img__PageRun *run = runs[i];
		uint64_t done, n;

		if (run->start > len || run->n_pages > len / IMAGE_PAGE ||
		    run->start + run->n_pages * IMAGE_PAGE > len) {
			r = err_set(c->err, -EBADMSG,
			    "the image is damaged: "
			    "pages beyond the end of an object");
			break;
		}
		for (done = 0; r >= 0 && done < run->n_pages; done += n) {
			n = run->n_pages - done < 16 ? run->n_pages - done : 16;
			r = image_read_pages(cursor, run->page + done, block, n,
			    c->err);
			if (r < 0)
				break;
			r = io_pwrite(fd, block, n * IMAGE_PAGE,
			    run->start + done * IMAGE_PAGE);
			if (r < 0)
				(void)err_num(c->err, r,
				    "writing back shared memory");
		}
	}
	image_pages_close(cursor);
	return r;
}

/* Bring N pages from PAGE on to START of process PID. */
static int
load_block(struct ckpt *c, struct image_pages *cursor, const struct task *t,
    uint64_t start, uint64_t page, size_t n, uint8_t *block)
{
	struct iovec here = { .iov_base = block, .iov_len = n * IMAGE_PAGE };
	struct iovec there = { .iov_base = (void *)(uintptr_t)start,
		.iov_len = n * IMAGE_PAGE };
	ssize_t len;
	int r;

	r = image_read_pages(cursor, page, block, n, c->err);
	if (r < 0)
		return r;
	len = process_vm_writev(t->pid, &here, 1, &there, 1, 0);
	if (len == (ssize_t)here.iov_len)
		return 0;
	if (len >= 0)
		errno = EFAULT;
	return err_sys(c->err, "%s (pid %d): filling memory at %llx", t->comm,
	    t->pid, (unsigned long long)start);
}

/* The part of all page runs whose numbers lie in [FROM, TO) of the total. */
static int
load_part(struct ckpt *c, Img__Mm *const *mms, uint64_t from, uint64_t to)
{
	autofree uint8_t *block = malloc(IMAGE_CHUNK);
	struct image_pages *cursor = NULL;
	uint64_t seen = 0;
	int r;

	if (block == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = image_pages_open(c->img, &cursor, c->err);
	for (size_t i = 0; i < c->n_tasks; i++) {
		for (size_t k = 0;
		     r >= 0 && mms[i] != NULL && k < mms[i]->n_pages; k++) {
			const Img__PageRun *run = mms[i]->pages[k];
			uint64_t at = 0, end = run->n_pages, n;

			if (from > seen)
				at = from - seen < end ? from - seen : end;
			if (to < seen + end)
				end = to > seen ? to - seen : 0;
			for (; r >= 0 && at < end; at += n) {
				n = IMAGE_CHUNK_PAGES -
				    (run->page + at) % IMAGE_CHUNK_PAGES;
				if (n > end - at)
					n = end - at;
				r = load_block(c, cursor, &c->tasks[i],
				    run->start + at * IMAGE_PAGE,
				    run->page + at, n, block);
			}
			seen += run->n_pages;
		}
	}
	image_pages_close(cursor);
	return r;
}

#define PARALLEL_PAGES 4096 /* from here on a second process helps: 16 MiB */

/* A second process that loads [FROM, TO); its error comes by a pipe. */
static pid_t
load_beside(struct ckpt *c, Img__Mm *const *mms, uint64_t from, uint64_t to,
    int report)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	c->err->text[0] = '\0';
	if (load_part(c, mms, from, to) < 0) {
		(void)io_write(report, c->err, sizeof *c->err);
		_exit(1);
	}
	_exit(0);
}

int
load_memory(struct ckpt *c, Img__Mm *const *mms)
{
	uint64_t total = 0;
	int r, status, report[2];
	pid_t pid;

	for (size_t i = 0; i < c->n_tasks; i++)
		for (size_t k = 0; mms[i] != NULL && k < mms[i]->n_pages; k++)
			total += mms[i]->pages[k]->n_pages;
	if (total < PARALLEL_PAGES || pipe2(report, O_CLOEXEC) < 0)
		return load_part(c, mms, 0, total);
	pid = load_beside(c, mms, total / 2, total, report[1]);
	(void)close(report[1]);
	r = load_part(c, mms, 0, pid < 0 ? total : total / 2);
	if (pid > 0) {
		struct err theirs;

		while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
			;
		if (r >= 0 && status != 0) {
			r = -EIO;
			if (io_read(report[0], &theirs, sizeof theirs) >= 0)
				*c->err = theirs;
		}
	}
	(void)close(report[0]);
	return r;
}
