/*
 * arch_x86_64_cpu.c - what this processor can do, as programs see it (cpuid
 * and xgetbv). Only bits that a program picks instructions by are listed;
 * those for kernels and those that vary with the hypervisor do not matter.
 */
#include "tracee/arch.h"

#include <cpuid.h>
#include <string.h>

#include "base/scope.h"

enum {
	W_1_C,
	W_1_D,
	W_7_B,
	W_7_C,
	W_7_D,
	W_71_A,
	W_D1_A,
	W_EXT_C,
	W_EXT_D,
	W_XCR0,
	W_XCR0_HIGH,
	W_UNUSED,
};

static const struct feature {
	uint8_t word, bit;
	const char *name;
} features[] = {
	{ W_1_D, 4, "tsc" },
	{ W_1_D, 8, "cx8" },
	{ W_1_D, 15, "cmov" },
	{ W_1_D, 19, "clflush" },
	{ W_1_D, 23, "mmx" },
	{ W_1_D, 24, "fxsr" },
	{ W_1_D, 25, "sse" },
	{ W_1_D, 26, "sse2" },
	{ W_1_C, 0, "sse3" },
	{ W_1_C, 1, "pclmulqdq" },
	{ W_1_C, 9, "ssse3" },
	{ W_1_C, 12, "fma" },
	{ W_1_C, 13, "cx16" },
	{ W_1_C, 19, "sse4.1" },
	{ W_1_C, 20, "sse4.2" },
	{ W_1_C, 22, "movbe" },
	{ W_1_C, 23, "popcnt" },
	{ W_1_C, 25, "aes" },
	{ W_1_C, 27, "xsave" },
	{ W_1_C, 28, "avx" },
	{ W_1_C, 29, "f16c" },
	{ W_1_C, 30, "rdrand" },
	{ W_7_B, 0, "fsgsbase" },
	{ W_7_B, 3, "bmi1" },
	{ W_7_B, 5, "avx2" },
	{ W_7_B, 8, "bmi2" },
	{ W_7_B, 9, "erms" },
	{ W_7_B, 11, "rtm" },
	{ W_7_B, 16, "avx512f" },
	{ W_7_B, 17, "avx512dq" },
	{ W_7_B, 18, "rdseed" },
	{ W_7_B, 19, "adx" },
	{ W_7_B, 21, "avx512ifma" },
	{ W_7_B, 23, "clflushopt" },
	{ W_7_B, 24, "clwb" },
	{ W_7_B, 28, "avx512cd" },
	{ W_7_B, 29, "sha" },
	{ W_7_B, 30, "avx512bw" },
	{ W_7_B, 31, "avx512vl" },
	{ W_7_C, 1, "avx512vbmi" },
	{ W_7_C, 4, "ospke" },
	{ W_7_C, 5, "waitpkg" },
	{ W_7_C, 6, "avx512vbmi2" },
	{ W_7_C, 8, "gfni" },
	{ W_7_C, 9, "vaes" },
	{ W_7_C, 10, "vpclmulqdq" },
	{ W_7_C, 11, "avx512vnni" },
	{ W_7_C, 12, "avx512bitalg" },
	{ W_7_C, 14, "avx512vpopcntdq" },
	{ W_7_C, 22, "rdpid" },
	{ W_7_C, 27, "movdiri" },
	{ W_7_C, 28, "movdir64b" },
	{ W_7_D, 4, "fsrm" },
	{ W_7_D, 8, "avx512vp2intersect" },
	{ W_7_D, 14, "serialize" },
	{ W_7_D, 22, "amx-bf16" },
	{ W_7_D, 23, "avx512fp16" },
	{ W_7_D, 24, "amx-tile" },
	{ W_7_D, 25, "amx-int8" },
	{ W_71_A, 0, "sha512" },
	{ W_71_A, 1, "sm3" },
	{ W_71_A, 2, "sm4" },
	{ W_71_A, 4, "avx-vnni" },
	{ W_71_A, 5, "avx512-bf16" },
	{ W_71_A, 7, "cmpccxadd" },
	{ W_71_A, 21, "amx-fp16" },
	{ W_71_A, 23, "avx-ifma" },
	{ W_D1_A, 0, "xsaveopt" },
	{ W_D1_A, 1, "xsavec" },
	{ W_D1_A, 2, "xgetbv1" },
	{ W_EXT_C, 0, "lahf" },
	{ W_EXT_C, 5, "lzcnt" },
	{ W_EXT_C, 6, "sse4a" },
	{ W_EXT_C, 8, "prefetchw" },
	{ W_EXT_C, 11, "xop" },
	{ W_EXT_C, 16, "fma4" },
	{ W_EXT_C, 21, "tbm" },
	{ W_EXT_C, 29, "mwaitx" },
	{ W_EXT_D, 27, "rdtscp" },
	{ W_XCR0, 2, "avx state" },
	{ W_XCR0, 5, "avx512 mask state" },
	{ W_XCR0, 6, "avx512 upper half state" },
	{ W_XCR0, 7, "avx512 upper register state" },
	{ W_XCR0, 9, "protection key state" },
	{ W_XCR0, 17, "amx state" },
	{ W_XCR0, 18, "amx tile state" },
};

size_t
arch_features(uint32_t words[ARCH_N_FEATURES])
{
	uint32_t a, b, c, d;

	memset(words, 0, ARCH_N_FEATURES * sizeof *words);
	if (__get_cpuid(1, &a, &b, &c, &d) != 0) {
		words[W_1_C] = c;
		words[W_1_D] = d;
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
		words[W_7_B] = b;
		words[W_7_C] = c;
		words[W_7_D] = d;
		if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0)
			words[W_71_A] = a;
	}
	if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d) != 0)
		words[W_D1_A] = a;
	if (__get_cpuid(0x80000001, &a, &b, &c, &d) != 0) {
		words[W_EXT_C] = c;
		words[W_EXT_D] = d;
	}
	if ((words[W_1_C] & bit_OSXSAVE) != 0) {
		__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		words[W_XCR0] = a;
		words[W_XCR0_HIGH] = d;
	}
	return ARCH_N_FEATURES;
}

const char *
arch_features_missing(const uint32_t *want, size_t n)
{
	uint32_t have[ARCH_N_FEATURES];
	size_t i;

	(void)arch_features(have);
	for (i = 0; i < N_ELEMENTS(features); i++) {
		uint8_t w = features[i].word;
		uint32_t bit = UINT32_C(1) << features[i].bit;

		if (w < n && (want[w] & bit) != 0 && (have[w] & bit) == 0)
			return features[i].name;
	}
	return NULL;
}
