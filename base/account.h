/*
 * account.h - becoming another user, as a login does and as root only can.
 * What is known of him comes from passwd(5), group(5) and limits.conf(5);
 * nothing comes from root's environment.
 */
#ifndef BASE_ACCOUNT_H
#define BASE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct account {
	char *name, *home, *shell; /* owned */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned: supplementary ones, GID among them */
	int n_groups;
};

#define ACCOUNT_NONE ((struct account){ .name = NULL })

void account_done(struct account *a);
#define autoaccount scoped(account_done)

/* -ENOENT: there is no user NAME. -EINVAL: one without a home directory. */
int account_find(const char *name, struct account *ret_a, struct err *e);

/*
 * Have the environment of A's login and no other, TERM and TZ excepted; the
 * strings of the old one are overwritten. Working directory /.
 */
int account_enter(const struct account *a, struct err *e);

/*
 * Be A for ever: limits, groups, ids, no capability and no keyring of root.
 * With KEEP_RESTORE, CAP_CHECKPOINT_RESTORE alone is left. The process is not
 * dumpable afterwards: A cannot reach the descriptors that root left in it. On
 * failure the process is neither one nor the other and has to end.
 */
int account_become(const struct account *a, bool keep_restore, struct err *e);

/*
 * account_limits.c: the limits that a login of A has beyond those we have, as
 * pam_limits(8) reads them. What may not be raised stays as it is.
 */
void account_limits(const struct account *a);

#endif
