/*
 * relaunch.h - a session whose command is started again, because what was
 * saved of it could not be revived.
 */
#ifndef SERVER_RELAUNCH_H
#define SERVER_RELAUNCH_H

#include "server.h"
#include "server/launch.h"

/*
 * Make the screen of S: what the saved session had shown, its modes undone,
 * and a line that says what happened. S learns the generation.
 */
int relaunch_screen(struct server *s, const struct launch *l, struct err *e);

#endif
