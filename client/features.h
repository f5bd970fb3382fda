/*
 * features.h - looking up what the terminal knows: terminfo(5) for TERM, the
 * locale's variables, COLORTERM.
 */
#ifndef CLIENT_FEATURES_H
#define CLIENT_FEATURES_H

#include <stddef.h>
#include <stdint.h>

/*
 * The bits of session/features.h for the terminal on FD. Without TERM, or
 * where it names a terminal that cannot be painted, none but UTF-8's: it is
 * to get text. A name that terminfo does not know is taken for an xterm.
 * REMARK is what a person is to be told about it, or empty.
 */
uint64_t features_find(int fd, char *remark, size_t len);

#endif
