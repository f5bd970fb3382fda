/*
 * main.c - the command line: two tables, of commands and of modifiers, from
 * which getopt_long_only(3), the help and the errors are made. One line on
 * standard error says what went wrong: status 1, or 2 for a command line
 * that makes no sense.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "cmd/commands.h"
#include "cmd/compat.h"
#include "cmd/users.h"
#include "config.h"
#include "server/keys.h"

#define SESS_VERSION "0.1"
#define USAGE_STATUS 2
#define LIMIT_MAX_S 86400

/* What may follow a command's option. */
enum follows {
	NOTHING,
	NAME,         /* one word: the option's argument */
	NAME_COMMAND, /* that, and a command line */
	MAYBE_NAME,   /* modifiers, and one word or none */
	COMMAND,      /* a command line */
	TWO_NAMES,    /* one word as argument, and another one */
};

struct command {
	const char *option;
	enum follows follows;
	const char *usage, *help;
	int (*run)(struct context *c, char *arg, char **rest);
};

static int run_version(struct context *c, char *arg, char **rest);
static int run_help(struct context *c, char *arg, char **rest);

static const struct command commands[] = {
	{ "c", NAME_COMMAND, "NAME [CMD...]", "create a session and attach",
	    run_create },
	{ "n", NAME_COMMAND, "NAME [CMD...]", "create it, leave it detached",
	    run_new },
	{ "a", NAME, "NAME", "attach", run_attach },
	{ "A", NAME_COMMAND, "NAME [CMD...]",
	    "attach, else revive, else create", run_any },
	{ "d", NAME, "NAME", "detach its terminals", run_detach },
	{ "k", MAYBE_NAME, "NAME", "end it (HUP, TERM, KILL)", run_kill },
	{ "save", MAYBE_NAME, "[NAME]", "save it; it runs on", run_save },
	{ "revive", MAYBE_NAME, "NAME[@GEN]", "bring it back, detached",
	    run_revive },
	{ "check", MAYBE_NAME, "[NAME|PID]", "what a save would meet",
	    run_check },
	{ "inspect", MAYBE_NAME, "NAME[@GEN]|FILE", "what is in a snapshot",
	    run_inspect },
	{ "mv", TWO_NAMES, "OLD NEW", "give it another name", run_move },
	{ "rm", NAME, "NAME[@GEN]", "remove snapshots", run_remove },
	{ "pid", NAME, "NAME", "its first process", run_pid },
	{ "send", NAME, "NAME", "standard input, typed into it", run_send },
	{ "history", NAME, "NAME", "its scrollback and screen as text",
	    run_history },
	{ "env", MAYBE_NAME, "[NAME]", "SSH_AUTH_SOCK and its like, to eval",
	    run_env },
	{ "wait", NAME, "NAME", "wait for its end: its exit status", run_wait },
	{ "outside", COMMAND, "CMD...",
	    "in a revived session: run CMD outside of it", run_outside },
	{ "v", NOTHING, "", "version", run_version },
	{ "h", NOTHING, "", "this help", run_help },
};

static int set_key(struct context *c, const char *arg);
static int set_no_key(struct context *c, const char *arg);
static int set_quiet(struct context *c, const char *arg);
static int set_force(struct context *c, const char *arg);
static int set_stop(struct context *c, const char *arg);
static int set_with_files(struct context *c, const char *arg);
static int set_read_only(struct context *c, const char *arg);
static int set_low(struct context *c, const char *arg);
static int set_json(struct context *c, const char *arg);
static int set_all(struct context *c, const char *arg);
static int set_limit(struct context *c, const char *arg);
static int set_user(struct context *c, const char *arg);
static int set_everyone(struct context *c, const char *arg);
static int set_relaunch(struct context *c, const char *arg);
static int set_out(struct context *c, const char *arg);
static int set_in(struct context *c, const char *arg);

