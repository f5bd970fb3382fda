/*
 * undo.c - see undo.h.
 */
#include "session/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(sizeof(struct undo_page) <= 4096, "undo_page is one page");

static int
map(int fd, struct undo_page **ret_page)
{
	void *p = mmap(NULL, sizeof **ret_page, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ret_page = p;
	return 0;
}

int
undo_create(struct undo_page **ret_page, int *ret_fd)
{
	autoclose int fd = -1;
	int r;

	fd = memfd_create("sess-undo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, 4096) < 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	r = map(fd, ret_page);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int
undo_open(int fd, struct undo_page **ret_page)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
		return -EINVAL;
	if (fstat(fd, &st) < 0 || st.st_size < 4096)
		return -EINVAL;
	return map(fd, ret_page);
}

void
undo_close(struct undo_page **page)
{
	if (*page != NULL)
		(void)munmap(*page, sizeof **page);
	*page = NULL;
}

void
undo_write(struct undo_page *page, const void *text, size_t len)
{
	uint32_t next = (atomic_load(&page->current) + 1) & 1;
	struct undo_slot *s = &page->slots[next];

	if (len > UNDO_TEXT_MAX)
		len = 0;
	memcpy(s->text, text, len);
	s->len = (uint16_t)len;
	atomic_store(&page->current, next);
}

size_t
undo_read(const struct undo_page *page, char *text)
{
	const struct undo_slot *s =
	    &page->slots[atomic_load(&page->current) & 1];
	size_t len = s->len;

	if (len > UNDO_TEXT_MAX)
		return 0;
	memcpy(text, s->text, len);
	return len;
}
