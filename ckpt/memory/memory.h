/*
 * memory.h - the address space of a process: its mappings, what backs them,
 * and the numbers the kernel keeps beside them (PR_SET_MM_MAP, prctl(2)).
 */
#ifndef CKPT_MEMORY_H
#define CKPT_MEMORY_H

#include "ckpt/model.h"

enum vma_kind {
	VMA_ANON = 0,   /* private, nothing behind it */
	VMA_FILE = 1,   /* a regular file that can be opened by its path */
	VMA_SHM = 2,    /* shared memory without a name */
	VMA_KERNEL = 3, /* [vvar], [vdso]: mapped by the kernel itself */
	VMA_SKIP = 4,   /* [vsyscall] and our own: not recorded */
};

/* What smaps says in VmFlags and madvise(2) and friends can say again. */
enum vma_flag {
	VMA_F_GROWSDOWN = 1 << 0,
	VMA_F_HUGEPAGE = 1 << 1,
	VMA_F_NOHUGEPAGE = 1 << 2,
	VMA_F_MERGEABLE = 1 << 3,
	VMA_F_DONTFORK = 1 << 4,
	VMA_F_DONTDUMP = 1 << 5,
	VMA_F_WIPEONFORK = 1 << 6,
	VMA_F_SEQUENTIAL = 1 << 7,
	VMA_F_RANDOM = 1 << 8,
	VMA_F_LOCKED = 1 << 9,
	VMA_F_NORESERVE = 1 << 10,
	VMA_F_HUGETLB = 1 << 16, /* these cannot be saved */
	VMA_F_IO = 1 << 17,
	VMA_F_UFFD = 1 << 18,
};

struct vma {
	uint64_t start, end;
	uint64_t offset;
	uint64_t dev, ino; /* as /proc/PID/maps has them */
	uint64_t object;   /* id of IMG_MAPPED or IMG_SHM */
	uint32_t prot;     /* PROT_* */
	uint32_t flags;    /* enum vma_flag */
	enum vma_kind kind;
	bool shared;
	bool all;      /* store every page: its file is gone */
	char *path;    /* owned; "" when anonymous */
	uint8_t *copy; /* content taken during the stop, or NULL; owned
	                      (mmap'd, end - start bytes) */
};

struct memory {
	struct vma *vmas; /* owned; ascending */
	size_t n_vmas;
	Img__Mm rec; /* its own fields filled, lists empty */
	uint8_t auxv[1024];
	uint64_t vdso; /* first of [vvar]..[vdso]; 0: none */
	uint64_t vdso_end;
	uint64_t exe;   /* id of IMG_MAPPED */
	char *exe_path; /* owned */
};

void memory_free(struct memory *m);

/*
 * Parse TEXT, the NUL-terminated content of /proc/PID/maps (SMAPS false) or
 * /proc/PID/smaps (true, with flags), into M. -EBADMSG when it is not that.
 */
int memory_parse(struct memory *m, char *text, bool smaps);

/* From /proc, before the stop: what of T's memory cannot be saved. */
int memory_check(struct ckpt *c, struct task *t);

/* After the checks of all tasks: make what they saw ready to be looked up. */
void memory_checked(struct ckpt *c);

/*
 * The tree is stopped: read T's mappings; what a fork would not show a
 * snapshot (MADV_DONTFORK, MADV_WIPEONFORK, shared memory) is copied.
 */
int memory_collect(struct ckpt *c, struct task *t);

/*
 * The id of the shared memory with this device and inode, LEN bytes at least;
 * it is made when there is none yet.
 */
int memory_shared_id(struct ckpt *c, uint64_t dev, uint64_t ino, uint64_t len,
    uint64_t *ret_id);

/* After all tasks were collected, still in the stop: copy what is shared. */
int memory_collect_shared(struct ckpt *c);

void memory_objects_free(struct ckpt *c);

#endif