static const struct {
	const char *option;
	bool has_arg;
	const char *usage, *help;
	int (*set)(struct context *c, const char *arg);
} modifiers[] = {
	{ "e", true, "KEY", "detach key, like ^A (default " DETACH_KEY ")",
	    set_key },
	{ "E", false, "", "no detach key", set_no_key },
	{ "q", false, "", "say nothing but errors; the list: names only",
	    set_quiet },
	{ "f", false, "", "-k: also what has left; -c -n: though it is saved",
	    set_force },
	{ "force", false, "", "-revive: though files have changed or are gone",
	    set_force },
	{ "stop", false, "", "-save: end it when it is saved", set_stop },
	{ "with-files", false, "", "-save: with all open files, of any size",
	    set_with_files },
	{ "r", false, "", "read only: nothing typed reaches it; as -l",
	    set_read_only },
	{ "l", false, "", "its size follows the other terminals", set_low },
	{ "all", false, "", "-save: all that run; -revive: all that ran last",
	    set_all },
	{ "user", true, "USER", "root: act as USER; -revive: with root's help",
	    set_user },
	{ "everyone", false, "", "root: -save -all, -revive -all of every user",
	    set_everyone },
	{ "limit", true, "SECONDS", "-all: for all of them together",
	    set_limit },
	{ "j", false, "", "the list, -env, -check, -inspect: as JSON",
	    set_json },
	{ "relaunch", false, "", "-revive: what cannot be is started again",
	    set_relaunch },
	{ "o", true, "FILE",
	    "-save: write the snapshot there too, - for a pipe", set_out },
	{ "i", true, "FILE", "-revive: what -save -o wrote, - for a pipe",
	    set_in },
};

#define N_COMMANDS ((int)N_ELEMENTS(commands))
#define N_OPTIONS ((int)(N_ELEMENTS(commands) + N_ELEMENTS(modifiers)))

static int
set_key(struct context *c, const char *arg)
{
	int key = keys_parse(arg);

	if (key == -EINVAL)
		return err_set(&c->err, key,
		    "'%s' is no key: write ^A to ^Z, "
		    "^\\, ^], ^^, ^_ or none",
		    arg);
	c->key = key;
	return 0;
}

static int
set_no_key(struct context *c, const char *arg)
{
	(void)arg;
	c->key = -1;
	return 0;
}

static int
set_quiet(struct context *c, const char *arg)
{
	(void)arg;
	c->quiet = true;
	return 0;
}

static int
set_force(struct context *c, const char *arg)
{
	(void)arg;
	c->force = true;
	return 0;
}

static int
set_with_files(struct context *c, const char *arg)
{
	(void)arg;
	c->with_files = true;
	return 0;
}

static int
set_stop(struct context *c, const char *arg)
{
	(void)arg;
	c->stop = true;
	return 0;
}

static int
set_read_only(struct context *c, const char *arg)
{
	(void)arg;
	c->read_only = true;
	return 0;
}

static int
set_low(struct context *c, const char *arg)
{
	(void)arg;
	c->low = true;
	return 0;
}

static int
set_json(struct context *c, const char *arg)
{
	(void)arg;
	c->json = true;
	return 0;
}

static int
set_all(struct context *c, const char *arg)
{
	(void)arg;
	c->all = true;
	return 0;
}

static int
set_limit(struct context *c, const char *arg)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (arg[0] < '1' || arg[0] > '9' || *end != 0 || n > LIMIT_MAX_S)
		return err_set(&c->err, -EINVAL,
		    "'%s' is no number of seconds from 1 to %d", arg,
		    LIMIT_MAX_S);
	c->limit_s = (unsigned)n;
	return 0;
}

static int
set_user(struct context *c, const char *arg)
{
	c->user = arg;
	return 0;
}

static int
set_everyone(struct context *c, const char *arg)
{
	(void)arg;
	c->everyone = true;
	return 0;
}

static int
set_relaunch(struct context *c, const char *arg)
{
	(void)arg;
	c->relaunch = true;
	return 0;
}

static int
set_out(struct context *c, const char *arg)
{
	c->out = arg;
	return 0;
}

static int
set_in(struct context *c, const char *arg)
{
	c->in = arg;
	return 0;
}

static int
run_version(struct context *c, char *arg, char **rest)
{
	(void)c;
	(void)arg;
	(void)rest;
	printf("sess %s\n", SESS_VERSION);
	return 0;
}

static int
run_help(struct context *c, char *arg, char **rest)
{
	char left[64];
	size_t i;

	(void)c;
	(void)arg;
	(void)rest;
	printf("usage:\n  %-26s %s\n", "sess", "list the sessions");
	for (i = 0; i < N_ELEMENTS(commands); i++) {
		(void)snprintf(left, sizeof left, "sess -%s %s",
		    commands[i].option, commands[i].usage);
		printf("  %-26s %s\n", left, commands[i].help);
	}
	printf("modifiers:\n");
	for (i = 0; i < N_ELEMENTS(modifiers); i++) {
		(void)snprintf(left, sizeof left, "-%s %s", modifiers[i].option,
		    modifiers[i].usage);
		printf("  %-26s %s\n", left, modifiers[i].help);
	}
	return 0;
}

