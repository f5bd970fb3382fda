/*
 * traits.c - what prctl(2) knows of a process and no other file here has
 * (huge pages, merging of pages, refusing pages that are writable and
 * executable, the time stamp counter, memory errors), and what its core
 * files contain. One line in traits[] each.
 *
 * What is inherited from sess is set too when it differs. What the kernel
 * does not let be set is said.
 *
 * Sources: prctl(2), core(5), linux/prctl.h of 6.18.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/resource.h"

#define N_TRAITS 5

/* linux/prctl.h of 6.3 and 6.4 */
#define SET_MDWE 65
#define GET_MDWE 66
#define SET_MEMORY_MERGE 67
#define GET_MEMORY_MERGE 68

struct trait {
	const char *words;
	uint32_t get;
	bool by_address; /* the answer goes to an address, not to ret */
	bool of_thread;  /* each thread has its own */
	void (*fill)(uint32_t value, uint64_t args[6]); /* to set it */
};

static void
fill_thp(uint32_t value, uint64_t args[6])
{
	args[0] = PR_SET_THP_DISABLE;
	args[1] = value & 1;
	args[2] = value & ~1U; /* from 6.18: except where advised */
}

static void
fill_mdwe(uint32_t value, uint64_t args[6])
{
	args[0] = SET_MDWE;
	args[1] = value;
}

static void
fill_merge(uint32_t value, uint64_t args[6])
{
	args[0] = SET_MEMORY_MERGE;
	args[1] = value;
}

static void
fill_tsc(uint32_t value, uint64_t args[6])
{
	args[0] = PR_SET_TSC;
	args[1] = value;
}

static void
fill_mce(uint32_t value, uint64_t args[6])
{
	args[0] = PR_MCE_KILL;
	args[1] = PR_MCE_KILL_SET;
	args[2] = value;
}

static const struct trait traits[N_TRAITS] = {
	{ "huge pages", PR_GET_THP_DISABLE, .fill = fill_thp },
	{ "memory-deny-write-execute", GET_MDWE, .fill = fill_mdwe },
	{ "merging of memory", GET_MEMORY_MERGE, .fill = fill_merge },
	{ "time stamp counter", PR_GET_TSC, .by_address = true,
	    .of_thread = true, .fill = fill_tsc },
	{ "memory errors", PR_MCE_KILL_GET, .of_thread = true,
	    .fill = fill_mce },
};

/*
 * Ask thread I of T for all that is its to tell. *RET_KNOWN has bit K when
 * this kernel knows traits[K].
 */
static int
ask(struct ckpt *c, struct task *t, size_t i, uint32_t ret_values[N_TRAITS],
    uint32_t *ret_known)
{
	uint32_t pointed[N_TRAITS] = { 0 };
	raddr at = tracee_put(&t->area, pointed, sizeof pointed);
	struct tracee_op ops[N_TRAITS];
	int r;

	for (size_t k = 0; k < N_TRAITS; k++)
		ops[k] = (struct tracee_op){ .nr = SYS_prctl,
			.args = { traits[k].get,
			    traits[k].by_address ? at + k * 4 : 0 } };
	r = tracee_run(&t->threads[i], &t->area, ops, N_TRAITS, c->err);
	if (r >= 0)
		r = tracee_read(&t->area, at, pointed, sizeof pointed, c->err);
	if (r < 0)
		return r;
	*ret_known = 0;
	for (size_t k = 0; k < N_TRAITS; k++) {
		if (ops[k].ret < 0 || (i > 0 && !traits[k].of_thread))
			continue;
		*ret_known |= 1U << k;
		ret_values[k] = traits[k].by_address ? pointed[k] :
						       (uint32_t)ops[k].ret;
	}
	return 0;
}

/* The bits of /proc/PID/coredump_filter; -ENOENT: it has none. */
static int
get_filter(pid_t pid, uint32_t *ret_filter)
{
	autobuf struct buf b = BUF_INIT(64);
	int r;

	r = procfs_read(pid, "coredump_filter", &b);
	if (r < 0)
		return r;
	return sscanf((const char *)b.data, "%" SCNx32, ret_filter) == 1 ?
	    0 :
	    -ENOENT;
}

/* ---- save ---- */

struct saved {
	struct saved_thread {
		Img__TraitThread m;
		Img__Trait traits[N_TRAITS], *ptrs[N_TRAITS];
	} * threads;             /* owned */
	Img__TraitThread **ptrs; /* owned */
};

static void
saved_done(struct saved *s)
{
	free(s->threads);
	free(s->ptrs);
}

