/* inotify_memory.h - the last place where a watched file is looked for. */
#ifndef CKPT_INOTIFY_MEMORY_H
#define CKPT_INOTIFY_MEMORY_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Does private memory of process PID hold an absolute path that leads to this
 * inode? It is put into RET_PATH, which has room for PATH_MAX.
 */
bool inotify_in_memory(pid_t pid, dev_t dev, ino_t ino, char *ret_path);

#endif