static void
make_options(struct option *o)
{
	int i;

	memset(o, 0, (size_t)(N_OPTIONS + 1) * sizeof *o);
	for (i = 0; i < N_OPTIONS; i++) {
		bool is_command = i < N_COMMANDS;
		bool has_arg = is_command ? commands[i].follows == NAME ||
			commands[i].follows == NAME_COMMAND ||
			commands[i].follows == TWO_NAMES :
					    modifiers[i - N_COMMANDS].has_arg;

		o[i].name = is_command ? commands[i].option :
					 modifiers[i - N_COMMANDS].option;
		o[i].has_arg = has_arg ? required_argument : no_argument;
		o[i].val = i + 1;
	}
}

static int
usage_error(struct context *c, const char *what, const char *word)
{
	c->exit_status = USAGE_STATUS;
	return err_set(&c->err, -EINVAL,
	    "%s '%s': sess -h lists what there "
	    "is",
	    what, word);
}

/* The same for WORD with a dash, where a name could stand. */
static int
dash_error(struct context *c, const char *what, const char *word)
{
	c->exit_status = USAGE_STATUS;
	return err_set(&c->err, -EINVAL,
	    "%s '%s': a name that begins with - comes after --", what, word);
}

/* Is WORD, exactly, one of OPTIONS? */
static bool
is_option(const struct option *options, const char *word)
{
	const char *name = word + strspn(word, "-");

	while (options->name != NULL && strcmp(options->name, name) != 0)
		options++;
	return name != word && options->name != NULL;
}

/*
 * The argument that getopt(3) found for a command, in *ARG, or the word after
 * it when that is --. 1: so it was, and no option follows.
 */
static int
take_name(struct context *c, const struct option *options, char **argv,
    char **arg)
{
	if (strcmp(*arg, "--") != 0)
		return is_option(options, *arg) ?
		    dash_error(c, "an option in place of a name", *arg) :
		    0;
	if (argv[optind] == NULL)
		return usage_error(c, "something is missing after", *arg);
	*arg = argv[optind++];
	return 1;
}

/* After CMD (NULL: none yet) WORD may have been meant as a name. */
static int
unknown_option(struct context *c, const struct command *cmd, const char *word)
{
	if (cmd != NULL &&
	    (cmd->follows == MAYBE_NAME || cmd->follows == TWO_NAMES))
		return dash_error(c, "unknown option", word);
	return usage_error(c, "unknown option", word);
}

/* Options up to the first other word. *RET_COMMAND stays NULL: list. */
static int
parse(struct context *c, int argc, char **argv,
    const struct command **ret_command, char **ret_arg)
{
	struct option options[N_OPTIONS + 1];
	int i, r;

	make_options(options);
	opterr = 0;
	while ((i = getopt_long_only(argc, argv, "+:", options, NULL)) > 0) {
		if (i == ':')
			return usage_error(c, "something is missing after",
			    argv[optind - 1]);
		if (i == '?')
			return unknown_option(c, *ret_command,
			    argv[optind - 1]);
		if (i > N_COMMANDS) {
			r = modifiers[i - 1 - N_COMMANDS].set(c, optarg);
			if (r < 0) {
				c->exit_status = USAGE_STATUS;
				return r;
			}
			continue;
		}
		if (*ret_command != NULL)
			return usage_error(c,
			    "only one command at a time:", argv[optind - 1]);
		*ret_command = &commands[i - 1];
		*ret_arg = optarg;
		r = optarg == NULL ? 0 : take_name(c, options, argv, ret_arg);
		if (r != 0)
			return r < 0 ? r : 0;
		/* What follows is a command line with options of its own. */
		if (commands[i - 1].follows == NAME_COMMAND && optind < argc &&
		    argv[optind][0] != '-')
			break;
	}
	return 0;
}

