/*
 * tunnel.h - our terminal and a program on another one, of which we hold the
 * master while a server looks after the program (server/outside.h): bytes,
 * sizes, signals, stops, and the exit status.
 */
#ifndef TUNNEL_H
#define TUNNEL_H

#include "base/err.h"

/*
 * Copy between the terminal among 0, 1, 2 and MASTER, which is closed, until
 * SOCK says that the program has ended: its exit status (128 + signal). The
 * terminal is as before in any case, and raw only where its keys are read.
 * Negative errno and E: the server went.
 */
int tunnel_run(int sock, int master, struct err *e);

#endif
