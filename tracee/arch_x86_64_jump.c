/*
 * arch_x86_64_jump.c - what is written over the entry of a function to send
 * its callers elsewhere. Only rax, rcx and r11 change, as any function may
 * change them.
 */
#include "tracee/arch.h"

#include <string.h>

static void
put(uint8_t code[ARCH_JUMP_LEN], const uint8_t *bytes, size_t len)
{
	memset(code, 0xcc, ARCH_JUMP_LEN);
	memcpy(code, bytes, len);
}

void
arch_put_jump(uint8_t code[ARCH_JUMP_LEN], uint64_t to)
{
	/* mov $to, %rax; jmp *%rax */
	uint8_t bytes[] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0 };

	_Static_assert(sizeof bytes == ARCH_JUMP_LEN, "ARCH_JUMP_LEN");
	memcpy(bytes + 2, &to, sizeof to);
	put(code, bytes, sizeof bytes);
}

void
arch_put_syscall(uint8_t code[ARCH_JUMP_LEN], uint32_t nr)
{
	/* mov $nr, %eax; syscall; ret */
	uint8_t bytes[] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	memcpy(bytes + 1, &nr, sizeof nr);
	put(code, bytes, sizeof bytes);
}
