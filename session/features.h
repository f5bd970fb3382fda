/*
 * features.h - what a terminal knows, found by its client in terminfo(5) and
 * told to the server as bits: the server writes ANSI sequences of its own
 * and leaves out what the terminal does not know, but never writes strings
 * that came from elsewhere.
 */
#ifndef FEATURES_H
#define FEATURES_H

#include <stdint.h>

#define FEATURE_ADDRESS (1ull << 0) /* cup is CSI row ; column H */
#define FEATURE_ERASE (1ull << 1)   /* el is CSI K */
#define FEATURE_UTF8 (1ull << 2)
#define FEATURE_LAST_CELL (1ull << 3)     /* filling it does not scroll */
#define FEATURE_ALTERNATE (1ull << 4)     /* CSI ? 1049 h */
#define FEATURE_ALTERNATE_47 (1ull << 5)  /* CSI ? 47 h */
#define FEATURE_REGION (1ull << 6)        /* CSI top ; bottom r */
#define FEATURE_INSERT (1ull << 7)        /* CSI 4 h */
#define FEATURE_WRAP (1ull << 8)          /* CSI ? 7 l */
#define FEATURE_HIDE (1ull << 9)          /* CSI ? 25 l */
#define FEATURE_CURSOR_KEYS (1ull << 10)  /* CSI ? 1 h */
#define FEATURE_KEYPAD (1ull << 11)       /* ESC = */
#define FEATURE_FLASH (1ull << 12)        /* CSI ? 5 h */
#define FEATURE_ORIGIN (1ull << 13)       /* CSI ? 6 h */
#define FEATURE_SAVE (1ull << 14)         /* ESC 7 */
#define FEATURE_STYLE (1ull << 15)        /* CSI n SP q */
#define FEATURE_TITLE (1ull << 16)        /* OSC 0 to 2 */
#define FEATURE_MOUSE (1ull << 17)        /* CSI ? 1000 h */
#define FEATURE_PASTE (1ull << 18)        /* CSI ? 2004 h */
#define FEATURE_GRAPHICS (1ull << 19)     /* ESC ( 0: line drawing */
#define FEATURE_GRAPHICS_G1 (1ull << 20)  /* ESC ) 0 and SO */
#define FEATURE_LINUX_COLORS (1ull << 21) /* ESC ] R */
#define FEATURE_BOLD (1ull << 22)         /* SGR 1, and so on */
#define FEATURE_DIM (1ull << 23)
#define FEATURE_ITALIC (1ull << 24)
#define FEATURE_UNDERLINE (1ull << 25)
#define FEATURE_BLINK (1ull << 26)
#define FEATURE_REVERSE (1ull << 27)
#define FEATURE_INVISIBLE (1ull << 28)
#define FEATURE_STRIKE (1ull << 29)
#define FEATURE_COLORS_8 (1ull << 30)      /* SGR 30 to 37 */
#define FEATURE_COLORS_16 (1ull << 31)     /* and 90 to 97 */
#define FEATURE_COLORS_256 (1ull << 32)    /* SGR 38;5;n */
#define FEATURE_COLORS_DIRECT (1ull << 33) /* SGR 38;2;r;g;b */
#define FEATURE_STYLED_LINES (1ull << 34)  /* SGR 4:3 and 58 */
/* xterm's and later modes and strings, and it passes over unknown ones */
#define FEATURE_XTERM (1ull << 35)

#define FEATURES_ALL ((1ull << 36) - 1)

#endif
