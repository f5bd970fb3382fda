/*
 * err.h - the reason of a failure, written once by the deepest function that
 * knows it. Functions return negative errno; the sentence travels in a struct
 * err that the caller owns. Only main.c, server.c and client.c print it.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MAX 768

/* One sentence for the user, empty while nothing has gone wrong. */
struct err {
	char text[ERR_MAX];
};

/*
 * Replace the sentence of E (which may be NULL) by FMT and return NUM, a
 * negative errno, so that `return err_set(e, -EINVAL, "...")` reads well.
 */
int err_set(struct err *e, int num, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Like err_set() with the current errno, whose text is appended. */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Like err_set(), and the text of -NUM is appended. */
int err_num(struct err *e, int num, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
