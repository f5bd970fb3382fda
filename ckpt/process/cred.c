/*
 * cred.c - as whom a process acts: user and group ids, supplementary groups,
 * capability sets, securebits, no_new_privs, and what a change of those
 * resets: dumpable, the signal at the parent's death. Threads have all of
 * this each on their own; those that differ are refused.
 *
 * Who it comes back as depends on who revives. Root restores all of it. An
 * ordinary user's tree lives in a user namespace that maps one user and one
 * group: only processes that are wholly the owner's can live there, groups
 * cannot be set, and no capability is left in the end. By root for a user
 * (by_root.h) there is no such namespace, and neither a capability to change
 * securebits or the bounding set: they are those of a login.
 *
 * This is the last resource: everything before needs the capabilities that
 * are given up here.
 *
 * Sources: credentials(7), capabilities(7), capset(2), prctl(2), kernel:
 * kernel/cred.c (commit_creds()), security/commoncap.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/resource.h"

#define LABEL_MAX 4096
#define N_IDS 4
#define N_GROUPS_MAX 8192 /* what the work area holds; Linux: 65536 */
#define N_CAPS 64

/* ---- check ---- */

/* AppArmor, SELinux and Smack name what a process may do by a label. */
static void
check_label(struct ckpt *c, struct task *t, pid_t anchor)
{
	autobuf struct buf its = BUF_INIT(LABEL_MAX);
	autobuf struct buf ours = BUF_INIT(LABEL_MAX);

	if (procfs_read(t->pid, "attr/current", &its) < 0 ||
	    procfs_read(anchor, "attr/current", &ours) < 0)
		return;
	if (its.len != ours.len || memcmp(its.data, ours.data, its.len) != 0)
		note(c, t, "its security label (%.*s) will be that of sess",
		    (int)strcspn((char *)its.data, "\n"), (char *)its.data);
}

/* The first of IDS that is not ID, or ID. */
static uint32_t
other_id(const uint32_t ids[N_IDS], uint32_t id)
{
	for (int i = 0; i < N_IDS; i++)
		if (ids[i] != id)
			return ids[i];
	return id;
}

/* What an ordinary user cannot save. */
static void
check_owner(struct ckpt *c, struct task *t, const struct procfs_status *st)
{
	autofree char *exe = NULL;
	uint32_t uid = other_id(st->uids, geteuid());
	uint32_t gid = other_id(st->gids, getegid());

	if (uid != geteuid())
		(void)obstacle(c, t,
		    "it has rights of another user (uid %u): "
		    "only root can save it",
		    uid);
	else if (gid != getegid())
		(void)obstacle(c, t,
		    "it has rights of another group (gid "
		    "%u): only root can save it",
		    gid);
	else if (procfs_link(t->pid, "exe", &exe) == -EACCES)
		(void)obstacle(c, t,
		    st->cap_prm != 0 ?
			"it has capabilities that you have not: only root can "
			"save it" :
			"it does not let itself be looked into (as ssh-agent and "
			"gpg-agent do): end it, or save as root");
}

static bool
same_cred(const struct procfs_status *a, const struct procfs_status *b)
{
	return memcmp(a->uids, b->uids, sizeof a->uids) == 0 &&
	    memcmp(a->gids, b->gids, sizeof a->gids) == 0 &&
	    a->n_groups == b->n_groups &&
	    memcmp(a->groups, b->groups, a->n_groups * sizeof *a->groups) ==
	    0 &&
	    a->cap_inh == b->cap_inh && a->cap_prm == b->cap_prm &&
	    a->cap_eff == b->cap_eff && a->cap_bnd == b->cap_bnd &&
	    a->cap_amb == b->cap_amb && a->no_new_privs == b->no_new_privs &&
	    a->seccomp == b->seccomp;
}

/* The threads of T against ST of its leader. */
static int
check_threads(struct ckpt *c, struct task *t, const struct procfs_status *st)
{
	autofree pid_t *tids = NULL;
	struct procfs_status other;
	bool same = true;
	size_t n;

	if (st->threads == 1 || procfs_tids(t->pid, &tids, &n) < 0)
		return 0;
	for (size_t i = 1; same && i < n; i++) {
		if (procfs_status(tids[i], &other) < 0)
			continue;
		same = same_cred(st, &other);
		procfs_status_done(&other);
	}
	if (!same)
		return obstacle(c, t,
		    "its threads have different rights "
		    "(users, groups or capabilities): end it before saving");
	return 0;
}

