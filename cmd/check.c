/*
 * check.c - -check: what a save would meet, and whether this machine could
 * revive it, in lines or as JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "cmd/commands.h"
#include "cmd/json.h"
#include "session/proto.h"

#define REPORT_MAX (1 << 20)

/* ,"KEY":[...] of the LEN bytes of lines at TEXT. */
static int
put_lines(struct buf *out, const char *key, const char *text, size_t len)
{
	const char *end;
	int r = buf_printf(out, ",\"%s\":[", key);

	for (bool first = true; r == 0 && len > 0; first = false) {
		autofree char *line = NULL;
		size_t n;

		end = memchr(text, '\n', len);
		n = end == NULL ? len : (size_t)(end - text);
		line = strndup(text, n);
		r = line == NULL ? -ENOMEM : buf_printf(out, first ? "" : ",");
		if (r == 0)
			r = json_string(out, line);
		n += end != NULL;
		text += n;
		len -= n;
	}
	return r < 0 ? r : buf_printf(out, "]");
}

/* TEXT: first OBSTACLES bytes that stand in the way, then the rest. */
static int
print(struct context *c, const char *text, size_t obstacles)
{
	struct buf out autobuf = BUF_INIT(8 * REPORT_MAX);
	size_t len = strlen(text);
	int r;

	if (!c->json) {
		say_lines(stdout, text);
		return 0;
	}
	if (obstacles > len)
		obstacles = len;
	r = buf_printf(&out, "{\"can_be_saved\":%s",
	    obstacles > 0 ? "false" : "true");
	if (r == 0)
		r = put_lines(&out, "obstacles", text, obstacles);
	if (r == 0)
		r = put_lines(&out, "notes", text + obstacles, len - obstacles);
	if (r == 0)
		r = buf_printf(&out, "}\n");
	if (r < 0)
		return err_num(&c->err, r, "cannot make the report");
	(void)fwrite(out.data, 1, out.len, stdout);
	return 0;
}

/* A process: a number that is no session's name. */
static int
check_pid(struct context *c, const char *arg)
{
	struct buf report autobuf = BUF_INIT(REPORT_MAX);
	size_t obstacles = 0;
	int can = ckpt_check(0, (pid_t)atoi(arg), &report, &obstacles, &c->err);
	int r;

	if (can < 0 && can != -EOPNOTSUPP)
		return can;
	r = buf_put(&report, "", 1);
	if (r < 0)
		return err_num(&c->err, r, "cannot make the report");
	r = print(c, (char *)report.data, obstacles);
	return r < 0 ? r : can < 0;
}

int
run_check(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__CHECK);
	struct packet k autopacket = PACKET_NONE;
	autofree char *name = NULL;
	const char *text;
	int r;

	(void)rest;
	if (arg != NULL && arg[0] != 0 && arg[strspn(arg, "0123456789")] == 0 &&
	    !commands_lives(c, arg))
		return check_pid(c, arg);
	r = commands_own_name(c, arg, &name);
	if (r == 0)
		r = commands_ask(c, name, &m, ASK_MS, &k);
	if (r < 0)
		return r;
	text = k.msg->text == NULL ? "" : k.msg->text;
	r = print(c, text,
	    k.msg->has_obstacles_len ? k.msg->obstacles_len :
		k.msg->force         ? strlen(text) :
				       0);
	return r < 0 ? r : k.msg->force;
}
