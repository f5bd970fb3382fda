/*
 * utf8.h - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at S (1 to 4), or -EILSEQ, or -EAGAIN: cut off. */
int utf8_len(const char *s, size_t len);

/* The character in the LEN bytes at S, of which utf8_len() says that. */
uint32_t utf8_get(const char *s, size_t len);

/* Write C to OUT, which has room for 4; the bytes written, 0: no character. */
size_t utf8_put(uint32_t c, char *out);

/*
 * Does C only say how others are shown (zero width, the direction of text)?
 * Such a one cannot be seen, and may make a line look like another one.
 */
bool utf8_is_format(uint32_t c);

/* How many bytes at the end of S begin a character that is not complete. */
size_t utf8_torn(const uint8_t *s, size_t len);

#endif