static int
save_thread(struct ckpt *c, struct task *t, size_t i, struct saved_thread *s)
{
	uint32_t values[N_TRAITS], known;
	int r;

	r = ask(c, t, i, values, &known);
	if (r < 0)
		return r;
	s->m = (Img__TraitThread)IMG__TRAIT_THREAD__INIT;
	s->m.vtid = (uint32_t)t->threads[i].vtid;
	s->m.traits = s->ptrs;
	for (size_t k = 0; k < N_TRAITS; k++) {
		Img__Trait *m = &s->traits[s->m.n_traits];

		if ((known & 1U << k) == 0)
			continue;
		*m = (Img__Trait)IMG__TRAIT__INIT;
		m->get = traits[k].get;
		m->value = values[k];
		s->ptrs[s->m.n_traits++] = m;
	}
	return 0;
}

static int
traits_save(struct ckpt *c, struct task *t)
{
	Img__Traits m = IMG__TRAITS__INIT;
	scoped(saved_done) struct saved s = { .threads = NULL };
	int r = 0;

	s.threads = calloc(t->n_threads, sizeof *s.threads);
	s.ptrs = calloc(t->n_threads, sizeof(Img__TraitThread *));
	if (s.threads == NULL || s.ptrs == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		r = save_thread(c, t, i, &s.threads[i]);
		s.ptrs[i] = &s.threads[i].m;
	}
	if (r < 0)
		return r;
	m.threads = s.ptrs;
	m.n_threads = t->n_threads;
	m.has_coredump_filter = get_filter(t->pid, &m.coredump_filter) >= 0;
	return record_put(c, IMG_TRAITS, (uint64_t)t->vpid, &m.base);
}

/* ---- revival ---- */

static const Img__Trait *
find_trait(const Img__TraitThread *m, uint32_t get)
{
	for (size_t i = 0; i < m->n_traits; i++)
		if (m->traits[i]->get == get)
			return m->traits[i];
	return NULL;
}

static int
revive_thread(struct ckpt *c, struct task *t, size_t i,
    const Img__TraitThread *m)
{
	struct tracee_op ops[N_TRAITS];
	const char *words[N_TRAITS];
	uint32_t values[N_TRAITS], known;
	size_t n = 0;
	int r;

	r = ask(c, t, i, values, &known);
	if (r < 0)
		return r;
	for (size_t k = 0; k < N_TRAITS; k++) {
		const Img__Trait *tr = find_trait(m, traits[k].get);

		if (tr == NULL ||
		    ((known & 1U << k) != 0 && values[k] == tr->value))
			continue;
		words[n] = traits[k].words;
		ops[n] = (struct tracee_op){ .nr = SYS_prctl };
		traits[k].fill(tr->value, ops[n++].args);
	}
	r = tracee_run(&t->threads[i], &t->area, ops, n, c->err);
	for (size_t k = 0; r >= 0 && k < n; k++)
		if (ops[k].ret < 0)
			note(c, t, "its setting of %s was not allowed (%s)",
			    words[k], strerror((int)-ops[k].ret));
	return r;
}

static void
set_filter(struct ckpt *c, struct task *t, uint32_t filter)
{
	char path[64], text[16];
	autoclose int fd = -1;
	uint32_t now;

	if (get_filter(t->pid, &now) < 0 || now == filter)
		return;
	(void)snprintf(path, sizeof path, "/proc/%d/coredump_filter", t->pid);
	(void)snprintf(text, sizeof text, "0x%" PRIx32, filter);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || io_write(fd, text, strlen(text)) < 0)
		note(c, t, "what its core files contain could not be set");
}

static const Img__TraitThread *
find_thread(const Img__Traits *m, pid_t vtid)
{
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i]->vtid == (uint32_t)vtid)
			return m->threads[i];
	return NULL;
}

static int
traits_revive(struct ckpt *c, struct task *t)
{
	Img__Traits *m;
	int r = 0;

	m = image_find(c->img, IMG_TRAITS, (uint64_t)t->vpid,
	    &img__traits__descriptor, c->err);
	if (m == NULL)
		return -EBADMSG;
	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		const Img__TraitThread *th = find_thread(m, t->vtids[i]);

		if (th != NULL)
			r = revive_thread(c, t, i, th);
	}
	if (r >= 0 && m->has_coredump_filter)
		set_filter(c, t, m->coredump_filter);
	img__traits__free_unpacked(m, NULL);
	return r;
}

const struct resource res_traits = {
	.name = "traits",
	.save = traits_save,
	.revive = traits_revive,
};
