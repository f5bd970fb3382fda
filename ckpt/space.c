/*
 * space.c - see space.h. Sources: user_namespaces(7), time_namespaces(7),
 * mount_namespaces(7), and the order of KERNEL facts: propagation is cut
 * first of all, else mounts made here would cover the ones outside.
 */
#include "ckpt/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/space_why.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define NS_PER_S INT64_C(1000000000)

bool
space_needs_userns(void)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t has = CAP_CLEAR;

	if (caps != NULL)
		(void)cap_get_flag(caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &has);
	(void)cap_free(caps);
	return has != CAP_SET;
}

static int
write_file(const char *path, const char *text)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_write(fd, text, strlen(text));
}

static int
map_ids(uid_t uid, gid_t gid)
{
	char map[64];
	int r;

	r = write_file("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof map, "%u %u 1", uid, uid);
	if (r >= 0)
		r = write_file("/proc/self/uid_map", map);
	(void)snprintf(map, sizeof map, "%u %u 1", gid, gid);
	return r < 0 ? r : write_file("/proc/self/gid_map", map);
}

/* This process' offset of a clock against the initial time namespace. */
static int64_t
own_offset_ns(const char *clock)
{
	autobuf struct buf b = BUF_INIT(4096);
	long long s = 0, ns = 0;
	const char *at;

	if (io_read_file(AT_FDCWD, "/proc/self/timens_offsets", &b) < 0)
		return 0;
	at = strstr((const char *)b.data, clock);
	if (at == NULL || sscanf(at + strlen(clock), "%lld %lld", &s, &ns) != 2)
		return 0;
	return s * NS_PER_S + ns;
}

/* How far the clock must be moved to go on from WANT_NS now. */
static int64_t
offset_for(clockid_t clock, int64_t own_ns, int64_t want_ns)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return want_ns - ((int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec - own_ns);
}

static void
print_offset(char *text, size_t len, const char *clock, int64_t ns)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (rest < 0) {
		rest += NS_PER_S;
		s--;
	}
	(void)snprintf(text, len, "%s %lld %lld\n", clock, (long long)s,
	    (long long)rest);
}

/* Offsets of two clocks against the first time namespace. */
struct offsets {
	int64_t monotonic_ns, boottime_ns;
};

static struct offsets
own_offsets(void)
{
	return (struct offsets){ own_offset_ns("monotonic"),
		own_offset_ns("boottime") };
}

static int
set_clocks(const struct offsets *own, int64_t monotonic_ns, int64_t boottime_ns)
{
	char mono[80], boot[80], text[160];

	print_offset(mono, sizeof mono, "monotonic",
	    offset_for(CLOCK_MONOTONIC, own->monotonic_ns, monotonic_ns));
	print_offset(boot, sizeof boot, "boottime",
	    offset_for(CLOCK_BOOTTIME, own->boottime_ns, boottime_ns));
	(void)snprintf(text, sizeof text, "%s%s", mono, boot);
	return write_file("/proc/self/timens_offsets", text);
}

/* Leave, with a user namespace or without. */
static int
leave(bool userns, struct err *e)
{
	int flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWTIME;
	int r = space_kernel(e);

	if (r < 0)
		return r;
	if (unshare(flags | (userns ? CLONE_NEWUSER : 0)) < 0)
		return space_why(userns, SPACE_UNSHARE, -errno, e);
	return 0;
}

int
space_enter(struct ckpt *c, const Img__Machine *m)
{
	struct offsets own = own_offsets();
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	r = leave(c->userns, c->err);
	if (r < 0)
		return r;
	r = c->userns ? map_ids(uid, gid) : 0;
	if (r < 0)
		return space_why(c->userns, SPACE_IDS, r, c->err);
	r = set_clocks(&own, m->monotonic_ns, m->boottime_ns);
	return r < 0 ? space_why(c->userns, SPACE_CLOCKS, r, c->err) : 0;
}

int
space_leave(int64_t monotonic_ns, int64_t boottime_ns, struct err *e)
{
	struct offsets own = own_offsets();
	int r = leave(false, e);

	if (r < 0)
		return r;
	r = set_clocks(&own, monotonic_ns, boottime_ns);
	return r < 0 ? space_why(false, SPACE_CLOCKS, r, e) : 0;
}

static int
mount_devpts(struct ckpt *c)
{
	static const char options[] = "newinstance,ptmxmode=0666,mode=0620";
	struct stat st;

	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		"newinstance,ptmxmode=0666,mode=0620,gid=5") < 0 &&
	    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		options) < 0)
		return space_why(c->userns, SPACE_PTS, -errno, c->err);
	if (lstat("/dev/ptmx", &st) == 0 && S_ISLNK(st.st_mode))
		return 0;
	if (mount("/dev/pts/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL) < 0)
		return space_why(c->userns, SPACE_PTS, -errno, c->err);
	return 0;
}

int
space_mount(struct ckpt *c)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(c->err, "cutting mount propagation");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		NULL) < 0)
		return space_why(c->userns, SPACE_PROC, -errno, c->err);
	return mount_devpts(c);
}

void
space_drop(void)
{
	cap_t none = cap_init();

	if (none != NULL)
		(void)cap_set_proc(none);
	(void)cap_free(none);
}
