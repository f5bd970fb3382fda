/*
 * maps.c - mappings of files: private ones with some pages written, shared
 * ones that write through, a file deleted since, beyond the end of a file,
 * at an offset, read-only; and that the kernel shows the same list of
 * mappings and the same flags as before.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

#define PAGE 4096u
#define N 16u

static int
make_file(const char *name, uint64_t seed)
{
	unsigned char page[PAGE];
	unsigned i;
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	for (i = 0; i < N; i++) {
		victim_fill(page, PAGE, seed + i * PAGE);
		EXPECT(write(fd, page, PAGE) == PAGE, "writing %s", name);
	}
	return fd;
}

static unsigned char *
map(int fd, int prot, int flags, unsigned n, unsigned first)
{
	void *p = mmap(NULL, n * PAGE, prot, flags, fd, first * PAGE);

	EXPECT(p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

static void
compare(const unsigned char *p, unsigned page, uint64_t seed, const char *what)
{
	victim_compare(p + page * PAGE, PAGE, seed + page * PAGE, what);
}

struct range {
	unsigned long long begin, end, offset;
	char prot[8], path[300];
};

/* Does R go on where BEFORE ended? The kernel may join two such, or not. */
static bool
joins(const struct range *before, const struct range *r)
{
	unsigned long long len = before->end - before->begin;

	return before->end == r->begin && strcmp(before->prot, r->prot) == 0 &&
	    strcmp(before->path, r->path) == 0 &&
	    (r->path[0] != '/' || before->offset + len == r->offset);
}

static size_t
print(char *out, size_t cap, const struct range *r)
{
	return (size_t)snprintf(out, cap, "%llx-%llx %s %llx %s\n", r->begin,
	    r->end, r->prot, r->offset, r->path);
}

/* All mappings as one text, without the kernel's own. Of a deleted file the
 * content may be kept as memory of no file. */
static char *
list(void)
{
	static char all[2][64 * 1024];
	static int turn;
	const size_t cap = sizeof all[0];
	char *out = all[turn++], line[512];
	struct range r, joined = { 0 };
	size_t n = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	EXPECT(f != NULL, "no /proc/self/maps");
	while (fgets(line, sizeof line, f) != NULL) {
		r.path[0] = '\0';
		sscanf(line, "%llx-%llx %7s %llx %*s %*s %299s", &r.begin,
		    &r.end, r.prot, &r.offset, r.path);
		if (strncmp(r.path, "[v", 2) == 0)
			continue;
		if (strstr(line, " (deleted)") != NULL) {
			r.path[0] = '\0';
			r.offset = 0;
		}
		if (joins(&joined, &r)) {
			joined.end = r.end;
			continue;
		}
		n += print(out + n, cap - n, &joined);
		joined = r;
	}
	print(out + n, cap - n, &joined);
	fclose(f);
	return out;
}

static void
expect_same(const char *was, const char *is)
{
	const char *line = was;

	for (; *was != '\0' && *was == *is; was++, is++)
		if (*was == '\n')
			line = was + 1;
	if (*was != *is)
		victim_fail("mappings differ, first at: %.*s",
		    (int)strcspn(line, "\n"), line);
}

int
main(void)
{
	unsigned char *private, *shared, *gone, *part, *beyond, *readonly;
	unsigned char page[PAGE];
	struct stat st;
	const int rw = PROT_READ | PROT_WRITE;
	char *before;
	int a, b, c, d;

	victim_init();
	a = make_file("maps.private", 1000);
	private = map(a, rw, MAP_PRIVATE, N, 0);
	victim_fill(private + 3 * PAGE, PAGE, 77);
	part = map(a, rw, MAP_PRIVATE, 4, 8);
	part[0] ^= 0xff;
	readonly = map(a, PROT_READ, MAP_SHARED, 2, 4);
	b = make_file("maps.shared", 2000);
	shared = map(b, rw, MAP_SHARED, N, 0);
	victim_fill(shared + 5 * PAGE, PAGE, 2000 + 55);
	close(b);
	c = make_file("maps.gone", 3000);
	gone = map(c, rw, MAP_PRIVATE, N, 0);
	victim_fill(gone + 2 * PAGE, PAGE, 88);
	MUST(unlink("maps.gone"));
	d = make_file("maps.beyond", 4000);
	MUST(ftruncate(d, PAGE + 100));
	beyond = map(d, rw, MAP_PRIVATE, 4, 0);
	beyond[PAGE + 200] = 9;
	before = list();

	victim_wait();
	expect_same(before, list());
	victim_compare(private + 3 * PAGE, PAGE, 77, "private, written page");
	compare(private, 0, 1000, "private, file's page");
	compare(private, 15, 1000, "private, file's last page");
	private[9 * PAGE] = 1;
	EXPECT(pread(a, page, PAGE, 9 * PAGE) == PAGE, "reading the file");
	victim_compare(page, PAGE, 1000 + 9 * PAGE, "file under private");
	part[0] ^= 0xff;
	victim_compare(part, PAGE, 1000 + 8 * PAGE, "private at an offset");
	victim_compare(readonly, PAGE, 1000 + 4 * PAGE, "shared, read-only");

	victim_compare(shared + 5 * PAGE, PAGE, 2000 + 55, "shared");
	compare(shared, 6, 2000, "shared, unwritten");
	b = MUST(open("maps.shared", O_RDONLY | O_CLOEXEC));
	EXPECT(pread(b, page, PAGE, 5 * PAGE) == PAGE, "reading the file");
	victim_compare(page, PAGE, 2000 + 55, "file under shared");
	shared[0] = 0x5e;
	EXPECT(pread(b, page, 1, 0) == 1 && page[0] == 0x5e,
	    "a shared mapping does not write through");

	victim_compare(gone + 2 * PAGE, PAGE, 88, "deleted, written page");
	compare(gone, 1, 3000, "deleted, file's page");
	MUST(fstat(c, &st));
	EXPECT(st.st_nlink == 0, "the deleted file has %ju names",
	    (uintmax_t)st.st_nlink);
	EXPECT(beyond[PAGE + 200] == 9 && beyond[PAGE + 201] == 0,
	    "private beyond the end");
	victim_ok();
}
