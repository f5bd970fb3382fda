/*
 * fault.h - named points at which a test may kill sess or make the next step
 * fail (test/fault). In a release build FAULT() is 0 and costs nothing; in
 * the build with -DSESS_FAULT the environment decides:
 *
 *   SESS_FAULT=name:kill[:n]   SIGKILL this process at the n-th passing (1)
 *   SESS_FAULT=name:fail[:n]   FAULT() returns -EIO at the n-th passing (1)
 *   SESS_FAULT=name:hold[:n]   sleep there until killed: to be looked at
 *   SESS_FAULT_LOG=file        append the name of every point passed
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/err.h"

#ifdef SESS_FAULT
/* Pass point NAME: 0, or -EIO with a sentence in E, or no return at all. */
int fault_point(const char *name, struct err *e);
#define FAULT(name, e) fault_point(name, e)
#else
#define FAULT(name, e) ((void)(e), 0)
#endif

#endif
