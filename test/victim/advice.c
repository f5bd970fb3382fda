/*
 * advice.c - what madvise(2), mlock(2) and mmap(2) flags have said about
 * memory: VmFlags of /proc/self/smaps must be as before, and the memory that
 * a fork leaves out (MADV_DONTFORK, MADV_WIPEONFORK) must be there all the
 * same.
 */
#include <sys/mman.h>

#include "test/victim/victim.h"

#define PAGE 4096u
#define LEN (16u * PAGE)
#define HUGE (4u << 20)

static const struct kind {
	const char *name;
	int advice, flags;
	size_t len;
	const char *flag; /* that must show; NULL: none */
} kinds[] = {
	{ "dontfork", MADV_DONTFORK, 0, LEN, "dc" },
	{ "wipeonfork", MADV_WIPEONFORK, 0, LEN, "wf" },
	{ "dontdump", MADV_DONTDUMP, 0, LEN, "dd" },
	{ "hugepage", MADV_HUGEPAGE, 0, HUGE, "hg" },
	{ "nohugepage", MADV_NOHUGEPAGE, 0, LEN, "nh" },
	{ "mergeable", MADV_MERGEABLE, 0, LEN, "mg" },
	{ "sequential", MADV_SEQUENTIAL, 0, LEN, "sr" },
	{ "random", MADV_RANDOM, 0, LEN, "rr" },
	{ "noreserve", -1, MAP_NORESERVE, LEN, "nr" },
	{ "growsdown", -1, MAP_GROWSDOWN, LEN, "gd" },
	{ "locked", -1, MAP_LOCKED, LEN, "lo" },
};

/* VmFlags of the mapping that begins at or below P; "" when unknown. */
static const char *
flags_of(const void *p)
{
	static char flags[256];
	unsigned long long begin, end;
	char line[512];
	bool here = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	flags[0] = '\0';
	EXPECT(f != NULL, "no /proc/self/smaps");
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
			here = begin <= (uintptr_t)p && end > (uintptr_t)p;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, sizeof flags, "%.*s",
			    (int)strcspn(line + 8, "\n"), line + 8);
	}
	fclose(f);
	return flags;
}

static bool
has_flag(const char *flags, const char *flag)
{
	char word[8];

	snprintf(word, sizeof word, " %s ", flag);
	return strstr(flags, word) != NULL;
}

/* Which of KINDS this kernel and this user's limits carry out. */
static bool
advise(const struct kind *k, unsigned char *p)
{
	if (k->advice >= 0 && madvise(p, k->len, k->advice) < 0)
		return false;
	return has_flag(flags_of(p), k->flag);
}

int
main(void)
{
	unsigned char *p[COUNT(kinds)];
	bool on[COUNT(kinds)];
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t i;

	victim_init();
	for (i = 0; i < COUNT(kinds); i++) {
		/* Apart, so that no two become one mapping. */
		p[i] = mmap((void *)(UINT64_C(0x200000000000) + (i << 30)),
		    kinds[i].len, PROT_READ | PROT_WRITE,
		    flags | kinds[i].flags, -1, 0);
		EXPECT(p[i] != MAP_FAILED, "mmap for %s: %s", kinds[i].name,
		    strerror(errno));
		victim_fill(p[i], kinds[i].len, i);
		on[i] = advise(&kinds[i], p[i]);
	}
	victim_wait();
	for (i = 0; i < COUNT(kinds); i++) {
		victim_compare(p[i], kinds[i].len, i, kinds[i].name);
		EXPECT(has_flag(flags_of(p[i]), kinds[i].flag) == on[i],
		    "%s: flags are now%s", kinds[i].name, flags_of(p[i]));
	}
	victim_ok();
}
