/*
 * cpu.c - registers while they are in use. Every vector, mask and x87
 * register and most integer ones hold a pattern over a spin and must hold it
 * afterwards; rounding modes and the gs base, which no function saves, must
 * be as they were set once.
 */
#include <asm/prctl.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define SPINS 300000

#define EACH8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH16(X) EACH8(X) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define EACH32(X) \
	EACH16(X) \
	X(16)     \
	X(17)     \
	X(18)     \
	X(19)     \
	X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)

#define YMM_IN(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define YMM_OUT(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define ZMM_IN(n) "vmovdqu64 " #n "*64(%[in]), %%zmm" #n "\n"
#define ZMM_OUT(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[out])\n"
#define XMM_IN(n) "movdqu " #n "*16(%[in]), %%xmm" #n "\n"
#define XMM_OUT(n) "movdqu %%xmm" #n ", " #n "*16(%[out])\n"
#define MASK_IN(n) "kmovw " #n "*2(%[in]), %%k" #n "\n"
#define MASK_OUT(n) "kmovw %%k" #n ", " #n "*2(%[out])\n"
#define SPIN "1: dec %[spins]\njnz 1b\n"
#define HOLD(in_ops, out_ops)                           \
	__asm__ volatile(in_ops SPIN out_ops            \
			 : [spins] "+r"(spins)          \
			 : [in] "r"(in), [out] "r"(out) \
			 : "memory", "cc")

static unsigned char in[32 * 64], out[32 * 64];
static uint64_t gs_area[2];

static void
hold_avx512(void)
{
	uint64_t spins = SPINS;

	HOLD(EACH32(ZMM_IN), EACH32(ZMM_OUT) "vzeroupper\n");
	EXPECT(memcmp(in, out, 32 * 64) == 0, "a zmm register changed");
	spins = SPINS;
	HOLD(EACH8(MASK_IN), EACH8(MASK_OUT));
	EXPECT(memcmp(in, out, 8 * 2) == 0, "a mask register changed");
}

static void
hold_avx(void)
{
	uint64_t spins = SPINS;

	HOLD(EACH16(YMM_IN), EACH16(YMM_OUT) "vzeroupper\n");
	EXPECT(memcmp(in, out, 16 * 32) == 0, "a ymm register changed");
}

static void
hold_sse(void)
{
	uint64_t spins = SPINS;

	HOLD(EACH16(XMM_IN), EACH16(XMM_OUT));
	EXPECT(memcmp(in, out, 16 * 16) == 0, "an xmm register changed");
}

static void
hold_x87(void)
{
	static const long double want[4] = { 1.0L / 3, -2.0L / 7, 1e-40L,
		3.25L };
	long double v[4];
	uint64_t spins = SPINS;

	__asm__ volatile("fldt 48(%[in])\nfldt 32(%[in])\n"
			 "fldt 16(%[in])\nfldt (%[in])\n" SPIN
			 "fstpt (%[out])\nfstpt 16(%[out])\n"
			 "fstpt 32(%[out])\nfstpt 48(%[out])\n"
			 : [spins] "+r"(spins)
			 : [in] "r"(want), [out] "r"(v)
			 : "memory", "cc", "st", "st(1)", "st(2)", "st(3)");
	EXPECT(v[0] == want[0] && v[1] == want[1] && v[2] == want[2] &&
		v[3] == want[3],
	    "an x87 register changed");
}

static void
hold_integers(void)
{
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;

	__asm__ volatile(
	    "mov $8, %%r8\nmov $9, %%r9\nmov $10, %%r10\n"
	    "mov $11, %%r11\nmov $12, %%r12\nmov $13, %%r13\n"
	    "mov $14, %%r14\nmov $15, %%r15\nmov %[spins], %%ecx\n"
	    "1: dec %%ecx\njnz 1b\n"
	    "mov %%r8, %0\nmov %%r9, %1\nmov %%r10, %2\nmov %%r11, %3\n"
	    "mov %%r12, %4\nmov %%r13, %5\nmov %%r14, %6\nmov %%r15, %7\n"
	    : "=m"(r8), "=m"(r9), "=m"(r10), "=m"(r11), "=m"(r12), "=m"(r13),
	    "=m"(r14), "=m"(r15)
	    : [spins] "i"(SPINS)
	    : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	    "cc");
	EXPECT(r8 == 8 && r9 == 9 && r10 == 10 && r11 == 11 && r12 == 12 &&
		r13 == 13 && r14 == 14 && r15 == 15,
	    "an integer register changed");
}

/* A long sum whose every bit depends on the rounding mode. */
static double
sum(void)
{
	double s = 0;
	int i;

	for (i = 1; i < 20000; i++)
		s += 1.0 / i;
	return s;
}

int
main(void)
{
	uint32_t mxcsr = 0x5f80, mxcsr_now; /* round up, nothing trapped */
	uint16_t cw = 0x0b7f, cw_now;       /* the same for x87 */
	uint64_t gs_now;
	double first;
	sigset_t none;

	victim_init();
	sigemptyset(&none);
	victim_fill(in, sizeof in, 1);
	gs_area[1] = 0x5e55;
	MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, gs_area));
	__asm__ volatile("ldmxcsr %0\nfldcw %1" : : "m"(mxcsr), "m"(cw));
	first = sum();
	MUST(sigprocmask(SIG_SETMASK, &none, NULL));
	victim_ready();
	while (!victim_told) {
		if (__builtin_cpu_supports("avx512f"))
			hold_avx512();
		if (__builtin_cpu_supports("avx"))
			hold_avx();
		hold_sse();
		hold_x87();
		hold_integers();
		EXPECT(sum() == first, "a sum of doubles came out otherwise");
		__asm__ volatile("mov %%gs:8, %0" : "=r"(gs_now));
		EXPECT(gs_now == 0x5e55, "gs base changed");
		__asm__ volatile("stmxcsr %0\nfnstcw %1"
				 : "=m"(mxcsr_now), "=m"(cw_now));
		EXPECT((mxcsr_now & 0xffc0) == (mxcsr & 0xffc0), "mxcsr is %#x",
		    mxcsr_now);
		EXPECT(cw_now == cw, "x87 control word is %#x", cw_now);
	}
	victim_ok();
}
