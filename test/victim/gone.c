/*
 * gone.c - a deleted file that is mapped shared and open at once stays one
 * file: what is written through either is read through the other.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

#define LEN 8192
#define SIZE 5000

int
main(void)
{
	struct stat st;
	char *p, c;
	int fd;

	victim_init();
	fd = MUST(
	    open("gone.file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	MUST(ftruncate(fd, SIZE));
	p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(p != MAP_FAILED, "mmap: %s", strerror(errno));
	MUST(unlink("gone.file"));
	p[17] = 'a';
	p[4200] = 'b';

	victim_wait();
	EXPECT(pread(fd, &c, 1, 17) == 1 && c == 'a', "first page");
	EXPECT(pread(fd, &c, 1, 4200) == 1 && c == 'b', "second page");
	p[18] = 'c';
	EXPECT(pread(fd, &c, 1, 18) == 1 && c == 'c',
	    "the mapping writes elsewhere");
	EXPECT(pwrite(fd, "d", 1, 19) == 1 && p[19] == 'd',
	    "the descriptor writes elsewhere");
	MUST(fstat(fd, &st));
	EXPECT(st.st_size == SIZE && st.st_nlink == 0, "size %jd, names %ju",
	    (intmax_t)st.st_size, (uintmax_t)st.st_nlink);
	victim_ok();
}
