/*
 * test_tty_queue.c - what waits in a terminal is taken and put back as it
 * was: the same reads, nothing echoed, no signal raised, settings untouched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/files/tty_queue.h"

struct pair {
	int master, slave;
	struct termios modes;
};

static void
set_modes(struct pair *p)
{
	assert_int_equal(tcsetattr(p->slave, TCSANOW, &p->modes), 0);
}

static void
open_pair(struct pair *p)
{
	assert_int_equal(openpty(&p->master, &p->slave, NULL, NULL, NULL), 0);
	assert_int_equal(fcntl(p->master, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(p->slave, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(tcgetattr(p->slave, &p->modes), 0);
}

static void
close_pair(struct pair *p)
{
	(void)close(p->slave);
	(void)close(p->master);
}

static bool
readable(int fd, int ms)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	return poll(&f, 1, ms) > 0 && (f.revents & POLLIN);
}

/* Type, and wait until the line discipline has it (it is echoed). */
static void
type(struct pair *p, const char *text, size_t len)
{
	char echo[8192];
	size_t want = 0, have = 0;

	for (size_t done = 0; done < len;) {
		ssize_t n = write(p->master, text + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
	}
	if (!(p->modes.c_lflag & ECHO)) {
		(void)readable(p->slave, 0);
		(void)usleep(2000);
		return;
	}
	for (size_t i = 0; i < len; i++)
		want += text[i] != 4 && text[i] != 22; /* ^D, ^V */
	while (have < want) {
		ssize_t n;

		assert_true(readable(p->master, 2000));
		n = read(p->master, echo, sizeof echo);
		assert_true(n > 0);
		have += (size_t)n;
	}
}

/* There and back once; everything else must be as before. */
static void
carry(struct pair *p)
{
	struct tty_input in = TTY_INPUT_NONE;
	struct termios before = { 0 }, after = { 0 };
	struct err e = { "" };
	char c;

	assert_int_equal(tcgetattr(p->slave, &before), 0);
	assert_int_equal(tty_drain_input(p->master, p->slave, &in, &e), 0);
	assert_false(readable(p->slave, 0));
	assert_int_equal(tty_put_input(p->master, p->slave, &in, &e), 0);
	tty_input_done(&in);
	assert_int_equal(tcgetattr(p->slave, &after), 0);
	assert_memory_equal(&before, &after, sizeof before);
	assert_int_equal(read(p->master, &c, 1), -1); /* nothing echoed */
	assert_int_equal(errno, EAGAIN);
}

static void
expect_read(struct pair *p, const char *want, size_t len)
{
	char buf[8192];
	ssize_t n;

	assert_true(readable(p->slave, 2000));
	n = read(p->slave, buf, sizeof buf);
	assert_int_equal(n, len);
	assert_memory_equal(buf, want, len);
}

#define TYPE(p, s) type(p, s, sizeof(s) - 1)
#define EXPECT_READ(p, s) expect_read(p, s, sizeof(s) - 1)

static void
lines_stay_lines_and_an_unfinished_one_can_be_edited(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		struct pair p;

		open_pair(&p);
		TYPE(&p, "one\ntwo\nthrex");
		for (int k = 0; k < 5; k++)
			carry(&p);
		assert_int_equal(write(p.master, "\177e\n", 3), 3);
		EXPECT_READ(&p, "one\n");
		EXPECT_READ(&p, "two\n");
		EXPECT_READ(&p, "three\n");
		close_pair(&p);
	}
}

static void
an_end_of_file_is_still_one(void **state)
{
	struct pair p;
	char c;

	(void)state;
	open_pair(&p);
	TYPE(&p, "half\004");
	TYPE(&p, "line\n\004next");
	carry(&p);
	EXPECT_READ(&p, "half");
	EXPECT_READ(&p, "line\n");
	assert_true(readable(p.slave, 2000));
	assert_int_equal(read(p.slave, &c, 1), 0);
	assert_int_equal(write(p.master, "\n", 1), 1);
	EXPECT_READ(&p, "next\n");
	close_pair(&p);
}

