/*
 * account.c - see account.h. Sources: setuid(2), capabilities(7),
 * keyctl_join_session_keyring(3), ptrace(2) on dumpable processes.
 */
#include "base/account.h"

#include <errno.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

#define GROUPS_MAX 65536 /* limits.h NGROUPS_MAX of Linux */
#define N_KEPT_VARS 4
#define USER_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

void
account_done(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
	free(a->groups);
	*a = ACCOUNT_NONE;
}

static int
find_groups(struct account *a, struct err *e)
{
	int n = 0, r;

	(void)getgrouplist(a->name, a->gid, NULL, &n);
	if (n < 1 || n > GROUPS_MAX)
		return err_set(e, -EINVAL, "user '%s' has %d groups", a->name,
		    n);
	a->groups = calloc((size_t)n, sizeof *a->groups);
	if (a->groups == NULL)
		return err_set(e, -ENOMEM, "no memory");
	r = getgrouplist(a->name, a->gid, a->groups, &n);
	if (r < 0)
		return err_set(e, -EAGAIN, "groups of '%s' are changing",
		    a->name);
	a->n_groups = n;
	return 0;
}

int
account_find(const char *name, struct account *ret_a, struct err *e)
{
	struct account a autoaccount = ACCOUNT_NONE;
	struct passwd *pw;
	int r;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL && errno != 0 && errno != ENOENT && errno != ESRCH)
		return err_sys(e, "cannot look user '%s' up", name);
	if (pw == NULL)
		return err_set(e, -ENOENT, "there is no user '%s'", name);
	if (pw->pw_dir == NULL || pw->pw_dir[0] != '/')
		return err_set(e, -EINVAL, "user '%s' has no home directory",
		    name);
	a.uid = pw->pw_uid;
	a.gid = pw->pw_gid;
	a.name = strdup(pw->pw_name);
	a.home = strdup(pw->pw_dir);
	a.shell = strdup(pw->pw_shell == NULL || pw->pw_shell[0] == 0 ?
		"/bin/sh" :
		pw->pw_shell);
	if (a.name == NULL || a.home == NULL || a.shell == NULL)
		return err_set(e, -ENOMEM, "no memory");
	r = find_groups(&a, e);
	if (r < 0)
		return r;
	*ret_a = a;
	a = ACCOUNT_NONE;
	return 0;
}

/* What says nothing about root. SESS_FAULT: builds for tests (fault.h). */
static const char *const kept_vars[N_KEPT_VARS] = { "TERM", "TZ", "SESS_FAULT",
	"SESS_FAULT_LOG" };

int
account_enter(const struct account *a, struct err *e)
{
	char *kept[N_KEPT_VARS], **old = environ;
	const char *value;
	bool failed;
	size_t i;

	for (i = 0; i < N_KEPT_VARS; i++) {
		value = getenv(kept_vars[i]);
		kept[i] = value == NULL ? NULL : strdup(value);
	}
	environ = NULL;
	failed = setenv("HOME", a->home, 1) < 0 ||
	    setenv("USER", a->name, 1) < 0 ||
	    setenv("LOGNAME", a->name, 1) < 0 ||
	    setenv("SHELL", a->shell, 1) < 0 ||
	    setenv("PATH", USER_PATH, 1) < 0;
	for (i = 0; i < N_KEPT_VARS; i++) {
		if (kept[i] != NULL)
			failed |= setenv(kept_vars[i], kept[i], 1) < 0;
		free(kept[i]);
	}
	for (i = 0; old != NULL && old[i] != NULL; i++)
		explicit_bzero(old[i], strlen(old[i]));
	if (failed)
		return err_set(e, -ENOMEM, "no memory");
	return chdir("/") < 0 ? err_sys(e, "cannot enter /") : 0;
}

/* All sets empty, or CAP_CHECKPOINT_RESTORE permitted and effective. */
static int
set_caps(bool keep_restore)
{
	const cap_value_t one = CAP_CHECKPOINT_RESTORE;
	cap_t caps = cap_init();
	int r = caps == NULL ? -1 : 0;

	if (r == 0 && keep_restore)
		r = cap_set_flag(caps, CAP_PERMITTED, 1, &one, CAP_SET) |
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &one, CAP_SET);
	if (r == 0)
		r = cap_set_proc(caps);
	if (caps != NULL)
		(void)cap_free(caps);
	return r;
}

int
account_become(const struct account *a, bool keep_restore, struct err *e)
{
	uid_t r, eff, saved;

	account_limits(a);
	/* Who has root's session keyring may read root's keys. */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_KEEPCAPS, keep_restore ? 1 : 0) < 0 ||
	    setgroups((size_t)a->n_groups, a->groups) < 0 ||
	    setresgid(a->gid, a->gid, a->gid) < 0 ||
	    setresuid(a->uid, a->uid, a->uid) < 0 ||
	    set_caps(keep_restore) < 0 || prctl(PR_SET_KEEPCAPS, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "cannot become user '%s'", a->name);
	if (getresuid(&r, &eff, &saved) < 0 || r != a->uid || eff != a->uid ||
	    saved != a->uid || (a->uid != 0 && setuid(0) == 0))
		return err_set(e, -EPERM, "user '%s' would be root", a->name);
	return 0;
}
