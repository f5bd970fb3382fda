/*
 * files.c - open files: offset and flags; one description under several
 * descriptors and in two processes, two descriptions of one file; O_APPEND;
 * deleted files with their content; files of /proc and /sys; the devices that
 * have no state; descriptors far apart, with and without close-on-exec.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

#define LEN 10000u
#define KERNEL_LARGEFILE 0x8000 /* glibc has O_LARGEFILE as 0 */

static int
make(const char *name, int flags, uint64_t seed)
{
	unsigned char content[LEN];
	int fd = MUST(open(name, O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0640));

	victim_fill(content, LEN, seed);
	EXPECT(write(fd, content, LEN) == LEN, "writing %s", name);
	return fd;
}

static void
verify_content(int fd, uint64_t seed, const char *what)
{
	unsigned char content[LEN + 1];

	EXPECT(pread(fd, content, LEN + 1, 0) == LEN, "%s: length", what);
	victim_compare(content, LEN, seed, what);
}

static void
verify_offset(int fd, off_t want, const char *what)
{
	off_t is = lseek(fd, 0, SEEK_CUR);

	EXPECT(is == want, "%s: offset %jd, was %jd", what, (intmax_t)is,
	    (intmax_t)want);
}

static void
verify_flags(int fd, int status, int own, const char *what)
{
	int is = MUST(fcntl(fd, F_GETFL)), mine = MUST(fcntl(fd, F_GETFD));

	EXPECT((is & ~KERNEL_LARGEFILE) == status, "%s: flags %#x, were %#x",
	    what, is, status);
	EXPECT(mine == own, "%s: close-on-exec %d, was %d", what, mine, own);
}

static const struct device {
	const char *path;
	int flags;
	ssize_t reads;  /* what reading 16 bytes answers */
	ssize_t writes; /* and writing; -errno */
} devices[] = {
	{ "/dev/null", O_RDWR, 0, 16 },
	{ "/dev/zero", O_RDWR, 16, 16 },
	{ "/dev/full", O_RDWR, 16, -ENOSPC },
	{ "/dev/random", O_RDONLY, 16, -EBADF },
	{ "/dev/urandom", O_RDONLY | O_NONBLOCK, 16, -EBADF },
};

static void
verify_device(const struct device *d, int fd)
{
	char buf[16] = "";
	ssize_t r = read(fd, buf, sizeof buf);

	EXPECT(r == d->reads, "%s: read %zd", d->path, r);
	r = write(fd, buf, sizeof buf);
	EXPECT((r < 0 ? -errno : r) == d->writes, "%s: write %zd, %s", d->path,
	    r, strerror(errno));
	verify_flags(fd, d->flags, FD_CLOEXEC, d->path);
}

/* The child moves the offset both share when it is told to. */
static pid_t
share(int fd, int *ret_go)
{
	int go[2];
	char c;
	pid_t pid;

	MUST(pipe2(go, O_CLOEXEC));
	pid = MUST(fork());
	if (pid == 0) {
		close(go[1]);
		EXPECT(read(go[0], &c, 1) == 1, "child was not told");
		verify_offset(fd, 1234, "shared offset in the child");
		MUST(lseek(fd, 4321, SEEK_SET));
		_exit(0);
	}
	close(go[0]);
	*ret_go = go[1];
	return pid;
}

