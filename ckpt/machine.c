/*
 * machine.c - see machine.h.
 */
#include "ckpt/machine.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/memory/vdso.h"
#include "ckpt/space.h"

int
machine_check(struct ckpt *c)
{
	const Img__Machine *m = c->machine;
	const char *missing;

	if (m->arch == NULL || strcmp(m->arch, arch_name) != 0)
		return err_set(c->err, -ENOTSUP,
		    "it was saved on another "
		    "kind of machine (%s, this is %s)",
		    m->arch, arch_name);
	missing = arch_features_missing(m->features, m->n_features);
	if (missing != NULL)
		return err_set(c->err, -ENOTSUP,
		    "this processor lacks %s, "
		    "which the programs may use: revive it on the machine it "
		    "was saved on, or a newer one",
		    missing);
	return vdso_check(c);
}

/* The rights of the programs; what they may be is known to cred.c alone. */
static int
check_owners(const struct image *img, struct err *e)
{
	for (size_t i = 0; i < image_count(img, IMG_CRED); i++) {
		Img__Cred *m = image_get(img, IMG_CRED, i,
		    &img__cred__descriptor, NULL, e);
		uint32_t uid = geteuid();

		if (m == NULL)
			return -EBADMSG;
		for (size_t k = 0; k < m->n_uids; k++)
			if (m->uids[k] != geteuid())
				uid = m->uids[k];
		img__cred__free_unpacked(m, NULL);
		if (uid != geteuid())
			return err_set(e, -EPERM,
			    "it is a session of user %u, and you are user %u: "
			    "only root can revive it here",
			    uid, geteuid());
	}
	return 0;
}

int
machine_fits(struct image *img, struct err *e)
{
	struct ckpt c = { .err = e, .img = img, .session_master = -1 };
	Img__Machine *m = image_find(img, IMG_MACHINE, 0,
	    &img__machine__descriptor, e);
	int r;

	if (m == NULL)
		return -EBADMSG;
	c.machine = m;
	r = machine_check(&c);
	img__machine__free_unpacked(m, NULL);
	if (r == 0 && space_needs_userns())
		r = check_owners(img, e);
	return r;
}
