/*
 * scope.h - what a block owns is released when the block ends. A release
 * function takes the empty value and leaves the empty value behind; TAKE_*
 * hands the value over.
 */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define scoped(fn) __attribute__((cleanup(fn)))

static inline void
scope_free(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

static inline void
scope_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static inline void
scope_closedir(DIR **d)
{
	if (*d != NULL)
		(void)closedir(*d);
	*d = NULL;
}

static inline void
scope_fclose(FILE **f)
{
	if (*f != NULL)
		(void)fclose(*f);
	*f = NULL;
}

#define autofree scoped(scope_free)
#define autoclose scoped(scope_close)
#define autoclosedir scoped(scope_closedir)
#define autofclose scoped(scope_fclose)

#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

#endif
