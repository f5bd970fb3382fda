/*
 * ckpt.h - save and revive, as the session's server and the commands see
 * them. The server does the stopping itself (Yama lets only an ancestor's
 * own thread group attach); a forked writer does the slow part.
 */
#ifndef CKPT_CKPT_H
#define CKPT_CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The session as the server knows it: recorded by a save, handed back by a
 * revival. Strings are owned by whoever fills the struct.
 */
struct ckpt_session {
	char *name;
	char *id;            /* what it is known by inside; NULL: none */
	char **argv;         /* the session's command, NULL-terminated */
	uint64_t created_s;  /* CLOCK_REALTIME */
	uint32_t rows, cols; /* the session's size */
	struct buf screen;   /* screen_save()'s bytes: opaque here */
	struct buf input;    /* typed, and not yet taken by the terminal */
};

void ckpt_session_done(struct ckpt_session *s);

/* ---- saving: in the server ---- */

struct sleeps; /* when sleeping threads will wake up: opaque memory */

struct save_request {
	const char *name; /* session name: the directory of its images */
	int saved_dirfd;  /* the directory saved/, already checked */
	pid_t parent;     /* the tree is the descendants of this process:
	                         the server, or the revival's stand-in */
	pid_t first;      /* the session's first process, as we see it */
	int master;       /* master of the session's pty */
	bool stop;        /* leave the tree stopped, to be ended on success */
	bool with_files;  /* keep all regular files that are open */
	int zstd_level;   /* 0: page data is stored raw */
	struct sleeps *sleeps; /* the session's, or NULL; see sleeps_new() */
	/*
	 * Called once while the whole tree is stopped: the server reads what
	 * is left in the master, and fills *SESSION for the image.
	 */
	int (*collect)(void *arg, struct ckpt_session *ret_session,
	    struct err *e);
	void *arg;
	/*
	 * sess -save typed inside its own session: the client is part of the
	 * tree and holds a socket whose other end is this server
	 * (SO_PEERCRED). In the revived tree that socket comes back with
	 * this one message waiting on it, then end of file.
	 */
	const void *farewell;
	size_t farewell_len;
};

/* What became of a save. */
struct save_report {
	uint64_t generation;
	uint64_t image_len; /* bytes */
	uint32_t n_tasks;
	uint64_t stopped_us; /* how long the tree stood still */
	bool slow;   /* no copy-on-write snapshot: copied while stopped */
	char *notes; /* lines for the user, owned; NULL: none */
};

/*
 * A session's memory of when its sleeping threads wake up, kept by the server
 * from save to save: given to every save (save_request.sleeps).
 */
struct sleeps *sleeps_new(void);
void sleeps_free(struct sleeps *s);

struct save;

/*
 * Let go of what an earlier save could not: a thread that was asked to stop
 * just before it began to wait for its vfork child, say, stops only after
 * that save has failed. To be called whenever SIGCHLD has come; S may be
 * NULL. Nearly always there is nothing to do.
 */
void save_tidy(struct sleeps *s);

/* The generation number that the next save of NAME would get. */
int save_next_generation(int saved_dirfd, const char *name,
    uint64_t *ret_generation, struct err *e);

/*
 * Check, stop, collect, fork the snapshot, let the tree go on (unless
 * req->stop) and fork the writer. Returns within the standstill. On failure
 * the tree runs on as if nothing had happened and E says why.
 */
int save_start(const struct save_request *req, struct save **ret_save,
    struct err *e);

/* Readable when the writer has come to an end. */
int save_fd(const struct save *s);

/*
 * Is PID a process that the save owns (snapshot, writer)? The server's
 * SIGCHLD handler leaves those alone.
 */
bool save_owns(const struct save *s, pid_t pid);

/*
 * After save_fd() became readable: reap the writer and the snapshots. On
 * success *RET_REPORT is filled; with req->stop all processes of the tree
 * have been killed by then. On failure the tree runs on. Frees S.
 */
int save_finish(struct save *s, struct save_report *ret_report, struct err *e);

/* Give up: writer killed, temporary image removed, tree running. Frees S. */
void save_abort(struct save *s);

/* ---- reviving: in the new server ---- */

/* Root's helper, a child of ours that makes the namespaces: by_root.h. */
struct by_root {
	int sock;
	pid_t pid;
};

struct revive_request {
	const char *name;
	uint64_t generation; /* 0: the latest */
	int saved_dirfd;
	bool force; /* though files have changed or are gone */
	const struct by_root *by_root; /* NULL: by our own means */
};

