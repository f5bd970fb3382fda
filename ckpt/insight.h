/*
 * insight.h - what is in a snapshot, in plain words, for sess -inspect.
 * Texts are those of the image: input, to be printed with care.
 */
#ifndef CKPT_INSIGHT_H
#define CKPT_INSIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A process of the session. */
struct insight_process {
	uint32_t pid, parent; /* parent 0: the session itself */
	uint32_t uid, n_threads;
	char state; /* 'L' lives, 'T' stopped, 'Z' ended */
	char *command, *cwd;
	uint64_t memory; /* bytes of its own that are in the image */
	char **files;    /* "0 1 2 terminal /dev/pts/0" */
	size_t n_files;
};

struct insight {
	char *name, *command;
	uint64_t generation, saved_s, created_s;
	uint64_t image_len;              /* bytes */
	uint64_t n_objects, objects_len; /* files kept beside it, bytes */
	uint32_t rows, cols;
	char *arch, *release; /* of the machine and kernel it ran on */
	char *notes;          /* lines: what will be different */
	char *unfit;          /* why this machine cannot revive it; or NULL */
	struct insight_process *v; /* parents before children */
	size_t n;
};

void insight_done(struct insight *s);

/* Look into generation GENERATION (0: the latest) of NAME. */
int insight_saved(int saved_dirfd, const char *name, uint64_t generation,
    struct insight *ret_s, struct err *e);

/* Look into FILE: an image, or a stream (image/stream.h). */
int insight_file(const char *file, struct insight *ret_s, struct err *e);

#endif
