/*
 * maps.c - /proc/PID/maps and smaps as struct memory (proc_pid_maps(5),
 * proc_pid_smaps(5)): memory_parse() of memory.h.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/scope.h"
#include "ckpt/memory/memory.h"

/* VmFlags of smaps and what they mean here (kernel: fs/proc/task_mmu.c). */
static const struct {
	char name[3];
	uint32_t flag;
} vm_flags[] = {
	{ "gd", VMA_F_GROWSDOWN },
	{ "hg", VMA_F_HUGEPAGE },
	{ "nh", VMA_F_NOHUGEPAGE },
	{ "mg", VMA_F_MERGEABLE },
	{ "dc", VMA_F_DONTFORK },
	{ "dd", VMA_F_DONTDUMP },
	{ "wf", VMA_F_WIPEONFORK },
	{ "sr", VMA_F_SEQUENTIAL },
	{ "rr", VMA_F_RANDOM },
	{ "lo", VMA_F_LOCKED },
	{ "nr", VMA_F_NORESERVE },
	{ "ht", VMA_F_HUGETLB },
	{ "io", VMA_F_IO },
	{ "pf", VMA_F_IO },
	{ "um", VMA_F_UFFD },
	{ "uw", VMA_F_UFFD },
	{ "ui", VMA_F_UFFD },
};

/* A path of maps with \012 undone: the kernel escapes newlines only. */
static void
unescape(char *s)
{
	char *to = s;

	while (*s != '\0') {
		if (strncmp(s, "\\012", 4) == 0) {
			*to++ = '\n';
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static int
parse_line(struct vma *v, char *line)
{
	unsigned long long start, end, off, ino;
	unsigned maj, min;
	char perms[5];
	int at = -1;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu%n", &start, &end, perms,
		&off, &maj, &min, &ino, &at) != 7 ||
	    at < 0)
		return -EBADMSG;
	*v = (struct vma){ .start = start,
		.end = end,
		.offset = off,
		.dev = makedev(maj, min),
		.ino = ino };
	if (end <= start || strlen(perms) != 4)
		return -EBADMSG;
	v->prot = (perms[0] == 'r' ? PROT_READ : 0) |
	    (perms[1] == 'w' ? PROT_WRITE : 0) |
	    (perms[2] == 'x' ? PROT_EXEC : 0);
	v->shared = perms[3] == 's';
	line += at;
	while (*line == ' ')
		line++;
	v->path = strdup(line);
	if (v->path == NULL)
		return -ENOMEM;
	unescape(v->path);
	return 0;
}

static void
parse_flags(struct vma *v, const char *s)
{
	while (*s != '\0') {
		while (*s == ' ')
			s++;
		for (size_t i = 0; i < N_ELEMENTS(vm_flags); i++)
			if (strncmp(s, vm_flags[i].name, 2) == 0)
				v->flags |= vm_flags[i].flag;
		while (*s != ' ' && *s != '\0')
			s++;
	}
}

static struct vma *
vma_new(struct memory *m, size_t *cap)
{
	void *p;

	if (m->n_vmas == *cap) {
		*cap = *cap == 0 ? 64 : *cap * 2;
		p = reallocarray(m->vmas, *cap, sizeof *m->vmas);
		if (p == NULL)
			return NULL;
		m->vmas = p;
	}
	return &m->vmas[m->n_vmas];
}

int
memory_parse(struct memory *m, char *text, bool smaps)
{
	size_t cap = 0;
	char *line, *next;
	struct vma *v = NULL;
	int r;

	for (line = text; *line != '\0'; line = next) {
		next = strchr(line, '\n');
		if (next == NULL)
			return -EBADMSG;
		*next++ = '\0';
		if (smaps && v != NULL && isupper((unsigned char)*line)) {
			if (strncmp(line, "VmFlags:", 8) == 0)
				parse_flags(v, line + 8);
			continue;
		}
		v = vma_new(m, &cap);
		if (v == NULL)
			return -ENOMEM;
		r = parse_line(v, line);
		if (r < 0)
			return r;
		m->n_vmas++;
	}
	return 0;
}
