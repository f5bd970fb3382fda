/*
 * space_why.c - see space_why.h. Sources: user_namespaces(7), namespaces(7),
 * kernel: fs/namespace.c mount_too_revealing() and current_chrooted(),
 * kernel/ucount.c.
 */
#include "ckpt/space_why.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/io.h"
#include "base/scope.h"

#define KERNEL_MAJOR 5
#define KERNEL_MINOR 14

int
space_kernel(struct err *e)
{
	struct utsname un;
	int major = 0, minor = 0;

	(void)uname(&un);
	if (sscanf(un.release, "%d.%d", &major, &minor) == 2 &&
	    (major < KERNEL_MAJOR ||
		(major == KERNEL_MAJOR && minor < KERNEL_MINOR)))
		return err_set(e, -ENOSYS,
		    "this kernel is too old (Linux %s): boot %d.%d or later",
		    un.release, KERNEL_MAJOR, KERNEL_MINOR);
	return 0;
}

/* Does file PATH of /proc/sys hold number VALUE? */
static bool
sysctl_is(const char *path, long value)
{
	autobuf struct buf b = BUF_INIT(256);

	return io_read_file(AT_FDCWD, path, &b) == 0 && b.len > 0 &&
	    strtol((char *)b.data, NULL, 10) == value;
}

/* Who forbids an ordinary user's namespace. */
static const char *
why_forbidden(void)
{
	if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", 0))
		return "sysctl kernel.unprivileged_userns_clone is 0: root "
		       "sets it to 1, or revives the session";
	if (sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		1))
		return "AppArmor forbids them to programs without a profile: "
		       "root installs the profile that comes with sess, or "
		       "sets sysctl kernel.apparmor_restrict_unprivileged_"
		       "userns to 0";
	return "a chroot, a container or a security module forbids them: "
	       "revive it outside of that, or as root";
}

/* Which limit is 0. */
static const char *
why_too_many(void)
{
	static const struct {
		const char *path, *text;
	} limits[] = {
		{ "/proc/sys/user/max_user_namespaces",
		    "sysctl user.max_user_namespaces is 0: root raises it" },
		{ "/proc/sys/user/max_pid_namespaces",
		    "sysctl user.max_pid_namespaces is 0: root raises it" },
		{ "/proc/sys/user/max_mnt_namespaces",
		    "sysctl user.max_mnt_namespaces is 0: root raises it" },
		{ "/proc/sys/user/max_time_namespaces",
		    "sysctl user.max_time_namespaces is 0: root raises it" },
	};

	for (size_t i = 0; i < N_ELEMENTS(limits); i++)
		if (sysctl_is(limits[i].path, 0))
			return limits[i].text;
	return "there are as many as sysctl user.max_user_namespaces and its "
	       "neighbours allow: root raises them";
}

static const char *
why_unshare(bool userns, int num)
{
	if (num == -ENOSPC)
		return why_too_many();
	if (num == -EINVAL || num == -ENOSYS)
		return "this kernel is built without them";
	if (userns)
		return why_forbidden();
	return "a container or a security module forbids them";
}

static const char *
why_proc(bool userns)
{
	if (userns &&
	    sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		1))
		return why_forbidden();
	return "something is mounted over parts of the one that is here, as "
	       "containers do: uncover it (docker: --security-opt "
	       "systempaths=unconfined), or let root revive the session";
}

int
space_why(bool userns, enum space_step step, int num, struct err *e)
{
	static const char *const what[] = {
		[SPACE_UNSHARE] = "the namespaces that a revival needs",
		[SPACE_IDS] = "a user namespace",
		[SPACE_CLOCKS] = "clocks that go on",
		[SPACE_PROC] = "a /proc of its own",
		[SPACE_PTS] = "a /dev/pts of its own",
		[SPACE_TID] = "processes with the numbers they had",
	};
	const char *why = NULL;

	if (step == SPACE_UNSHARE)
		why = why_unshare(userns, num);
	else if (num == -EPERM || num == -EACCES)
		why = step == SPACE_PROC ? why_proc(userns) :
		    userns               ? why_forbidden() :
			     "a container or a security module forbids it";
	return why == NULL ? err_num(e, num, "cannot have %s", what[step]) :
			     err_set(e, num, "cannot have %s (%s): %s",
				 what[step], strerror(-num), why);
}
