/*
 * list.h - what there is by name: sessions that live, ended, are saved.
 */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/commands.h"

struct row {
	char *name, *command; /* owned */
	char state[32], size[16];
	uint32_t terminals, rows, cols; /* 0: not known */
	int status;                     /* exit status; -1: none */
	bool seen;                      /* ended, and told */
	uint64_t since_s, saved_s;
	pid_t server; /* 0: none that answers */
	int sock;     /* waiting for an answer; -1: not */
};

struct rows {
	struct row *v;
	size_t n;
};

/*
 * Ask all living servers, at once and for a bounded time, and read what is
 * on disk; sorted by name. RET_ROWS starts out empty and is the caller's.
 */
int rows_collect(struct context *c, struct rows *ret_rows);
void rows_done(struct rows *rows);

#endif
