/*
 * vdso.c - see vdso.h. arch_prctl(ARCH_MAP_VDSO_64) maps [vvar] (and
 * [vvar_vclock]) with [vdso] behind it (kernel: arch/x86/entry/vdso/vma.c,
 * 6.1 to 6.18); it needs no capability, and that no vdso is mapped.
 */
#include "ckpt/vdso.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/memory.h"

#define ARCH_MAP_VDSO_64 0x2003

struct vdso {
	uint64_t start; /* of the first [vvar] */
	uint64_t code;  /* of [vdso] */
	uint64_t end;
};

/* Where the vdso of process PID is; all 0 when it has none. */
static int
find_vdso(struct ckpt *c, const char *path, struct vdso *ret_v)
{
	autobuf struct buf b = BUF_INIT(256u << 20);
	struct memory m = { .vmas = NULL };
	int r;

	*ret_v = (struct vdso){ .start = 0 };
	r = io_read_file(AT_FDCWD, path, &b);
	if (r >= 0)
		r = memory_parse(&m, (char *)b.data, false);
	for (size_t i = 0; i < m.n_vmas; i++) {
		const struct vma *v = &m.vmas[i];

		if (strncmp(v->path, "[vvar", 5) == 0 && ret_v->start == 0)
			ret_v->start = v->start;
		if (strcmp(v->path, "[vdso]") == 0) {
			ret_v->code = v->start;
			ret_v->end = v->end;
		}
		free(v->path);
	}
	free(m.vmas);
	return r < 0 ? err_num(c->err, r, "reading %s", path) : 0;
}

int
vdso_describe(struct ckpt *c, Img__Machine *m)
{
	struct vdso v;
	int r;

	r = find_vdso(c, "/proc/self/maps", &v);
	if (r < 0 || v.code == 0)
		return r;
	m->vdso.data = (uint8_t *)(uintptr_t)v.code;
	m->vdso.len = v.end - v.code;
	m->vvar_len = v.code - v.start;
	return 0;
}

int
vdso_check(struct ckpt *c, const Img__Machine *m)
{
	Img__Machine own = IMG__MACHINE__INIT;
	int r;

	r = vdso_describe(c, &own);
	if (r < 0)
		return r;
	if (own.vdso.len != m->vdso.len || own.vvar_len != m->vvar_len ||
	    memcmp(own.vdso.data, m->vdso.data, m->vdso.len) != 0)
		return err_set(c->err, -ENOTSUP,
		    "it was saved under another "
		    "kernel (%s), whose vdso differs from this one's: boot "
		    "that kernel to revive it",
		    m->release);
	return 0;
}

int
vdso_revive(struct ckpt *c, struct task *t, uint64_t at)
{
	char path[64];
	struct vdso v;
	int64_t val;
	int r;

	val = task_must(c, t, "mapping the vdso", SYS_arch_prctl,
	    ARCH_MAP_VDSO_64, at, 0, 0, 0, 0);
	if (val < 0)
		return (int)val;
	(void)snprintf(path, sizeof path, "/proc/%d/maps", t->pid);
	r = find_vdso(c, path, &v);
	if (r < 0)
		return r;
	if (v.start != at)
		return err_set(c->err, -EEXIST,
		    "%s (pid %d): the kernel put "
		    "the vdso at %llx instead of %llx",
		    t->comm, t->vpid, (unsigned long long)v.start,
		    (unsigned long long)at);
	return 0;
}
