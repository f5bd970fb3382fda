/*
 * undo.h - the page that a client shares with the server while its terminal
 * is lent (memfd_create(2)): what brings the terminal back to where it was.
 * The client reads it when it takes the terminal back, whatever became of
 * the server. There are two slots, so that one of them is whole at any time.
 */
#ifndef UNDO_H
#define UNDO_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define UNDO_TEXT_MAX 2032

struct undo_slot {
	uint16_t len;
	char text[UNDO_TEXT_MAX];
};

struct undo_page {
	_Atomic uint32_t current; /* slot to be read; the other is written */
	_Atomic uint32_t torn;    /* what was written ends inside a sequence */
	struct undo_slot slots[2];
};

/* Client: an empty page, mapped, and the memfd to send. 0 or -errno. */
int undo_create(struct undo_page **ret_page, int *ret_fd);

/*
 * Server: map the page of FD, which stays the caller's. -EINVAL: it could
 * shrink (F_SEAL_SHRINK, fcntl(2)), or is no page.
 */
int undo_open(int fd, struct undo_page **ret_page);

/* Unmap it, if there is one. */
void undo_close(struct undo_page **page);

/* Server: text that is too long is cut away whole. */
void undo_write(struct undo_page *page, const void *text, size_t len);

/*
 * Client: copy it to TEXT, UNDO_TEXT_MAX bytes; what lies there is not
 * trusted. Its length, 0 if that makes no sense.
 */
size_t undo_read(const struct undo_page *page, char *text);

#endif
