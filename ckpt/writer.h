/*
 * writer.h - the forked process that writes an image: the slow part of a
 * save, while the tree goes on.
 */
#ifndef CKPT_WRITER_H
#define CKPT_WRITER_H

#include "ckpt/save.h"

/* What the writer says at its end, through the pipe s->report. */
struct verdict {
	int result; /* 0 or negative errno with err */
	uint64_t generation, image_len;
	struct err err;
	struct err written;   /* notes made while writing; or empty */
	struct err rehearsal; /* why a revival here would fail; or empty */
};

/*
 * Fork the writer of S: it has the records in its memory and the files of
 * the snapshots open. s->writer and s->report are set.
 */
int writer_fork(struct save *s);

#endif
