/*
 * vdso_elf.h - the [vdso] as a file: which functions it exports, and how a
 * copy of an old kernel's is made to call this kernel's. The bytes come from
 * images and from processes: they are input.
 */
#ifndef CKPT_VDSO_ELF_H
#define CKPT_VDSO_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VDSO_FUNCTIONS 32 /* this kernel's has 7 */

struct vdso_function {
	char name[32];    /* "__vdso_time" */
	uint32_t at, len; /* bytes from the beginning of the [vdso] */
};

struct vdso_functions {
	struct vdso_function v[VDSO_FUNCTIONS];
	size_t n;
};

/*
 * The functions named __vdso_* of the LEN bytes at ELF, those that a jump
 * fits in. -EBADMSG: that is no vdso.
 */
int vdso_elf_parse(const uint8_t *elf, size_t len,
    struct vdso_functions *ret_fns);

/*
 * Make ELF, a copy of an old vdso, one whose functions lead to those of the
 * vdso of this kernel, OWN, which is mapped at OWN_AT. A function that this
 * kernel does not have becomes its system call. May be done again at the
 * next kernel: all that is written over are the functions' entries, and the
 * mark. -EBADMSG as above.
 */
int vdso_elf_redirect(uint8_t *elf, size_t len,
    const struct vdso_functions *own, uint64_t own_at);

/* Has that been done to what begins with these LEN bytes? */
bool vdso_elf_is_redirected(const uint8_t *elf, size_t len);

#endif
