/*
 * width.h - how many columns a character takes: 0 (it joins the one before),
 * 1 or 2. The tables are made by width.py.
 */
#ifndef WIDTH_H
#define WIDTH_H

#include <stdint.h>

int width_of(uint32_t c);

#endif
