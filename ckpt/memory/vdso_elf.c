/*
 * vdso_elf.c - see vdso_elf.h. Sources: elf(5), vdso(7), kernel:
 * arch/x86/entry/vdso/vdso.lds.S (5.14 to 6.18): linked at 0, one segment,
 * .dynsym before .dynstr. Newer ones lack DT_HASH, which would say how many
 * symbols there are.
 */
#include "ckpt/memory/vdso_elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/scope.h"
#include "tracee/arch.h"

#define SEGMENTS 16
#define DYNAMIC 64
#define SYMBOLS 256

#ifndef SYS_getrandom
#define SYS_getrandom 318
#endif

/* The mark of a copy, in bytes that elf(5) calls padding. */
static const uint8_t mark[EI_NIDENT - EI_PAD] = "sess 1";

/* What the functions do, where this kernel has none. */
static const struct {
	const char *name;
	uint32_t nr;
} calls[] = {
	{ "__vdso_clock_gettime", SYS_clock_gettime },
	{ "__vdso_gettimeofday", SYS_gettimeofday },
	{ "__vdso_time", SYS_time },
	{ "__vdso_getcpu", SYS_getcpu },
	{ "__vdso_clock_getres", SYS_clock_getres },
	{ "__vdso_getrandom", SYS_getrandom },
};
#define NO_CALL UINT32_C(0xffff) /* answers -ENOSYS */

/* What the dynamic section says, as offsets. */
struct tables {
	uint64_t symbols, names, names_len;
};

static bool
inside(size_t len, uint64_t at, uint64_t n)
{
	return at <= len && n <= len - at;
}

static int
find_dynamic(const uint8_t *elf, size_t len, Elf64_Phdr *ret_ph)
{
	Elf64_Ehdr eh;
	size_t i;

	if (len < sizeof eh)
		return -EBADMSG;
	memcpy(&eh, elf, sizeof eh);
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_type != ET_DYN ||
	    eh.e_phentsize != sizeof *ret_ph || eh.e_phnum > SEGMENTS ||
	    !inside(len, eh.e_phoff, eh.e_phnum * sizeof *ret_ph))
		return -EBADMSG;
	for (i = 0; i < eh.e_phnum; i++) {
		memcpy(ret_ph, elf + eh.e_phoff + i * sizeof *ret_ph,
		    sizeof *ret_ph);
		if (ret_ph->p_type == PT_DYNAMIC)
			return inside(len, ret_ph->p_offset, ret_ph->p_filesz) ?
			    0 :
			    -EBADMSG;
	}
	return -EBADMSG;
}

static int
find_tables(const uint8_t *elf, size_t len, struct tables *ret_t)
{
	Elf64_Phdr ph;
	Elf64_Dyn d;
	size_t i;
	int r;

	*ret_t = (struct tables){ .symbols = 0 };
	r = find_dynamic(elf, len, &ph);
	if (r < 0)
		return r;
	for (i = 0; i < DYNAMIC && (i + 1) * sizeof d <= ph.p_filesz; i++) {
		memcpy(&d, elf + ph.p_offset + i * sizeof d, sizeof d);
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_SYMTAB)
			ret_t->symbols = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRTAB)
			ret_t->names = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRSZ)
			ret_t->names_len = d.d_un.d_val;
	}
	if (ret_t->symbols == 0 || ret_t->symbols >= ret_t->names ||
	    !inside(len, ret_t->names, ret_t->names_len))
		return -EBADMSG;
	return 0;
}

/* Keep SYM, if it is a function that its callers find by name. */
static void
take(const uint8_t *elf, size_t len, const struct tables *t,
    const Elf64_Sym *sym, struct vdso_functions *fns)
{
	struct vdso_function *f = &fns->v[fns->n];
	const char *name = (const char *)elf + t->names + sym->st_name;
	size_t max;

	if (ELF64_ST_TYPE(sym->st_info) != STT_FUNC ||
	    sym->st_shndx == SHN_UNDEF || sym->st_name >= t->names_len ||
	    sym->st_size < ARCH_JUMP_LEN || fns->n == VDSO_FUNCTIONS ||
	    !inside(len, sym->st_value, sym->st_size))
		return;
	max = t->names_len - sym->st_name;
	if (max > sizeof f->name)
		max = sizeof f->name;
	if (memchr(name, '\0', max) == NULL || strncmp(name, "__vdso_", 7) != 0)
		return;
	*f = (struct vdso_function){ .at = (uint32_t)sym->st_value,
		.len = (uint32_t)sym->st_size };
	memcpy(f->name, name, strlen(name));
	fns->n++;
}

int
vdso_elf_parse(const uint8_t *elf, size_t len, struct vdso_functions *ret_fns)
{
	struct tables t;
	Elf64_Sym sym;
	uint64_t at;
	int r;

	ret_fns->n = 0;
	r = find_tables(elf, len, &t);
	if (r < 0)
		return r;
	for (at = t.symbols; at + sizeof sym <= t.names &&
	     at < t.symbols + SYMBOLS * sizeof sym;
	     at += sizeof sym) {
		memcpy(&sym, elf + at, sizeof sym);
		take(elf, len, &t, &sym, ret_fns);
	}
	return 0;
}

static const struct vdso_function *
find(const struct vdso_functions *fns, const char *name)
{
	for (size_t i = 0; i < fns->n; i++)
		if (strcmp(fns->v[i].name, name) == 0)
			return &fns->v[i];
	return NULL;
}

static uint32_t
call_of(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].nr;
	return NO_CALL;
}

int
vdso_elf_redirect(uint8_t *elf, size_t len, const struct vdso_functions *own,
    uint64_t own_at)
{
	struct vdso_functions fns;
	int r;

	r = vdso_elf_parse(elf, len, &fns);
	if (r < 0)
		return r;
	for (size_t i = 0; i < fns.n; i++) {
		const struct vdso_function *f = &fns.v[i];
		const struct vdso_function *to = find(own, f->name);

		if (to != NULL)
			arch_put_jump(elf + f->at, own_at + to->at);
		else
			arch_put_syscall(elf + f->at, call_of(f->name));
	}
	memcpy(elf + EI_PAD, mark, sizeof mark);
	return 0;
}

bool
vdso_elf_is_redirected(const uint8_t *elf, size_t len)
{
	return len >= EI_NIDENT && memcmp(elf, ELFMAG, SELFMAG) == 0 &&
	    memcmp(elf + EI_PAD, mark, sizeof mark) == 0;
}
