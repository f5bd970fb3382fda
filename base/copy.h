/*
 * copy.h - the content of one file into another.
 */
#ifndef BASE_COPY_H
#define BASE_COPY_H

/*
 * Let file TO, open for writing, hold what FROM holds and no more: shared
 * blocks where the file system can, else copied. 0 or negative errno.
 */
int copy_file(int from, int to);

#endif
