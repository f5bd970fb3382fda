/*
 * ttys_table.h - the terminals of one save or revival. Between ttys.c, which
 * saves, ttys_revive.c and ttys_control.c alone.
 */
#ifndef CKPT_TTYS_TABLE_H
#define CKPT_TTYS_TABLE_H

#include <asm/termbits.h>
#include <sys/ioctl.h>

#include "ckpt/files/tty_queue.h"
#include "ckpt/files/ttys.h"

#define SLAVE_MAJOR 136            /* to 143: linux/major.h */
#define KERNEL_O_LARGEFILE 0100000 /* asm-generic/fcntl.h; glibc has 0 */

/* What a task has as its controlling terminal. */
struct ctty {
	const struct task *task;
	int tty_nr;
	pid_t pgrp, tpgid; /* as this process numbers them */
};

struct tty {
	dev_t dev; /* save: which devpts */
	unsigned index;
	bool gone;
	/* Save: who has it open. */
	const struct file *master_file;
	const struct file *slave_file; /* for reading, if one is */
	struct tty_input input;
	struct buf output;
	struct termios2 termios;
	struct winsize winsize;
	Img__Tty rec;
	Img__TtyLine *lines;      /* owned */
	Img__TtyLine **line_ptrs; /* owned */
	/* Revival. */
	Img__Tty *loaded; /* owned */
	int master;       /* -1 */
	int slave;        /* inherited; -1 */
};

struct ttys {
	struct tty **v; /* id = index + 1 */
	size_t n, cap;
	struct ctty *cttys; /* owned */
	size_t n_cttys, cap_cttys;
	int hung;
	bool foreground_set;
};

/* c->files->ttys, made when there is none yet; NULL: no memory, told. */
struct ttys *ttys_get(struct ckpt *c);

/* A new one, the last of all; NULL: no memory, told. */
struct tty *ttys_add(struct ckpt *c);

/* resource.save, in ttys_control.c: what T has as controlling terminal. */
int ttys_note_control(struct ckpt *c, struct task *t);

/*
 * Save, when all tasks have been noted and all terminals are in TS: complete
 * the records of those that control a session.
 */
int ttys_find_controlled(struct ckpt *c, struct ttys *ts);

/* struct file_kind: see files.h; in ttys_revive.c. */
int ttys_open_slave(struct ckpt *c, struct file *f, int *ret_fd);
int ttys_open_master(struct ckpt *c, struct file *f, int *ret_fd);

/* resource.open, in ttys_revive.c. */
int ttys_open(struct ckpt *c);

#endif
