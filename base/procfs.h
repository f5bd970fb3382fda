/*
 * procfs.h - what /proc says about processes, as numbers. The parsers are
 * pure functions on text, which is input like any other: a process chooses
 * its own name. Sources: proc_pid_stat(5), proc_pid_status(5),
 * proc_pid_timers(5), kernel: fs/proc/array.c (5.14 to 6.18).
 *
 * Everywhere a number of a thread may be given for that of a process: it is
 * then that thread's file that is read.
 */
#ifndef BASE_PROCFS_H
#define BASE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/scope.h"

/* /proc/PID/stat; the names are those of proc_pid_stat(5). */
struct procfs_stat {
	pid_t pid;
	char comm[65]; /* any bytes but NUL; cut */
	char state;    /* R S D T t Z X I P */
	pid_t ppid, pgrp, session;
	int tty_nr;
	pid_t tpgid;
	uint32_t flags;
	int nice;
	int num_threads;
	uint64_t starttime; /* clock ticks since boot */
	uint64_t start_code, end_code, start_stack;
	int exit_signal; /* what its parent gets at its end */
	int processor;   /* it ran there last */
	uint32_t rt_priority, policy;
	uint64_t start_data, end_data, start_brk;
	uint64_t arg_start, arg_end, env_start, env_end;
	int exit_code; /* as wait(2) gives it */
};

/* /proc/PID/status. Signal and capability sets: bit N-1 is signal N, bit N
 * capability N. */
struct procfs_status {
	pid_t ppid, tracer;
	uid_t uids[4]; /* real, effective, saved, of the file system */
	gid_t gids[4];
	gid_t *groups; /* owned */
	size_t n_groups;
	pid_t nspid, nspgid, nssid; /* as the process itself sees them */
	mode_t umask;
	bool has_umask; /* false: a zombie, it has none */
	int threads;
	uint64_t sigpnd, shdpnd, sigblk, sigign, sigcgt;
	uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	bool no_new_privs;
	int seccomp;         /* 0 none, 1 strict, 2 filter */
	int seccomp_filters; /* how many */
	uint64_t vmlck_kib;
};

void procfs_status_done(struct procfs_status *s);

/* One line of four of /proc/PID/timers. */
struct procfs_timer {
	int32_t id;
	int signo;
	uint64_t value;  /* sigev_value, all of its bits */
	int notify;      /* SIGEV_SIGNAL, SIGEV_NONE or SIGEV_THREAD_ID */
	pid_t notify_id; /* the thread, as the reader's /proc numbers it */
	int clock;
};

/* Read the file of PID. 0; -ESRCH: no such process; other negative errno. */
int procfs_stat(pid_t pid, struct procfs_stat *ret_stat);

/*
 * For who looks often: the file, which stays that of this very thread when
 * its number is another's by now, and what it says at the moment (-ESRCH: the
 * thread is gone). A descriptor of the caller's, or a negative errno.
 */
int procfs_stat_open(pid_t pid);
int procfs_stat_look(int fd, struct procfs_stat *ret_stat);

int procfs_status(pid_t pid, struct procfs_status *ret_status);
int procfs_timers(pid_t pid, struct procfs_timer **ret_timers, size_t *ret_n);

/*
 * PID has gone or is on its way: from the loss of its memory on, /proc gives
 * its files to root, and an ordinary user's EACCES says nothing of whose it is
 * (kernel: fs/proc/base.c, task_dump_owner(); PF_EXITING).
 */
bool procfs_is_ending(pid_t pid);

/* The threads of PID, its leader first; malloc'd. */
int procfs_tids(pid_t pid, pid_t **ret_tids, size_t *ret_n);

/* All processes, ascending as /proc lists them; malloc'd. */
int procfs_pids(pid_t **ret_pids, size_t *ret_n);

/*
 * Append the file NAME of /proc/PID to B, as io_read_file() does. -ENOENT: it
 * is not there, or the process is not; -ESRCH: that has ended just now.
 */
int procfs_read(pid_t pid, const char *name, struct buf *b);

/*
 * Where the symbolic link /proc/PID/NAME leads; malloc'd. A text longer than
 * the kernel can give (PATH_MAX) is -ENAMETOOLONG.
 */
int procfs_link(pid_t pid, const char *name, char **ret_target);

/*
 * The inode that identifies namespace NAME ("net", "pid_for_children") of
 * PID. -ENOENT: this kernel has no such namespace.
 */
int procfs_namespace(pid_t pid, const char *name, uint64_t *ret_ino);

/* The parsers alone. TEXT ends in NUL. -EBADMSG: not such a file. */
int procfs_parse_stat(const char *text, struct procfs_stat *ret_stat);
int procfs_parse_status(const char *text, struct procfs_status *ret_status);
int procfs_parse_timers(const char *text, struct procfs_timer **ret_timers,
    size_t *ret_n);

#endif
