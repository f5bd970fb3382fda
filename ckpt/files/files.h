/*
 * files.h - descriptor tables, and the open file descriptions behind them.
 *
 * A descriptor is a number in one task; a description (position, flags, what
 * is open) may be shared by many. Save: descriptions are told apart by
 * kcmp(2) among those that look alike, and recorded once. Revival: the
 * restorer opens every description once, all tasks inherit it at a number
 * beyond their own, and each puts it where it had it. What can be opened
 * from within a task alone (/dev/tty, /proc/PID of the tree) is opened by
 * the first that has it and handed on through a socket.
 *
 * What can be open is listed in file_kinds[], one struct file_kind each.
 */
#ifndef CKPT_FILES_H
#define CKPT_FILES_H

#include <sys/stat.h>

#include "ckpt/resource.h"

/* An open file description. */
struct file {
	uint64_t id; /* of its record; from 1 */
	const struct file_kind *kind;
	const Img__File *m; /* its record: the one below, or the image's */
	/* Save. */
	struct task *task; /* one that has it open */
	int fd;            /* its number there. Revival: the number that all
	                      inherit; -1: not open (yet) */
	bool cloexec;      /* of that descriptor */
	char *link;        /* /proc/PID/fd/N; owned */
	char *info;        /* /proc/PID/fdinfo/N; owned */
	struct stat st;
	Img__File rec;
	void *extra;              /* what rec leads to; owned */
	struct file *next;        /* in its bucket: the first of other looks */
	struct file *less, *more; /* of the same looks, in kcmp(2)'s order */
	/* Revival. */
	Img__File *loaded; /* owned */
	int relay[2];      /* of late ones: inherited; -1 */
	size_t n_left;     /* holders that do not have it yet */
};

/* A kind of thing that can be open. Functions may be NULL. */
struct file_kind {
	const char *name; /* in images: never changed */

	/* Save: is F, of which link, info, st and rec.flags are known, one? */
	bool (*match)(const struct file *f);

	/*
	 * Nothing is stopped: obstacles and notes about F, descriptor f->fd
	 * of f->task.
	 */
	int (*check)(struct ckpt *c, struct file *f);

	/*
	 * The tree is stopped: complete f->rec; called once per description,
	 * after all of them are known. Strings in it are f's or freed by
	 * nobody before the end of the save.
	 */
	int (*save)(struct ckpt *c, struct file *f);

	/*
	 * Revival, before anything is changed anywhere: report what stands
	 * in the way (files_refuse()).
	 */
	int (*plan)(struct ckpt *c, struct file *f);

	/* Revival, in the restorer: a descriptor for F. */
	int (*open)(struct ckpt *c, struct file *f, int *ret_fd);

	/*
	 * Revival: F can only be opened by a task, once all exist.
	 */
	bool (*late)(const struct file *f);

	/*
	 * How, when not by its path: in T. The number it got there, or
	 * negative errno with the sentence.
	 */
	int64_t (*open_in)(struct ckpt *c, struct task *t, struct file *f);

	/*
	 * What to use instead when that fails with NUM: an inherited
	 * descriptor number, or negative errno with the sentence.
	 */
	int (*instead)(struct ckpt *c, struct file *f, int num);
};

extern const struct file_kind kind_path; /* regular.c */
extern const struct file_kind kind_regular;
extern const struct file_kind kind_dir;
extern const struct file_kind kind_proc; /* device.c */
extern const struct file_kind kind_ctty;
extern const struct file_kind kind_device;
extern const struct file_kind kind_pipe; /* pipes.c */
extern const struct file_kind kind_fifo;
extern const struct file_kind kind_slave; /* ttys.c */
extern const struct file_kind kind_master;
extern const struct file_kind kind_mqueue;
extern const struct file_kind kind_memfd;
extern const struct file_kind kind_eventfd;
extern const struct file_kind kind_timerfd;
extern const struct file_kind kind_signalfd;
extern const struct file_kind kind_pidfd;
extern const struct file_kind kind_epoll;
extern const struct file_kind kind_socket; /* sockets.c */
extern const struct file_kind kind_unix;

struct files {
	struct file **v; /* id = index + 1; owned */
	size_t n, cap;
	struct file *buckets[256];
	struct fd_table *tables; /* owned, see files.c */
	size_t n_tables;
	struct contents *contents; /* content.h; owned */
	struct places *places;     /* places.h; owned */
	struct pipes *pipes;       /* pipes.c; owned */
	struct ttys *ttys;         /* ttys.c; owned */
	struct sockets *sockets;   /* sockets.c; owned */
	struct watched *watched;   /* inotify.c; owned */
	struct buf refused;        /* lines: what stands in the way */
	bool owners_set;
};

/* c->files, made when there is none yet; NULL: no memory, told. */
struct files *files_get(struct ckpt *c);

/*
 * Save: look at descriptor FD of T. 0 and *RET_F, heap, to be freed with
 * file_free(); -ENOENT: it is not open (any more).
 */
int file_look(struct task *t, int fd, struct file **ret_f);
void file_free(struct file *f);

/* Save: a copy of F's description in this process, CLOEXEC. */
int file_pull(struct ckpt *c, const struct file *f);

/*
 * Save: a new description of what F is, opened through /proc/PID/fd with
 * FLAGS. Negative errno without a sentence.
 */
int file_reopen(const struct file *f, int flags);

/* Save: what F is, for a person: "an inotify watch", "the device /dev/sda". */
void file_describe(const struct file *f, char *ret_text, size_t cap);

/* Revival: open(2) flags for F, CLOEXEC and NOCTTY among them. */
int file_open_flags(const struct file *f);

/*
 * Revival: F cannot come back. One line is kept that says who has it open:
 * "PROCESS (pid N): descriptor D: ...". All together become the refusal.
 */
void files_refuse(struct ckpt *c, const struct file *f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Save, in the writer, after the tree goes on and before the records are
 * stored: kept contents go into the page stream.
 */
int files_write(struct ckpt *c, struct image_writer *w);

/*
 * Revival: it has failed. Files that were put back are taken away again, and
 * what had been in their place returns.
 */
void files_undo(struct ckpt *c);

/*
 * Revival: for c->fd_base: from there on there is room for all that tasks
 * inherit, where none of them has a descriptor of its own. To be asked when
 * RLIMIT_NOFILE is what it will be. -EMFILE: the limit is too low.
 */
int files_fd_base(struct ckpt *c, int *ret_base);

/*
 * Revival: the last that happens to T's descriptors: the inherited numbers
 * are closed. Whoever still needs one (mappings, the executable, terminals)
 * comes before.
 */
int files_close(struct ckpt *c, struct task *t);

/*
 * Save and revival: free all of c->files and close what this process has
 * open for it. Not c->session_master.
 */
void files_done(struct ckpt *c);

#endif
