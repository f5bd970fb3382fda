/*
 * arch_x86_64_xstate.c - the extended state (x87, SSE, AVX, AVX-512, keys,
 * AMX) in the layout of XSAVE: Intel SDM vol. 1, ch. 13; AMD APM vol. 3,
 * cpuid 0xd. Bytes 0..511 are FXSAVE's, then a header of 64 bytes whose first
 * word says which components are in use, then the components. Their sizes are
 * architectural; their places are not: AMD closed the gap that Intel keeps
 * for MPX.
 */
#include "tracee/arch.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "base/scope.h"

#define SOFTWARE 464 /* kernel: struct xstate_fx_sw_bytes, or our places */
#define HEADER 512
#define EXTENDED 576
#define LEGACY_BITS 3u /* x87 and SSE lie in the first 512 bytes */

static const struct component {
	int bit;
	uint32_t size;
	const char *name;
} components[] = {
	{ 2, 256, "avx" },
	{ 3, 64, "mpx bounds" },
	{ 4, 64, "mpx configuration" },
	{ 5, 64, "avx512 masks" },
	{ 6, 512, "avx512 upper halves" },
	{ 7, 1024, "avx512 upper registers" },
	{ 9, 8, "protection keys" },
	{ 17, 64, "amx configuration" },
	{ 18, 8192, "amx tiles" },
};

/* What we leave in the software bytes of a state taken here. */
struct places {
	uint64_t xcr0;
	uint16_t at[N_ELEMENTS(components)]; /* byte offset, 0: none */
	uint16_t zero;
	uint32_t magic;
};
#define PLACES_MAGIC 0x73736c70u

static uint64_t
local_xcr0(void)
{
	uint32_t a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0)
		return LEGACY_BITS;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}

static void
local_places(struct places *ret)
{
	uint32_t a, b, c, d;
	size_t i;

	*ret = (struct places){ .xcr0 = local_xcr0(), .magic = PLACES_MAGIC };
	for (i = 0; i < N_ELEMENTS(components); i++) {
		if ((ret->xcr0 >> components[i].bit & 1) == 0 ||
		    __get_cpuid_count(0xd, (unsigned)components[i].bit, &a, &b,
			&c, &d) == 0 ||
		    a < components[i].size)
			continue;
		ret->at[i] = (uint16_t)b;
	}
}

static int
get_raw(pid_t tid, struct arch_xstate *x, struct err *e)
{
	struct iovec iov = { x->data, sizeof x->data };

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return err_sys(e, "thread %d: reading extended state", tid);
	x->len = (uint32_t)iov.iov_len;
	return 0;
}

int
arch_get_xstate(pid_t tid, struct arch_xstate *ret_x, struct err *e)
{
	struct places places;
	int r;

	memset(ret_x->data, 0, sizeof ret_x->data);
	r = get_raw(tid, ret_x, e);
	if (r < 0)
		return r;
	if (ret_x->len < EXTENDED)
		return err_set(e, -EOPNOTSUPP,
		    "thread %d: this processor has no XSAVE", tid);
	local_places(&places);
	memcpy(ret_x->data + SOFTWARE, &places, sizeof places);
	return 0;
}

/* Copy component I of FROM into TO; both sides know their places. */
static int
move_component(struct arch_xstate *to, const struct places *to_at,
    const struct arch_xstate *from, const struct places *from_at, size_t i,
    struct err *e)
{
	uint32_t size = components[i].size;

	if (to_at->at[i] == 0)
		return err_set(e, -ENOTSUP,
		    "this processor lacks %s, which "
		    "are in use",
		    components[i].name);
	if (from_at->at[i] < EXTENDED || from_at->at[i] + size > from->len ||
	    to_at->at[i] + size > to->len)
		return err_set(e, -EBADMSG, "extended state: %s out of bounds",
		    components[i].name);
	memcpy(to->data + to_at->at[i], from->data + from_at->at[i], size);
	return 0;
}

int
arch_set_xstate(pid_t tid, const struct arch_xstate *x, struct err *e)
{
	struct arch_xstate local = { .len = 0 };
	struct places here, there;
	struct iovec iov;
	uint64_t used, known = LEGACY_BITS;
	size_t i;
	int r;

	memcpy(&there, x->data + SOFTWARE, sizeof there);
	if (x->len < EXTENDED || x->len > sizeof x->data ||
	    there.magic != PLACES_MAGIC)
		return err_set(e, -EBADMSG, "extended state: not understood");
	memcpy(&used, x->data + HEADER, sizeof used);
	r = get_raw(tid, &local, e);
	if (r < 0)
		return r;
	local_places(&here);
	memset(local.data, 0, local.len);
	memcpy(local.data, x->data, SOFTWARE);
	for (i = 0; i < N_ELEMENTS(components); i++) {
		known |= UINT64_C(1) << components[i].bit;
		if ((used >> components[i].bit & 1) == 0)
			continue;
		r = move_component(&local, &here, x, &there, i, e);
		if (r < 0)
			return r;
	}
	if ((used & ~known) != 0)
		return err_set(e, -ENOTSUP,
		    "extended state: unknown component");
	memcpy(local.data + SOFTWARE, &here.xcr0, sizeof here.xcr0);
	memcpy(local.data + HEADER, &used, sizeof used);
	iov = (struct iovec){ local.data, local.len };
	if (ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return err_sys(e, "thread %d: setting extended state", tid);
	return 0;
}
