"""Rounds of save, end, revive and attach, as the tests of saving make them."""

import termios

import harness


def all_gone(sess):
    harness.wait_until(
        lambda: not sess.processes(),
        what=lambda: [
            (p, harness.state(p), harness.command(p))
            for p in sess.processes()
        ],
    )


def revive_anew(sess, name):
    """Saved with -stop, all processes gone, revived."""
    sess.ok("-save", "-stop", name)
    all_gone(sess)
    sess.ok("-revive", name)


def attach(sess, *args, **how):
    """`sess ARGS` on a terminal, once the client has taken it over: keys are
    no longer the terminal's own."""
    t = sess.terminal(*args, **how)
    t.wait(
        lambda t: not t.modes()[3] & termios.ICANON
        or t.proc.poll() is not None
    )
    return t


def running(sess, command):
    """Processes of the session whose command line begins with COMMAND."""
    return [
        p for p in sess.processes() if harness.command(p).startswith(command)
    ]


def wait_for_process(sess, command):
    return harness.wait_until(
        lambda: running(sess, command), what=f"no process '{command}'"
    )[0]


def wait_for_end(sess, command):
    harness.wait_until(
        lambda: not running(sess, command), what=f"'{command}' runs on"
    )


def three_rounds(sess, name, terminal, look):
    """Three times over: detach, save, end, revive, attach; after each
    LOOK(terminal, round) tells whether the program is right. Returns the
    terminal that is attached in the end."""
    for n in range(3):
        terminal.detach()
        revive_anew(sess, name)
        terminal = attach(sess, "-a", name)
        look(terminal, n)
    return terminal


def stopped_processes(sess):
    """Processes of the session that stand still: there must be none."""
    return [
        (p, harness.state(p), harness.command(p))
        for p in sess.processes()
        if harness.state(p) in ("t", "T")
    ]