/* The revived session. */
struct revived {
	uint64_t generation;
	int master;        /* the session's pty master */
	pid_t first;       /* its first process, as we see it */
	pid_t parent;      /* the stand-in: parent for later saves */
	pid_t init;        /* pid 1 of the namespace: our child; ends last */
	int status_fd;     /* one int arrives: the wait status of first */
	bool unprivileged; /* lives in a one-id user namespace */
	struct sleeps *sleeps; /* for later saves; the server's to free */
	struct ckpt_session session;
	char *notes; /* what differs, for the first attach; or NULL */
};

/*
 * Bring the session back. Called in the process that will be its server,
 * single-threaded, already daemonised. All processes run when it returns 0;
 * on failure none is left and E says why. READY, when not NULL, is called
 * just before the processes are let go: the server makes its socket
 * reachable there; a negative answer stops the revival.
 */
int revive_start(const struct revive_request *req,
    int (*ready)(void *arg, const struct revived *r), void *arg,
    struct revived *ret_revived, struct err *e);

/* ---- instead of reviving ---- */

/* How a saved session was started, for starting it anew. */
struct ckpt_command {
	struct ckpt_session session; /* its argv, size, screen */
	char **env;                  /* in one block; NULL: not known */
	char *cwd;                   /* of its first process */
	uint32_t umask;
	uint64_t generation;
};

void ckpt_command_done(struct ckpt_command *k);

/*
 * Read that from generation GENERATION (0: the latest) of NAME, whether or
 * not this machine could revive it.
 */
int ckpt_relaunch(int saved_dirfd, const char *name, uint64_t generation,
    struct ckpt_command *ret_k, struct err *e);

/* ---- asking ---- */

/*
 * Say what a save of the tree below PARENT (without it) or of process PID
 * itself (PARENT 0) would meet, and whether this machine could revive it; the
 * text is appended to REPORT in lines, of which the first *RET_OBSTACLES
 * bytes are what stands in the way.
 * 0: it can be saved; -EOPNOTSUPP: something stands in the way.
 */
int ckpt_check(pid_t parent, pid_t pid, struct buf *report,
    size_t *ret_obstacles, struct err *e);

/* One snapshot on disk. */
struct ckpt_generation {
	uint64_t number;
	uint64_t saved_s; /* CLOCK_REALTIME, mtime of the image */
	uint64_t image_len;
};

/* Snapshots of NAME, oldest first; malloc'd. n is 0 when there are none. */
int ckpt_generations(int saved_dirfd, const char *name,
    struct ckpt_generation **ret_v, size_t *ret_n, struct err *e);

/* Names that have snapshots; malloc'd vector of malloc'd strings. */
int ckpt_names(int saved_dirfd, char ***ret_names, size_t *ret_n,
    struct err *e);

/* The command recorded in the latest snapshot, for the listing; or NULL. */
char *ckpt_command(int saved_dirfd, const char *name);

/*
 * Remove snapshot GENERATION of NAME (0: all of them) and the objects that
 * nothing refers to any more. -ENOENT when there is none.
 */
int ckpt_remove(int saved_dirfd, const char *name, uint64_t generation,
    struct err *e);

/*
 * The snapshots of FROM are those of TO from now on. -ENOENT when there are
 * none, without a sentence; -EEXIST when TO has some.
 */
int ckpt_rename(int saved_dirfd, const char *from, const char *to,
    struct err *e);

/*
 * Send generation GENERATION of NAME, with the kept copies it needs, to FD
 * (image/stream.h). *RET_LEN is the number of bytes. SIGINT, SIGTERM and
 * SIGHUP end it with an error, and so does a pipe that nobody reads.
 */
int ckpt_export(int saved_dirfd, const char *name, uint64_t generation, int fd,
    uint64_t *ret_len, struct err *e);

/* In the note about a file whose present content was set aside. */
#define CKPT_SET_ASIDE "had changed since the save: it is now"

/*
 * May FD, named by the user, be read as a snapshot? What others could have
 * written may say what they want to be run: a file is the caller's or root's
 * and not writable by others, readable is fine. -EPERM, -EISDIR.
 */
int ckpt_check_source(int fd, struct err *e);

/*
 * Receive from FD what ckpt_export() sent, as a snapshot of NAME, which must
 * have none. Nothing is kept unless all of it is right and could be revived
 * by this user on this machine.
 */
int ckpt_import(int saved_dirfd, const char *name, int fd,
    uint64_t *ret_generation, struct err *e);

/* Keep the newest KEEP generations. */
int ckpt_prune(int saved_dirfd, const char *name, unsigned keep, struct err *e);

#endif