static void
special_bytes_that_were_quoted_stay_bytes(void **state)
{
	static const char all[] = "a\003b\004c\021d\023e\032f\177g\001\n";
	struct pair p;
	char quoted[2 * sizeof all];
	size_t n = 0;

	(void)state;
	open_pair(&p);
	p.modes.c_lflag &= ~(tcflag_t)ECHOCTL;
	set_modes(&p);
	for (size_t i = 0; i < sizeof all - 1; i++) {
		if (all[i] < ' ' && all[i] != '\n')
			quoted[n++] = 22;
		else if (all[i] == 127)
			quoted[n++] = 22;
		quoted[n++] = all[i];
	}
	p.modes.c_lflag &= ~(tcflag_t)ECHO;
	set_modes(&p);
	type(&p, quoted, n);
	assert_true(readable(p.slave, 2000));
	carry(&p);
	EXPECT_READ(&p, all);
	close_pair(&p);
}

static void
raw_input_is_one_run_of_bytes(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	cfmakeraw(&p.modes);
	p.modes.c_cc[VMIN] = 3;
	set_modes(&p);
	TYPE(&p, "\0\003\004\032");
	carry(&p);
	EXPECT_READ(&p, "\0\003\004\032");
	TYPE(&p, "x"); /* fewer than VMIN */
	carry(&p);
	TYPE(&p, "yz");
	EXPECT_READ(&p, "xyz");
	close_pair(&p);
}

static void
what_a_change_of_mode_pushed_stays_in_one_read(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	p.modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	set_modes(&p);
	TYPE(&p, "line1\nline2\npart");
	p.modes.c_lflag |= ICANON;
	set_modes(&p);
	TYPE(&p, "more\nrest");
	carry(&p);
	EXPECT_READ(&p, "line1\nline2\npart");
	EXPECT_READ(&p, "more\n");
	assert_int_equal(write(p.master, "\n", 1), 1);
	EXPECT_READ(&p, "rest\n");
	close_pair(&p);
}

static void
a_terminal_without_input_is_not_touched(void **state)
{
	struct pair p;
	int on = 1;
	char status;

	(void)state;
	open_pair(&p);
	assert_int_equal(ioctl(p.master, TIOCPKT, &on), 0);
	carry(&p);
	p.modes.c_lflag &= ~(tcflag_t)ICANON;
	set_modes(&p);
	carry(&p);
	assert_int_equal(ioctl(p.master, TIOCGPKT, &on), 0);
	assert_int_equal(on, 1);
	assert_int_equal(tcflush(p.slave, TCIFLUSH), 0);
	assert_int_equal(read(p.master, &status, 1), 1);
	assert_true(status & TIOCPKT_FLUSHREAD);
	close_pair(&p);
}

static void
packet_mode_tells_nothing_of_it(void **state)
{
	struct pair p;
	int on = 1;

	(void)state;
	open_pair(&p);
	p.modes.c_lflag &= ~(tcflag_t)ECHO;
	set_modes(&p);
	assert_int_equal(ioctl(p.master, TIOCPKT, &on), 0);
	TYPE(&p, "one\ntwo");
	carry(&p); /* reads nothing from the master */
	EXPECT_READ(&p, "one\n");
	close_pair(&p);
}

static void
a_stopped_terminal_stays_stopped(void **state)
{
	struct pair p;
	char c;

	(void)state;
	open_pair(&p);
	p.modes.c_lflag &= ~(tcflag_t)ECHO;
	set_modes(&p);
	TYPE(&p, "one\ntw\023");
	carry(&p);
	assert_int_equal(write(p.slave, "x", 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(p.master, "\021o\n", 3), 3);
	EXPECT_READ(&p, "one\n");
	EXPECT_READ(&p, "two\n");
	assert_int_equal(write(p.slave, "x", 1), 1);
	assert_true(readable(p.master, 2000));
	assert_int_equal(read(p.master, &c, 1), 1);
	close_pair(&p);
}

static void
a_full_line_comes_back(void **state)
{
	struct pair p;
	char text[4095];

	(void)state;
	memset(text, 'x', sizeof text);
	text[4094] = '\n';
	open_pair(&p);
	p.modes.c_lflag &= ~(tcflag_t)ECHO;
	set_modes(&p);
	type(&p, text, sizeof text);
	carry(&p);
	expect_read(&p, text, sizeof text);
	close_pair(&p);
}

static void
a_long_line_and_a_full_queue_come_back(void **state)
{
	struct pair p;
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof text);
	open_pair(&p);
	p.modes.c_lflag &= ~(tcflag_t)ECHO;
	set_modes(&p);
	text[4000] = '\n';
	type(&p, text, 4001);
	for (int i = 0; i < 2; i++) /* behind what the discipline takes */
		type(&p, text, 4001);
	carry(&p);
	for (int i = 0; i < 3; i++)
		expect_read(&p, text, 4001);
	close_pair(&p);
}

