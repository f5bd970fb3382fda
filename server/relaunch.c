/*
 * relaunch.c - see relaunch.h.
 */
#include "server/relaunch.h"

#include <errno.h>

#include "base/scope.h"
#include "ckpt/ckpt.h"

int
relaunch_screen(struct server *s, const struct launch *l, struct err *e)
{
	struct buf text autobuf = BUF_INIT(64 << 10);
	struct ckpt_command k;
	int r;

	r = ckpt_relaunch(s->places.saved, l->name, l->generation, &k, e);
	if (r < 0)
		return r;
	s->generation = k.generation;
	if (screen_load(k.session.screen.data, k.session.screen.len,
		&s->screen) < 0)
		r = screen_new(l->size.rows, l->size.cols, &s->screen);
	ckpt_command_done(&k);
	if (r < 0)
		return err_num(e, r, "cannot make the screen");
	screen_resize(s->screen, l->size.rows, l->size.cols);
	if (modes_undo(screen_modes(s->screen), &text) < 0)
		return err_set(e, -ENOMEM, "no memory");
	screen_write(s->screen, text.data, text.len);
	buf_drop(&text, text.len);
	if (buf_printf(&text,
		"\033[0m\033[%d;1H\r\n"
		"[sess: the command was started again; what follows is not "
		"revived from %s@%llu]\r\n",
		screen_bottom(s->screen) + 1, l->name,
		(unsigned long long)s->generation) < 0)
		return err_set(e, -ENOMEM, "no memory");
	screen_write(s->screen, text.data, text.len);
	return 0;
}