/* A filter that all of the session has, sess included, is no obstacle. */
static int
check_seccomp(struct ckpt *c, struct task *t, const struct procfs_status *st)
{
	struct procfs_status ours;
	bool same;

	if (st->seccomp == 0)
		return 0;
	if (procfs_status(getpid(), &ours) < 0)
		return 0;
	same = st->seccomp == ours.seccomp &&
	    st->seccomp_filters == ours.seccomp_filters;
	procfs_status_done(&ours);
	if (same)
		return 0;
	return obstacle(c, t,
	    "it has shut itself in (seccomp), and that "
	    "cannot be looked into: end it, or start it without its sandbox");
}

static int
cred_check(struct ckpt *c, struct task *t)
{
	struct procfs_status st;

	if (procfs_status(t->pid, &st) < 0)
		return 0;
	(void)check_seccomp(c, t, &st);
	(void)check_threads(c, t, &st);
	if (geteuid() != 0)
		check_owner(c, t, &st);
	check_label(c, t, c->parent != 0 ? c->parent : getpid());
	procfs_status_done(&st);
	return 0;
}

/* ---- save ---- */

/* What only a thread itself is told; the leader speaks for the process. */
static int
ask_thread(struct ckpt *c, struct task *t, size_t i, Img__Cred *m,
    uint32_t *ret_pdeathsig)
{
	int32_t answers[2]; /* pdeathsig, subreaper */
	raddr at = tracee_put(&t->area, NULL, sizeof answers);
	struct tracee_op ops[] = {
		{ .nr = SYS_prctl, .args = { PR_GET_PDEATHSIG, at } },
		{ .nr = SYS_prctl, .args = { PR_GET_CHILD_SUBREAPER, at + 4 } },
		{ .nr = SYS_prctl, .args = { PR_GET_SECUREBITS } },
		{ .nr = SYS_prctl, .args = { PR_GET_DUMPABLE } },
	};
	size_t n = i == 0 ? N_ELEMENTS(ops) : 1;
	int r;

	r = tracee_run(&t->threads[i], &t->area, ops, n, c->err);
	if (r >= 0)
		r = tracee_read(&t->area, at, answers, sizeof answers, c->err);
	for (size_t k = 0; r >= 0 && k < n; k++)
		if (ops[k].ret < 0)
			r = err_num(c->err, (int)ops[k].ret,
			    "%s (pid %d): "
			    "asking for its rights",
			    t->comm, t->pid);
	if (r < 0)
		return r;
	*ret_pdeathsig = (uint32_t)answers[0];
	if (i == 0) {
		m->subreaper = answers[1] != 0;
		m->securebits = (uint32_t)ops[2].ret;
		m->dumpable = (uint32_t)ops[3].ret;
	}
	return 0;
}

static int
put_cred(struct ckpt *c, struct task *t, struct procfs_status *st,
    uint32_t *pdeathsigs)
{
	Img__Cred m = IMG__CRED__INIT;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++)
		r = ask_thread(c, t, i, &m, &pdeathsigs[i]);
	if (r < 0)
		return r;
	m.pdeathsigs = pdeathsigs;
	m.n_pdeathsigs = t->n_threads;
	m.uids = st->uids;
	m.gids = st->gids;
	m.n_uids = m.n_gids = N_IDS;
	m.groups = st->groups;
	m.n_groups = st->n_groups;
	m.cap_inheritable = st->cap_inh;
	m.cap_permitted = st->cap_prm;
	m.cap_effective = st->cap_eff;
	m.cap_bounding = st->cap_bnd;
	m.cap_ambient = st->cap_amb;
	m.no_new_privs = st->no_new_privs;
	return record_put(c, IMG_CRED, (uint64_t)t->vpid, &m.base);
}

