/*
 * name.h - the file name that stands for a session's name.
 */
#ifndef BASE_NAME_H
#define BASE_NAME_H

#include <stdbool.h>

#define NAME_KEY_CAP 72 /* of name_key(), with its NUL */

/*
 * The key of NAME: NAME itself when it is short, does not begin with '.' or
 * '%' and is no word that sess uses beside it, else '%' and a hash in 32 hex
 * digits; then the true name is to be kept with the file. True for a hash.
 * A key is one component of a path, whatever NAME is.
 */
bool name_key(const char *name, char ret_key[NAME_KEY_CAP]);

#endif
