/*
 * unit.h - where the user has a systemd manager that outlives his logins
 * (loginctl enable-linger), a session gets a scope of its own there: it does
 * not end with the login it was started from, whatever KillUserProcesses=
 * says, and at shutdown the user's sess.service is stopped before it.
 */
#ifndef UNIT_H
#define UNIT_H

/*
 * In the server, before it starts anything: have it moved to a scope, if that
 * is possible and makes a difference. It does not matter when it fails.
 */
void unit_own(const char *name);

#endif
