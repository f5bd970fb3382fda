/*
 * relaunch.h - -revive -relaunch.
 */
#ifndef RELAUNCH_H
#define RELAUNCH_H

#include "cmd/commands.h"

/*
 * Generation GENERATION (0: the latest) of NAME cannot be revived, c->err
 * says why: run its command again, in its directory, with its environment,
 * below its screen.
 */
int relaunch_command(struct context *c, const char *name, uint64_t generation);

#endif
