/*
 * peek.h - looking into the memory of a process that lies in an image.
 */
#ifndef CKPT_PEEK_H
#define CKPT_PEEK_H

#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"

/*
 * LEN bytes at address AT of the process whose memory is MM. -ENOENT: a page
 * of it is not in the image (it was not there, or lies in a file).
 */
int peek(struct image_pages *pages, const Img__Mm *mm, uint64_t at, void *buf,
    size_t len, struct err *e);

/*
 * The strings, each with a NUL behind it, that fill START to END, as command
 * line and environment do: malloc'd, NULL-terminated, one block to be freed
 * at once. -E2BIG: more than anybody may have.
 */
int peek_words(struct image_pages *pages, const Img__Mm *mm, uint64_t start,
    uint64_t end, char ***ret_words, struct err *e);

#endif
