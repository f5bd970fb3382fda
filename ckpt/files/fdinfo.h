/*
 * fdinfo.h - the lines that a kind of its own has in /proc/PID/fdinfo/N
 * (proc_pid_fdinfo(5)).
 */
#ifndef CKPT_FDINFO_H
#define CKPT_FDINFO_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The first line of INFO, or of what is left of it, that begins with KEY:
 * what stands behind KEY there; NULL when there is none.
 */
const char *fdinfo_find(const char *info, const char *key);

/* The number behind KEY, in BASE. False: there is none. */
bool fdinfo_number(const char *info, const char *key, int base,
    uint64_t *ret_val);

#endif