int
main(void)
{
	int dev[COUNT(devices)], a, a_dup, a_again, far, append, gone, gone_rw,
	    tmp, proc, sys, dir, path, go;
	char buf[64], *at;
	struct rlimit lim;
	struct stat st;
	size_t i;
	pid_t pid;

	victim_init();
	MUST(getrlimit(RLIMIT_NOFILE, &lim));
	a = make("files.a", O_RDWR, 100);
	a_dup = MUST(dup(a));
	far = MUST(fcntl(a, F_DUPFD_CLOEXEC, (int)lim.rlim_cur - 5));
	a_again = MUST(open("files.a", O_RDONLY | O_NOATIME));
	MUST(lseek(a_again, 77, SEEK_SET));
	append = make("files.append", O_WRONLY | O_APPEND | O_SYNC, 200);
	gone = make("files.gone", O_RDWR, 300);
	gone_rw = MUST(open("files.gone", O_RDONLY | O_CLOEXEC));
	MUST(unlink("files.gone"));
	MUST(lseek(gone, 500, SEEK_SET));
	tmp = open(".", O_TMPFILE | O_RDWR, 0600);
	if (tmp >= 0)
		EXPECT(write(tmp, "unnamed", 7) == 7, "writing O_TMPFILE");
	proc = MUST(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
	EXPECT(read(proc, buf, 10) == 10, "reading /proc/self/status");
	sys = MUST(
	    open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY));
	dir = MUST(open("/usr", O_RDONLY | O_DIRECTORY));
	path = MUST(open("files.a", O_PATH | O_CLOEXEC));
	for (i = 0; i < COUNT(devices); i++)
		dev[i] = MUST(
		    open(devices[i].path, devices[i].flags | O_CLOEXEC));
	pid = share(a, &go);
	MUST(lseek(a, 1234, SEEK_SET));

	victim_wait();
	verify_content(a, 100, "file");
	verify_offset(a, 1234, "file");
	verify_offset(a_dup, 1234, "dup of it");
	verify_offset(far, 1234, "far dup of it");
	verify_offset(a_again, 77, "second description");
	EXPECT(write(go, "", 1) == 1, "telling the child");
	victim_reap(pid, 0);
	verify_offset(a, 4321, "offset moved by the child");
	MUST(lseek(far, 5, SEEK_SET));
	verify_offset(a_dup, 5, "offset moved by the far dup");
	verify_flags(a, O_RDWR, FD_CLOEXEC, "file");
	verify_flags(a_dup, O_RDWR, 0, "dup of it");
	verify_flags(far, O_RDWR, FD_CLOEXEC, "far dup of it");
	verify_flags(a_again, O_RDONLY | O_NOATIME, 0, "second description");
	verify_flags(path, O_PATH, FD_CLOEXEC, "O_PATH");
	verify_flags(dir, O_RDONLY | O_DIRECTORY, 0, "directory");

	verify_flags(append, O_WRONLY | O_APPEND | O_SYNC, FD_CLOEXEC,
	    "O_APPEND");
	MUST(lseek(append, 0, SEEK_SET));
	EXPECT(write(append, "end", 3) == 3, "appending");
	MUST(fstat(append, &st));
	EXPECT(st.st_size == LEN + 3, "O_APPEND wrote elsewhere");

	verify_content(gone, 300, "deleted file");
	verify_offset(gone, 500, "deleted file");
	MUST(fstat(gone, &st));
	EXPECT(st.st_nlink == 0 && (st.st_mode & 07777) == 0640,
	    "deleted file: %ju names, mode %o", (uintmax_t)st.st_nlink,
	    st.st_mode);
	EXPECT(access("files.gone", F_OK) < 0, "a deleted file has come back");
	EXPECT(pwrite(gone, "NEW", 3, 0) == 3 &&
		pread(gone_rw, buf, 3, 0) == 3 && memcmp(buf, "NEW", 3) == 0,
	    "two descriptions of a deleted file have come apart");
	if (tmp >= 0)
		EXPECT(pread(tmp, buf, 8, 0) == 7 &&
			memcmp(buf, "unnamed", 7) == 0,
		    "O_TMPFILE content");

	verify_offset(proc, 10, "/proc/self/status");
	EXPECT(pread(proc, buf, 6, 0) == 6 && memcmp(buf, "Name:\t", 6) == 0,
	    "/proc/self/status content");
	at = buf;
	EXPECT(read(sys, at, 4) > 0, "file of /sys: %s", strerror(errno));
	for (i = 0; i < COUNT(devices); i++)
		verify_device(&devices[i], dev[i]);
	EXPECT(fstatat(dir, "bin", &st, 0) == 0, "directory descriptor");
	victim_ok();
}