/* Only command lines may be longer than one word. */
static int
check_rest(struct context *c, const struct command *cmd, char **ret_arg,
    char **rest)
{
	if (cmd == NULL || cmd->follows == NOTHING || cmd->follows == NAME)
		return rest[0] == NULL ?
		    0 :
		    usage_error(c, "one word too many:", rest[0]);
	if (cmd->follows == TWO_NAMES && rest[0] == NULL)
		return usage_error(c, "something is missing after", *ret_arg);
	if (cmd->follows == COMMAND && rest[0] == NULL)
		return usage_error(c, "a command is missing after", "-outside");
	if (cmd->follows == NAME_COMMAND || cmd->follows == COMMAND ||
	    rest[0] == NULL)
		return 0;
	if (cmd->follows == MAYBE_NAME)
		*ret_arg = rest[0];
	return rest[1] == NULL ? 0 :
				 usage_error(c, "one word too many:", rest[1]);
}

/* As whom the rest is done. 1: it was done in other processes. */
static int
choose_user(struct context *c, const struct command *cmd)
{
	bool revive = cmd != NULL && cmd->run == run_revive;
	bool save = cmd != NULL && cmd->run == run_save;
	int r = 0;

	if (c->everyone && (c->user != NULL || !c->all || !(save || revive)))
		return usage_error(c,
		    "only with -save -all or -revive -all:", "-everyone");
	if (c->user != NULL && cmd != NULL &&
	    (cmd->follows == NAME_COMMAND || cmd->follows == COMMAND))
		return usage_error(c,
		    "not where a program is started:", "-user");
	if (c->everyone)
		r = users_each(c);
	if (r == 0 && c->user != NULL)
		r = users_enter(c, revive);
	return r;
}

static int
run(struct context *c, int argc, char **argv)
{
	const struct command *cmd = NULL;
	char *arg = NULL;
	int r;

	r = parse(c, argc, argv, &cmd, &arg);
	if (r == 0)
		r = check_rest(c, cmd, &arg, argv + optind);
	if (r < 0)
		return r;
	if (cmd != NULL && cmd->follows == NOTHING)
		return cmd->run(c, NULL, NULL);
	r = choose_user(c, cmd);
	if (r != 0)
		return r < 0 ? r : c->exit_status;
	r = (cmd == NULL ? places_look : places_open)(&c->places, &c->err);
	if (r < 0)
		return r;
	if (cmd == NULL)
		return run_list(c, NULL, NULL);
	return cmd->run(c, arg, argv + optind);
}

/* What is opened later must not become standard input by accident. */
static void
fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)close(fd);
}

/* Other programs whose command lines we take, by the name we are called. */
static const struct {
	const char *name;
	int (*run)(struct context *c, int argc, char **argv);
	bool says_on_stdout;
} programs[] = {
	{ "dtach", dtach_main, true },
	{ "abduco", abduco_main, false },
};

/* One line on standard error; dtach has two on standard output. */
static void
complain(const struct context *c, bool on_stdout)
{
	char who[64];

	if (on_stdout) {
		(void)say_text(stdout, c->program);
		printf(": ");
		say_lines(stdout, c->err.text);
		(void)putchar('\n');
	} else {
		say_line(stderr, "%s: %s%s", c->program, users_prefix(c, who),
		    c->err.text);
	}
}

int
main(int argc, char **argv)
{
	struct context c = { .places = PLACES_NONE,
		.program = "sess",
		.broker = -1,
		.key = keys_parse(DETACH_KEY) };
	const char *called = argc > 0 ? argv[0] : "";
	size_t i;
	int r;

	fill_standard_fds();
	called = strrchr(called, '/') == NULL ? called :
						strrchr(called, '/') + 1;
	for (i = 0; i < N_ELEMENTS(programs); i++)
		if (strcmp(called, programs[i].name) == 0)
			break;
	if (i < N_ELEMENTS(programs)) {
		c.program = programs[i].name;
		r = programs[i].run(&c, argc, argv);
	} else {
		r = run(&c, argc, argv);
	}

	places_close(&c.places);
	if (r < 0) {
		(void)fflush(stdout);
		complain(&c,
		    i < N_ELEMENTS(programs) && programs[i].says_on_stdout);
		r = c.exit_status != 0 ? c.exit_status : 1;
	}
	if (fflush(stdout) != 0 && r == 0) {
		say_line(stderr, "%s: cannot write: %s", c.program,
		    strerror(errno));
		r = 1;
	}
	return r;
}
