/*
 * relaunch.c - what it takes to start a saved session's command anew:
 * ckpt_relaunch() in ckpt.h. Nothing of the machine is checked: that is what
 * it is for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "ckpt/peek.h"
#include "ckpt/saved.h"

void
ckpt_command_done(struct ckpt_command *k)
{
	ckpt_session_done(&k->session);
	free(k->env);
	free(k->cwd);
	*k = (struct ckpt_command){ .cwd = NULL };
}

static int
read_place(struct image *img, uint64_t vpid, struct ckpt_command *k,
    struct err *e)
{
	Img__Fs *fs = image_find(img, IMG_FS, vpid, &img__fs__descriptor, e);

	if (fs == NULL)
		return -EBADMSG;
	k->cwd = strndup((char *)fs->cwd.data, fs->cwd.len);
	k->umask = fs->umask & 0777;
	img__fs__free_unpacked(fs, NULL);
	return k->cwd == NULL ? err_set(e, -ENOMEM, "out of memory") : 0;
}

/* The environment that the program was started with, if it is there still. */
static int
read_environment(struct image *img, uint64_t vpid, char ***ret_env,
    struct err *e)
{
	Img__Mm *mm = image_find(img, IMG_MM, vpid, &img__mm__descriptor, e);
	struct image_pages *pages = NULL;
	size_t n = 0;
	int r;

	if (mm == NULL)
		return -EBADMSG;
	r = image_pages_open(img, &pages, e);
	if (r == 0)
		r = peek_words(pages, mm, mm->env_start, mm->env_end, ret_env,
		    e);
	image_pages_close(pages);
	img__mm__free_unpacked(mm, NULL);
	if (r < 0)
		return r;
	/* Programs write titles over it. */
	for (size_t i = 0; (*ret_env)[i] != NULL; i++)
		if (strchr((*ret_env)[i], '=') != NULL)
			(*ret_env)[n++] = (*ret_env)[i];
	(*ret_env)[n] = NULL;
	return 0;
}

static int
read_first(struct image *img, struct ckpt_command *k, struct err *e)
{
	Img__Tree *tree = image_find(img, IMG_TREE, 0, &img__tree__descriptor,
	    e);
	uint64_t vpid;
	int r;

	if (tree == NULL)
		return -EBADMSG;
	vpid = tree->first_vpid;
	img__tree__free_unpacked(tree, NULL);
	r = read_place(img, vpid, k, e);
	if (r == 0)
		r = read_environment(img, vpid, &k->env, NULL);
	return r == -EBADMSG ? r : 0; /* one without memory: a zombie */
}

int
ckpt_relaunch(int saved_dirfd, const char *name, uint64_t generation,
    struct ckpt_command *ret_k, struct err *e)
{
	struct ckpt_command k = { .generation = generation };
	struct ckpt c = { .err = e,
		.saved_dirfd = saved_dirfd,
		.session_master = -1 };
	int r;

	r = saved_open(&c, name, &k.generation);
	if (r == 0)
		r = saved_session(&c, &k.session);
	if (r == 0 && k.session.argv[0] == NULL)
		r = err_set(e, -EBADMSG, "the snapshot has no command line");
	if (r == 0)
		r = read_first(c.img, &k, e);
	if (c.img != NULL)
		image_close(c.img);
	if (r < 0)
		ckpt_command_done(&k);
	else
		*ret_k = k;
	return r;
}
