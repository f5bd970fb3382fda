/*
 * peek.c - see peek.h.
 */
#include "ckpt/peek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

#define WORDS_MAX (8u << 20) /* bytes; as much as execve(2) takes by default */

/* Page number of address AT in the stream. -ENOENT: it has none. */
static int
find_page(const Img__Mm *mm, uint64_t at, uint64_t *ret_page)
{
	for (size_t i = 0; i < mm->n_pages; i++) {
		const Img__PageRun *run = mm->pages[i];

		if (at < run->start ||
		    (at - run->start) / IMAGE_PAGE >= run->n_pages ||
		    run->kind != IMG__PAGE_RUN__KIND__HERE)
			continue;
		*ret_page = run->page + (at - run->start) / IMAGE_PAGE;
		return 0;
	}
	return -ENOENT;
}

int
peek(struct image_pages *pages, const Img__Mm *mm, uint64_t at, void *buf,
    size_t len, struct err *e)
{
	uint8_t block[IMAGE_PAGE], *out = buf;
	uint64_t page;
	size_t n, in;
	int r;

	for (; len > 0; at += n, out += n, len -= n) {
		in = at % IMAGE_PAGE;
		n = IMAGE_PAGE - in < len ? IMAGE_PAGE - in : len;
		r = find_page(mm, at, &page);
		if (r < 0)
			return err_set(e, r,
			    "the snapshot does not hold that memory");
		r = image_read_pages(pages, page, block, 1, e);
		if (r < 0)
			return r;
		memcpy(out, block + in, n);
	}
	return 0;
}

int
peek_words(struct image_pages *pages, const Img__Mm *mm, uint64_t start,
    uint64_t end, char ***ret_words, struct err *e)
{
	uint64_t len = end - start;
	autofree char **block = NULL;
	size_t head, n = 0;
	char *text;
	int r;

	if (start > end || len > WORDS_MAX)
		return err_set(e, -E2BIG, "the snapshot has no command line");
	/* In front as many pointers as there can be strings. */
	head = ((size_t)len + 1) * sizeof *block;
	block = malloc(head + (size_t)len + 1);
	if (block == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	text = (char *)block + head;
	r = peek(pages, mm, start, text, (size_t)len, e);
	if (r < 0)
		return r;
	text[len] = 0;
	for (size_t at = 0; at < len; at += strlen(text + at) + 1)
		block[n++] = text + at;
	block[n] = NULL;
	*ret_words = TAKE_PTR(block);
	return 0;
}
