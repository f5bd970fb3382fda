/*
 * stream.h - a snapshot on its way to another place: the image and the kept
 * copies it needs as one run of bytes, for a pipe or a file. Layout and
 * checks are told in sess-image(5).
 *
 * A stream is believed only as a whole: nothing of it gets a name before all
 * of it has come and every checksum is right. The sender needs one pass over
 * each file, the receiver keeps in memory what an open image does.
 */
#ifndef CKPT_STREAM_H
#define CKPT_STREAM_H

#include <stdint.h>

#include "base/err.h"
#include "ckpt/image/image.h"

/* The far end. */
struct stream_end {
	int fd;
	int stop_fd; /* readable when it is to be given up; -1: never */
};

/*
 * Send generation GENERATION of NAME. *RET_LEN is the number of bytes.
 * -ECANCELED when it was given up; what was written by then is no stream.
 */
int stream_put(int saved_dirfd, const char *name, uint64_t generation,
    const struct stream_end *to, uint64_t *ret_len, struct err *e);

/*
 * Is regular file FD a stream, as far as its heads say? Then its image is
 * *RET_LEN bytes at *RET_OFF. 0 or -EBADMSG.
 */
int stream_find_image(int fd, uint64_t *ret_off, uint64_t *ret_len);

/*
 * Receive a snapshot of NAME, which has none yet: its generation is the one
 * it had. FITS, when not NULL, is asked about the image when that has been
 * verified and before anything is kept; its negative answer ends it. On
 * failure nothing is left.
 */
int stream_get(int saved_dirfd, const char *name, const struct stream_end *from,
    int (*fits)(struct image *img, struct err *e), uint64_t *ret_generation,
    struct err *e);

#endif