static int
cred_save(struct ckpt *c, struct task *t)
{
	scoped(procfs_status_done) struct procfs_status st = { 0 };
	autofree uint32_t *pdeathsigs = calloc(t->n_threads, sizeof(uint32_t));
	int r;

	if (pdeathsigs == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = procfs_status(t->pid, &st);
	if (r < 0)
		return err_num(c->err, r, "%s (pid %d): reading its rights",
		    t->comm, t->pid);
	(void)check_seccomp(c, t, &st);
	(void)check_threads(c, t, &st);
	if (geteuid() != 0)
		check_owner(c, t, &st);
	return put_cred(c, t, &st, pdeathsigs);
}

/* ---- revival ---- */

/* Calls for one thread, in order. */
struct plan {
	struct tracee_op ops[16 + 2 * N_CAPS];
	const char *what[16 + 2 * N_CAPS]; /* NULL: the answer is no matter */
	size_t n;
};

static void
plan_add(struct plan *p, const char *what, uint64_t nr, uint64_t a0,
    uint64_t a1, uint64_t a2)
{
	p->what[p->n] = what;
	p->ops[p->n++] = (struct tracee_op){ .nr = nr, .args = { a0, a1, a2 } };
}

static void
plan_prctl(struct plan *p, const char *what, uint64_t option, uint64_t arg)
{
	plan_add(p, what, SYS_prctl, option, arg, 0);
}

/* Three sets as capset(2) takes them. */
static void
plan_capset(struct plan *p, struct task *t, uint64_t eff, uint64_t prm,
    uint64_t inh)
{
	const struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	const struct __user_cap_data_struct sets[2] = {
		{ (uint32_t)eff, (uint32_t)prm, (uint32_t)inh },
		{ (uint32_t)(eff >> 32), (uint32_t)(prm >> 32),
		    (uint32_t)(inh >> 32) },
	};

	plan_add(p, "capabilities", SYS_capset,
	    tracee_put(&t->area, &head, sizeof head),
	    tracee_put(&t->area, sets, sizeof sets), 0);
}

static void
plan_bounding(struct plan *p, const Img__Cred *m, uint64_t ours)
{
	for (unsigned cap = 0; cap < N_CAPS; cap++)
		if ((ours & ~m->cap_bounding & UINT64_C(1) << cap) != 0)
			plan_prctl(p, "bounding set", PR_CAPBSET_DROP, cap);
}

static void
plan_ids(struct plan *p, struct task *t, const Img__Cred *m)
{
	plan_add(p, "groups", SYS_setgroups, m->n_groups,
	    tracee_put(&t->area, m->groups, m->n_groups * sizeof *m->groups),
	    0);
	plan_add(p, "group ids", SYS_setresgid, m->gids[0], m->gids[1],
	    m->gids[2]);
	plan_add(p, NULL, SYS_setfsgid, m->gids[3], 0, 0);
	plan_add(p, "user ids", SYS_setresuid, m->uids[0], m->uids[1],
	    m->uids[2]);
	plan_add(p, NULL, SYS_setfsuid, m->uids[3], 0, 0);
}

/*
 * Root. What is inherited is set while the bounding set still allows it; the
 * ids change while NO_SETUID_FIXUP keeps the other sets as they are; what is
 * ambient must be permitted and inheritable; the last call gives up the
 * rest, that to set securebits included.
 */
static void
plan_root(struct plan *p, struct task *t, const Img__Cred *m,
    const struct procfs_status *ours)
{
	uint64_t prm = m->cap_permitted & ours->cap_prm;
	uint64_t inh = m->cap_inheritable & ours->cap_bnd;
	uint64_t amb = m->cap_ambient & prm & inh;

	plan_prctl(p, "securebits", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
	plan_capset(p, t, ours->cap_prm, ours->cap_prm, inh);
	plan_bounding(p, m, ours->cap_bnd);
	plan_ids(p, t, m);
	plan_prctl(p, "ambient set", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
	for (unsigned cap = 0; cap < N_CAPS; cap++)
		if ((amb & UINT64_C(1) << cap) != 0)
			plan_add(p, "ambient set", SYS_prctl, PR_CAP_AMBIENT,
			    PR_CAP_AMBIENT_RAISE, cap);
	plan_prctl(p, "securebits", PR_SET_SECUREBITS, m->securebits);
	plan_capset(p, t, m->cap_effective & prm, prm, inh);
}

/*
 * An ordinary user, with all capabilities in a namespace that has nothing, or
 * in none with one.
 */
static void
plan_owner(struct plan *p, struct task *t, const struct ckpt *c,
    const Img__Cred *m, const struct procfs_status *ours)
{
	if (c->userns) {
		plan_bounding(p, m, ours->cap_bnd);
		plan_prctl(p, "securebits", PR_SET_SECUREBITS, m->securebits);
	}
	plan_capset(p, t, 0, 0, 0);
}

static bool
by_root(const struct ckpt *c)
{
	return !c->userns && geteuid() == 0;
}

static int
revive_thread(struct ckpt *c, struct task *t, size_t i, const Img__Cred *m,
    const struct procfs_status *ours)
{
	struct plan p = { .n = 0 };
	int r;

	if (by_root(c))
		plan_root(&p, t, m, ours);
	else
		plan_owner(&p, t, c, m, ours);
	if (m->no_new_privs)
		plan_add(&p, "no_new_privs", SYS_prctl, PR_SET_NO_NEW_PRIVS, 1,
		    0);
	/* The change of ids has reset these; the leader comes last. */
	plan_prctl(&p, "signal at the parent's death", PR_SET_PDEATHSIG,
	    m->pdeathsigs[i]);
	if (i == 0) {
		plan_prctl(&p, "dumpable", PR_SET_DUMPABLE, m->dumpable == 1);
		plan_prctl(&p, "subreaper", PR_SET_CHILD_SUBREAPER,
		    m->subreaper);
	}
	r = tracee_run(&t->threads[i], &t->area, p.ops, p.n, c->err);
	for (size_t k = 0; r >= 0 && k < p.n; k++)
		if (p.what[k] != NULL && p.ops[k].ret < 0)
			r = err_num(c->err, (int)p.ops[k].ret,
			    "%s (pid %d): "
			    "giving it back its %s",
			    t->comm, t->vpid, p.what[k]);
	return r;
}

static int
verify(struct ckpt *c, struct task *t, const Img__Cred *m)
{
	uint32_t uid, gid;

	if (m->n_uids != N_IDS || m->n_gids != N_IDS ||
	    m->n_pdeathsigs != t->n_threads || m->n_groups > N_GROUPS_MAX)
		return err_set(c->err, -EBADMSG,
		    "the image is damaged: "
		    "rights of %s (pid %d)",
		    t->comm, t->vpid);
	if (by_root(c))
		return 0;
	uid = other_id(m->uids, geteuid());
	gid = other_id(m->gids, getegid());
	if (uid != geteuid() || gid != getegid())
		return err_set(c->err, -EPERM,
		    "%s (pid %d) has rights of user "
		    "%u and group %u: only root can bring it back",
		    t->comm, t->vpid, uid, gid);
	return 0;
}

/* In words what will not be as it was. */
static void
tell(struct ckpt *c, struct task *t, const Img__Cred *m,
    const struct procfs_status *ours)
{
	if (by_root(c)) {
		if ((m->cap_permitted & ~ours->cap_prm) != 0)
			note_once(c,
			    "processes that had more capabilities "
			    "than sess has now have only those");
		return;
	}
	if (m->cap_permitted != 0)
		note(c, t,
		    "it has lost its capabilities: only root can give "
		    "them back");
	if (!c->userns &&
	    ((ours->cap_bnd & ~m->cap_bounding) != 0 || m->securebits != 0))
		note(c, t,
		    "it may gain capabilities by running programs, which it "
		    "had renounced: only its user's own revival keeps that");
	if (m->n_groups != (size_t)getgroups(0, NULL))
		note_once(c,
		    "supplementary groups are those that you have "
		    "now");
}

static int
revive_all(struct ckpt *c, struct task *t, const Img__Cred *m)
{
	scoped(procfs_status_done) struct procfs_status ours = { 0 };
	int r;

	r = procfs_status(getpid(), &ours);
	if (r < 0)
		return err_num(c->err, r, "reading our own rights");
	r = verify(c, t, m);
	if (r < 0)
		return r;
	tell(c, t, m, &ours);
	for (size_t i = t->n_threads; r >= 0 && i-- > 0;)
		r = revive_thread(c, t, i, m, &ours);
	return r;
}

static int
cred_revive(struct ckpt *c, struct task *t)
{
	Img__Cred *m = image_find(c->img, IMG_CRED, (uint64_t)t->vpid,
	    &img__cred__descriptor, c->err);
	int r;

	if (m == NULL)
		return -EBADMSG;
	r = revive_all(c, t, m);
	img__cred__free_unpacked(m, NULL);
	return r;
}

const struct resource res_cred = {
	.name = "cred",
	.check = cred_check,
	.save = cred_save,
	.revive = cred_revive,
};
