/*
 * err.c - see err.h. A sentence longer than ERR_MAX is cut: it is for a
 * person, and the number that is returned is what the program acts on.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void
err_write(struct err *e, const char *fmt, va_list ap, int num)
{
	size_t used;

	(void)vsnprintf(e->text, sizeof e->text, fmt, ap);
	if (num == 0)
		return;
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof e->text - used, ": %s",
	    strerror(num));
}

int
err_set(struct err *e, int num, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return num;
	va_start(ap, fmt);
	err_write(e, fmt, ap, 0);
	va_end(ap);
	return num;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int num = errno;
	va_list ap;

	if (e != NULL) {
		va_start(ap, fmt);
		err_write(e, fmt, ap, num);
		va_end(ap);
	}
	return num == 0 ? -EIO : -num;
}

int
err_num(struct err *e, int num, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return num;
	va_start(ap, fmt);
	err_write(e, fmt, ap, -num);
	va_end(ap);
	return num;
}
