/*
 * child.h - a process that was forked to do one thing.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <sys/types.h>

/*
 * In the child, first of all: it ends with its parent, PARENT being its pid
 * (no return when that has gone already); no signal is blocked or handled any
 * more, since handlers would tell the parent of what was not meant for it.
 */
void child_begin(pid_t parent);

#endif