/* ---- output ---- */

static void
carry_output(struct pair *p, const char *want)
{
	struct buf out = BUF_INIT(TTY_QUEUE_MAX);
	struct termios before = { 0 }, after = { 0 };
	struct err e = { "" };

	assert_int_equal(tcgetattr(p->slave, &before), 0);
	assert_int_equal(tty_drain_output(p->master, p->slave, &out, &e), 0);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.data, want, out.len);
	assert_int_equal(tty_put_output(p->master, p->slave, &out, &e), 0);
	buf_done(&out);
	assert_int_equal(tcgetattr(p->slave, &after), 0);
	assert_memory_equal(&before, &after, sizeof before);
}

static void
expect_output(struct pair *p, const char *want, size_t len)
{
	char buf[256];
	size_t have = 0;

	while (have < len) {
		ssize_t n;

		assert_true(readable(p->master, 2000));
		n = read(p->master, buf + have, sizeof buf - have);
		assert_true(n > 0);
		have += (size_t)n;
	}
	assert_int_equal(have, len);
	assert_memory_equal(buf, want, len);
}

static void
unread_output_is_not_translated_twice(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	assert_int_equal(write(p.slave, "a\nb\n", 4), 4);
	for (int i = 0; i < 10; i++)
		carry_output(&p, "a\r\nb\r\n");
	expect_output(&p, "a\r\nb\r\n", 6);
	close_pair(&p);
}

static void
output_of_a_stopped_terminal_stays_unread(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	assert_int_equal(write(p.slave, "seen", 4), 4);
	assert_int_equal(tcflow(p.slave, TCOOFF), 0);
	carry_output(&p, "seen");
	assert_int_equal(write(p.slave, "x", 1), -1);
	assert_int_equal(errno, EAGAIN); /* still stopped */
	assert_int_equal(tcflow(p.slave, TCOON), 0);
	expect_output(&p, "seen", 4);
	close_pair(&p);
}

static void
output_keeps_packet_mode(void **state)
{
	struct pair p;
	int on = 1;

	(void)state;
	open_pair(&p);
	assert_int_equal(ioctl(p.master, TIOCPKT, &on), 0);
	assert_int_equal(write(p.slave, "packed", 6), 6);
	carry_output(&p, "packed");
	assert_int_equal(ioctl(p.master, TIOCGPKT, &on), 0);
	assert_int_equal(on, 1);
	expect_output(&p, "\0packed", 7);
	close_pair(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lines_stay_lines_and_an_unfinished_one_can_be_edited),
		cmocka_unit_test(an_end_of_file_is_still_one),
		cmocka_unit_test(special_bytes_that_were_quoted_stay_bytes),
		cmocka_unit_test(raw_input_is_one_run_of_bytes),
		cmocka_unit_test(
		    what_a_change_of_mode_pushed_stays_in_one_read),
		cmocka_unit_test(a_terminal_without_input_is_not_touched),
		cmocka_unit_test(packet_mode_tells_nothing_of_it),
		cmocka_unit_test(a_stopped_terminal_stays_stopped),
		cmocka_unit_test(a_full_line_comes_back),
		cmocka_unit_test(a_long_line_and_a_full_queue_come_back),
		cmocka_unit_test(unread_output_is_not_translated_twice),
		cmocka_unit_test(output_of_a_stopped_terminal_stays_unread),
		cmocka_unit_test(output_keeps_packet_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
