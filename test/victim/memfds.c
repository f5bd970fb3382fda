/*
 * memfds.c - memfd_create(2): name, content with a hole and an odd size,
 * position, seals, other descriptions of it, mapped by two processes, one
 * that is sealed while it is mapped for writing.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

#define LEN (4 * 1024 * 1024)
#define ODD 5000
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static int
reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return MUST(open(path, flags | O_CLOEXEC));
}

static void
expect_name(int fd, const char *want)
{
	char path[64], link[256];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = MUST(readlink(path, link, sizeof link - 1));
	link[n] = '\0';
	EXPECT(strcmp(link, want) == 0, "its name is %s", link);
}

static void *
map(int fd, int prot)
{
	void *p = mmap(NULL, LEN, prot, MAP_SHARED, fd, 0);

	EXPECT(p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

int
main(void)
{
	int plain, again, reader, odd, sealed, mapped, future, pip[2];
	uint64_t *shared, *kept;
	static uint8_t data[ODD + 3];
	char b[8];
	struct stat st;
	pid_t pid;

	victim_init();
	victim_fill(data, sizeof data, 1);
	plain = MUST(memfd_create("plain name", MFD_CLOEXEC));
	MUST(ftruncate(plain, LEN));
	EXPECT(pwrite(plain, "end", 3, LEN - 3) == 3, "writing");
	EXPECT(write(plain, "begin", 5) == 5, "writing");
	MUST(fchmod(plain, 0640));
	again = MUST(dup(plain));
	reader = reopen(plain, O_RDONLY);
	MUST(lseek(reader, 2, SEEK_SET));

	odd = MUST(memfd_create("", 0));
	EXPECT(write(odd, data, ODD) == ODD, "writing");

	sealed = MUST(memfd_create("sealed", MFD_ALLOW_SEALING));
	EXPECT(write(sealed, data, ODD) == ODD, "writing");
	MUST(fcntl(sealed, F_ADD_SEALS, SEALS));

	mapped = MUST(memfd_create("mapped", MFD_CLOEXEC));
	MUST(ftruncate(mapped, LEN));
	shared = map(mapped, PROT_READ | PROT_WRITE);
	victim_fill(shared, 65536, 2);
	future = MUST(memfd_create("future", MFD_ALLOW_SEALING));
	MUST(ftruncate(future, LEN));
	kept = map(future, PROT_READ | PROT_WRITE);
	kept[0] = 5;
	if (fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0)
		victim_skip("F_SEAL_FUTURE_WRITE: %s", strerror(errno));
	MUST(pipe(pip));
	pid = MUST(fork());
	if (pid == 0) {
		MUST(close(pip[1]));
		(void)!read(pip[0], b, 1); /* until the parent has closed */
		_exit(shared[1] == 77 && kept[1] == 78 ? 5 : 6);
	}
	MUST(close(pip[0]));

	victim_wait();
	expect_name(plain, "/memfd:plain name (deleted)");
	expect_name(odd, "/memfd: (deleted)");
	MUST(fstat(plain, &st));
	EXPECT(st.st_size == LEN && (st.st_mode & 07777) == 0640,
	    "size %jd, mode %o", (intmax_t)st.st_size, st.st_mode);
	EXPECT(st.st_blocks * 512 < LEN / 2, "the hole is filled");
	EXPECT(lseek(again, 0, SEEK_CUR) == 5, "position");
	EXPECT(read(reader, b, 3) == 3 && memcmp(b, "gin", 3) == 0, "reader");
	EXPECT(write(reader, "x", 1) < 0 && errno == EBADF, "it can write");
	EXPECT(pread(plain, b, 3, LEN - 3) == 3 && memcmp(b, "end", 3) == 0,
	    "its end");
	EXPECT(pwrite(plain, "both", 4, 8192) == 4 &&
		pread(reader, b, 4, 8192) == 4 && memcmp(b, "both", 4) == 0,
	    "they are two");
	EXPECT(MUST(fcntl(plain, F_GET_SEALS)) == F_SEAL_SEAL, "unsealable");

	memset(data, 0, sizeof data);
	EXPECT(pread(odd, data, sizeof data, 0) == ODD, "odd size");
	victim_compare(data, ODD, 1, "odd");
	memset(data, 0, sizeof data);
	EXPECT(pread(sealed, data, sizeof data, 0) == ODD, "sealed size");
	victim_compare(data, ODD, 1, "sealed");
	EXPECT(MUST(fcntl(sealed, F_GET_SEALS)) == SEALS, "seals");
	EXPECT(pwrite(sealed, "x", 1, 0) < 0 && errno == EPERM, "seal broken");

	victim_compare(shared, 65536, 2, "mapped");
	shared[1] = 77;
	EXPECT(pread(mapped, b, 8, 8) == 8 && *(uint64_t *)(void *)b == 77,
	    "mapping and descriptor are two");
	EXPECT(kept[0] == 5, "sealed mapping");
	kept[1] = 78;
	EXPECT(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0) ==
		MAP_FAILED,
	    "the seal against writing is gone");
	MUST(close(pip[1]));
	victim_reap(pid, 5);
	victim_ok();
}
