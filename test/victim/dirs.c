/*
 * dirs.c - a directory half read with getdents, the working directory as a
 * descriptor, and a working directory that is not where the program began.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

#define N 300

static void
make_files(void)
{
	char name[32];
	int i;

	(void)mkdir("dirs.d", 0700);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof name, "dirs.d/%d", i);
		close(MUST(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
	}
}

static int
take(DIR *d, bool *seen)
{
	struct dirent *e = readdir(d);
	int i;

	if (e == NULL)
		return 0;
	if (e->d_name[0] == '.')
		return 1;
	i = atoi(e->d_name);
	EXPECT(i >= 0 && i < N && !seen[i], "entry '%s' seen twice", e->d_name);
	seen[i] = true;
	return 1;
}

int
main(void)
{
	bool seen[N] = { false };
	char before[4096], after[4096];
	struct stat a, b;
	DIR *d;
	int i, here;

	victim_init();
	make_files();
	d = opendir("dirs.d");
	EXPECT(d != NULL, "opendir: %s", strerror(errno));
	/* One buffer of getdents holds about half of them. */
	for (i = 0; i < N / 4; i++)
		(void)take(d, seen);
	MUST(chdir("dirs.d"));
	here = MUST(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	EXPECT(getcwd(before, sizeof before) != NULL, "getcwd");

	victim_wait();
	while (take(d, seen))
		;
	for (i = 0; i < N; i++)
		EXPECT(seen[i], "entry '%d' was left out", i);
	EXPECT(getcwd(after, sizeof after) != NULL, "getcwd: %s",
	    strerror(errno));
	EXPECT(strcmp(before, after) == 0, "working directory is %s", after);
	MUST(fstat(here, &a));
	MUST(stat(".", &b));
	EXPECT(a.st_dev == b.st_dev && a.st_ino == b.st_ino,
	    "descriptor of the working directory");
	victim_ok();
}
