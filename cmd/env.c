/*
 * env.c - sess -env: what the latest login that attached offers, as lines
 * for a shell to evaluate. Values may be any text: they are quoted whole.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "cmd/commands.h"
#include "cmd/json.h"
#include "session/login.h"

#define ENV_MAX (8 * N_LOGIN * LOGIN_VALUE_MAX)

/* VALUE in single quotes: sh(1) takes every byte in them but a quote. */
static int
put_quoted(struct buf *out, const char *value)
{
	size_t n;
	int r = buf_put(out, "'", 1);

	for (; r == 0 && *value != 0; value += n) {
		n = strcspn(value, "'");
		r = buf_put(out, value, n);
		if (r == 0 && value[n] == '\'') {
			r = buf_put(out, "'\\''", 4);
			n++;
		}
	}
	return r < 0 ? r : buf_put(out, "'", 1);
}

static int
put_shell(struct buf *out, const struct login *l)
{
	size_t i;
	int r = 0;

	for (i = 0; i < N_LOGIN_TOLD && r == 0; i++) {
		if (l->values[i] == NULL) {
			r = buf_printf(out, "unset %s\n", login_names[i]);
			continue;
		}
		if ((r = buf_printf(out, "%s=", login_names[i])) == 0 &&
		    (r = put_quoted(out, l->values[i])) == 0)
			r = buf_printf(out, "; export %s\n", login_names[i]);
	}
	return r;
}

static int
put_json(struct buf *out, const struct login *l)
{
	size_t i;
	int r = 0;

	for (i = 0; i < N_LOGIN_TOLD && r == 0; i++) {
		r = buf_printf(out, "%s\"%s\":", i == 0 ? "{" : ",",
		    login_names[i]);
		if (r == 0)
			r = json_string(out, l->values[i]);
	}
	return r < 0 ? r : buf_printf(out, "}\n");
}

int
run_env(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__ENV);
	struct packet k autopacket = PACKET_NONE;
	struct login l autologin = { .values = { NULL } };
	struct buf out autobuf = BUF_INIT(ENV_MAX);
	autofree char *name = NULL;
	int r;

	(void)rest;
	r = commands_own_name(c, arg, &name);
	if (r == 0)
		r = commands_ask(c, name, &m, ASK_MS, &k);
	if (r < 0)
		return r;
	if (login_parse(k.msg->login, k.msg->n_login, &l) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = c->json ? put_json(&out, &l) : put_shell(&out, &l);
	if (r < 0)
		return err_num(&c->err, r, "cannot make the list");
	(void)fwrite(out.data, 1, out.len, stdout);
	return 0;
}
