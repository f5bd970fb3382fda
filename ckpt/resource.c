/*
 * resource.c - the kinds of resources in the order of revival, which is also
 * that of saving. Processes, threads and memory are not among them: they are
 * what the others belong to (save.c, revive.c).
 */
#include "ckpt/resource.h"

extern const struct resource res_cred, res_files, res_fs, res_limits, res_sched,
    res_signals, res_timers, res_traits, res_ttys;

const struct resource *const resources[] = {
	/* All descriptions open, each task's descriptors in their places. */
	&res_files,
	/* Terminals are made with the files; hung up and locked afterwards. */
	&res_ttys,
	/* Paths, once open files no longer need the restorer's view. */
	&res_fs,
	/* Takes away what all before has caused (SIGCHLD, SIGIO, SIGHUP). */
	&res_signals,
	/* May expire at once: into the queue that has just been put back. */
	&res_timers,
	/* Raised priorities need capabilities, and should not slow the rest. */
	&res_sched,
	/* May forbid mappings that memory had before. */
	&res_traits,
	/* Would forbid descriptors, memory or processes to what is above. */
	&res_limits,
	/* Gives up the capabilities that all others need. */
	&res_cred,
	NULL,
};
