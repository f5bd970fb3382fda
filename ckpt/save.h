/*
 * save.h - inside of ckpt/: the story of a save (ckpt/ckpt.h is the outside).
 */
#ifndef CKPT_SAVE_H
#define CKPT_SAVE_H

#include "ckpt/model.h"

/* Bytes of data in the work area of a task. */
#define AREA_LEN (64u * 1024)

#define NOTES_MAX 65536 /* bytes of notes and of obstacles */

/* A save under way. */
struct save {
	struct ckpt c;
	struct err err;
	struct save_request req;
	struct ckpt_session session;
	uint64_t generation;
	pid_t writer;
	int report;   /* the pipe's reading end */
	bool stopped; /* the tree waits for the end of the writing */
	bool slow;
	uint64_t stopped_us;
	uint32_t n_tasks;
};

#endif
