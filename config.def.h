/*
 * config.def.h - what a user may want to change. `make` copies it to
 * config.h once; edit that and build again. Every value says its unit and
 * the range in which it makes sense.
 */
#ifndef CONFIG_H
#define CONFIG_H

/* Detach key in caret notation ("^\\", "^A", ...) or "none"; -e changes it. */
#define DETACH_KEY "^\\"

/*
 * How long the detach key waits for its twin, in milliseconds (0 to 1000):
 * pressed twice within this time it reaches the program, once, as itself.
 * 0: it detaches at once, and only two in one go are taken as a literal.
 */
#define DETACH_WAIT_MS 250

/* Size of a session that no terminal has been attached to yet (1 to 1000). */
#define DEFAULT_ROWS 24
#define DEFAULT_COLS 80

/*
 * Scrollback kept by the session: rows (0 to 100000) and, whatever they
 * hold, bytes (0 to 16 MiB). Lines are stored as text, about 80 bytes each.
 */
#define SCROLLBACK_ROWS 2000
#define SCROLLBACK_BYTES (512 * 1024)

/*
 * Output that may wait to be looked at by the screen model, in bytes (128
 * KiB to 16 MiB); allocated while there is output, returned when there is none.
 */
#define MODEL_RING_BYTES (1024 * 1024)

/* Output must have paused so long before it is modelled, in ms (1 to 100). */
#define MODEL_PAUSE_MS 8

/* Bytes that may wait for a terminal that does not take them (16 KiB up). */
#define TERMINAL_QUEUE_BYTES (128 * 1024)

/*
 * How long a terminal that takes nothing may hold up the program, in
 * milliseconds (100 to 60000). Then the program goes on without it, and the
 * terminal is painted anew when it takes output again.
 */
#define TERMINAL_PATIENCE_MS 3000

/*
 * How long a terminal that has more waiting than it should holds up the
 * program and the other terminals, in milliseconds (0 to 1000), before it is
 * left behind in the same way.
 */
#define TERMINAL_LAG_MS 500

/* Typed bytes that may wait for a program that reads nothing (4 KiB up). */
#define INPUT_QUEUE_BYTES (1024 * 1024)

/* Terminals whose size is not the session's are painted every so many ms. */
#define VIEW_FRAME_MS 33

/* -k: how long the session may take over SIGHUP, and then over SIGTERM. */
#define KILL_WAIT_MS 2000

/* Snapshots kept of a session (1 to 1000): older ones go when one is made. */
#define KEEP_GENERATIONS 3

/*
 * Content of open files kept in one snapshot, in bytes (0 to 1 GiB): those
 * that are written elsewhere than at their end, and those in /tmp and other
 * places that a reboot empties. Deleted files are always kept.
 */
#define KEEP_FILES_BYTES (64u << 20)

/* zstd level of page data in snapshots (0: raw and fastest, up to 19). */
#define SAVE_ZSTD_LEVEL 0

/* How long an exit status waits for somebody to see it, in days. */
#define ENDED_KEEP_DAYS 30

/*
 * Snapshots of a session that has ended, and was not revived, go after so
 * many days (1 to 10000; 0: never).
 */
#define ENDED_SNAPSHOT_DAYS 90

#endif
