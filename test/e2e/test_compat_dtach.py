"""Called as dtach, sess takes dtach's command lines and answers as it does.
ANSWERS was written down from Debian's dtach 0.9; where that is installed it
is asked again."""

import os
import shutil
import signal

import pytest

import harness

HELP = "Try 'dtach --help' for more information."

# Command line: status and first line. `sleeper` runs, `file` is a file.
ANSWERS = [
    ("", 1, "dtach: No mode was specified."),
    ("word", 1, "dtach: No mode was specified."),
    ("-h", 1, "dtach: Invalid mode '-h'"),
    ("-E", 1, "dtach: Invalid mode '-E'"),
    ("-e ^A -a x", 1, "dtach: Invalid mode '-e'"),
    ("--foo", 1, "dtach: Invalid mode '--'"),
    ("-a", 1, "dtach: No socket was specified."),
    ("-A", 1, "dtach: No socket was specified."),
    ("-c", 1, "dtach: No socket was specified."),
    ("-n", 1, "dtach: No socket was specified."),
    ("-N", 1, "dtach: No socket was specified."),
    ("-p", 1, "dtach: No socket was specified."),
    ("-c x", 1, "dtach: No command was specified."),
    ("-n x", 1, "dtach: No command was specified."),
    ("-N x", 1, "dtach: No command was specified."),
    ("-A x -z", 1, "dtach: No command was specified."),
    ("-p x y", 1, "dtach: Invalid number of arguments."),
    ("-p x -z", 1, "dtach: Invalid number of arguments."),
    ("-n x -e", 1, "dtach: No escape character specified."),
    ("-a x -Ee", 1, "dtach: No escape character specified."),
    ("-n x -r", 1, "dtach: No redraw method specified."),
    ("-a x -r none -r", 1, "dtach: No redraw method specified."),
    ("-n x -r true", 1, "dtach: Invalid redraw method specified."),
    ("-n x -ra true", 1, "dtach: Invalid redraw method specified."),
    ("-n x -x true", 1, "dtach: Invalid option '-x'"),
    ("-n x -zq true", 1, "dtach: Invalid option '-q'"),
    ("-a x -?", 1, "dtach: Invalid option '-?'"),
    ("-a x", 1, "dtach: Attaching to a session requires a terminal."),
    ("-aE x", 1, "dtach: Attaching to a session requires a terminal."),
    ("-a -E x", 1, "dtach: Attaching to a session requires a terminal."),
    ("-a x -Ez", 1, "dtach: Attaching to a session requires a terminal."),
    ("-A x true", 1, "dtach: Attaching to a session requires a terminal."),
    ("-c x true", 1, "dtach: Attaching to a session requires a terminal."),
    ("-c sleeper true", 1, "dtach: Attaching to a session requires a terminal."),
    ("-p x", 1, "dtach: x: No such file or directory"),
    ("-p file", 1, "dtach: file: Socket operation on non-socket"),
    ("-p /nodir/x", 1, "dtach: /nodir/x: No such file or directory"),
    ("-n /nodir/x true", 1, "dtach: /nodir/x: No such file or directory"),
    ("-n file/x true", 1, "dtach: file/x: Not a directory"),
    ("-n file true", 1, "dtach: file: Address already in use"),
    ("-n . true", 1, "dtach: .: Address already in use"),
    ("-n / true", 1, "dtach: /: Address already in use"),
    ("-n sleeper true", 1, "dtach: sleeper: Address already in use"),
    ("-N sleeper true", 1, "dtach: sleeper: Address already in use"),
    ("-n x no-such-command", 1,
     "dtach: could not execute no-such-command: No such file or directory"),
    ("-n x /etc/passwd", 1,
     "dtach: could not execute /etc/passwd: Permission denied"),
    ("-n y true", 0, ""),
    ("-n y1 -z -E -r none -e ^X true", 0, ""),
    ("-n y2 -e ab -r winch true", 0, ""),
    ("-n y3 -e ^? -r ctrl_l true", 0, ""),
    ("-N y4 true", 1, ""),
    ("-N y5 false", 1, ""),
    ("-p sleeper", 0, ""),
]


@pytest.fixture
def dtach(sess):
    """The path of a link to sess by that name."""
    path = sess.work / "bin" / "dtach"
    path.parent.mkdir()
    path.symlink_to(sess.binary)
    return path


def answers(sess, program, where):
    where.mkdir()
    sess.user.own(where)
    (where / "file").touch()
    sess.user.own(where / "file")
    env = {"PATH": f"{program.parent}:{sess.env['PATH']}"}
    shell = ["sh", "-c"]
    try:
        r = sess.command(
            [*shell, "dtach -n sleeper sleep 1000"], env=env, cwd=where
        )
        assert r.status == 0, r
        for line, status, first in ANSWERS:
            r = sess.command([*shell, f"dtach {line}"], env=env, cwd=where)
            text = (r.out + r.err).replace("\r", "").split("\n")
            assert (r.status, text[0]) == (status, first), (line, r)
            if text[0] and "Try" in r.out:
                assert text[1] == HELP, (line, r)
    finally:
        for p in sess.processes():
            if harness.command(p) == "sleep 1000":
                os.kill(p, signal.SIGKILL)


def test_command_lines_are_answered_as_by_dtach(sess, dtach):
    answers(sess, dtach, sess.work / "ours")
    assert "sleeper" in sess.ok()


def test_dtach_itself_answers_so(sess):
    real = shutil.which("dtach")
    if real is None or "sess" in os.path.realpath(real):
        pytest.skip("dtach is not installed: what it answers was noted down")
    bin_dir = sess.work / "real"
    bin_dir.mkdir()
    (bin_dir / "dtach").symlink_to(real)
    answers(sess, bin_dir / "dtach", sess.work / "theirs")


def test_help_and_version(sess, dtach):
    for word in ("--help", "-?"):
        r = sess.command([dtach, word])
        assert r.status == 0 and "version 0.9" in r.out and "ctrl_l" in r.out
    r = sess.command([dtach, "--version", "x"])
    assert r.status == 0 and r.out.startswith(f"{dtach} - version 0.9")


def test_create_detach_attach_end(sess, dtach):
    sock = sess.work / "sock"
    t = sess.program([dtach, "-c", "sock", "bash", "--norc"], env={"PS1": "> "})
    t.wait(">")
    t.line("echo $((6*7))")
    t.wait("42")
    assert sock.is_socket()
    t.detach()
    assert "[detached]" in t.text
    t = sess.program([dtach, "-a", sock, "-e", "^T"])
    t.wait("42")
    t.detach(b"\x14")
    t = sess.program([dtach, "-A", "../w/sock", "-E", "false"])
    t.wait("42")
    t.send(b"exit 5\r")
    assert t.wait_exit() == 0
    assert "[EOF - dtach terminating]" in t.text
    harness.wait_until(lambda: not os.path.lexists(sock))
    t = sess.program([dtach, "-a", sock])
    assert t.wait_exit() == 1
    assert f"{sock}: No such file or direc" in t.text


def test_what_is_no_socket_is_left_alone(sess, dtach):
    for name in ("file", "link"):
        (sess.work / name).touch() if name == "file" else (
            sess.work / name
        ).symlink_to("file")
        for mode in ("-a", "-A"):
            t = sess.program([dtach, mode, name, "true"])
            assert t.wait_exit() == 1 and "non-socket" in t.text
        t = sess.program([dtach, "-c", name, "true"])
        assert t.wait_exit() == 1 and "already in use" in t.text
    assert sorted(os.listdir(sess.work)) == ["bin", "file", "link"]


def test_a_dead_servers_socket_is_taken_over(sess, dtach):
    assert sess.command([dtach, "-n", "sock", "cat"]).status == 0
    name = sess.ok().splitlines()[1].split()[0]
    os.kill(harness.parent(sess.pid(name)), signal.SIGKILL)
    assert os.path.lexists(sess.work / "sock")

    def again():
        return sess.command([dtach, "-n", "sock", "cat"]).status == 0

    harness.wait_until(again)
    assert (sess.work / "sock").is_socket()


def test_the_suspend_key(sess, dtach):
    t = sess.program([dtach, "-c", "s", "cat"])
    t.line("one")
    t.wait("one\none")
    t.send(b"\x1a")
    harness.wait_until(lambda: harness.state(t.pid) == "T")
    assert t.modes() == t.modes_before
    os.kill(t.pid, signal.SIGCONT)
    t.line("two")
    t.wait("two\ntwo")
    t.detach()
    t = sess.program([dtach, "-a", "s", "-z"])
    t.wait("two\ntwo")
    t.send(b"\x1a")  # the program's
    t.wait("^Z")
    assert harness.state(t.pid) != "T"


def test_push_and_redraw(sess, dtach):
    t = sess.program(
        [dtach, "-c", "s", "sh", "-c",
         "trap 'echo resized' WINCH; stty raw -echo -isig; echo up; "
         "while :; do dd bs=1 count=1 2>/dev/null | od -An -c; done"]
    )
    t.wait("up")
    r = sess.command([dtach, "-p", "s"], input=b"x")
    assert r.status == 0, r
    t.wait("   x")
    t.detach()
    t = sess.program([dtach, "-a", "s", "-r", "ctrl_l"])
    t.wait("\\f")
    t.detach()
    t = sess.program([dtach, "-a", "s", "-r", "winch"])
    t.send(b"y")
    t.wait("resized")


def test_in_the_foreground(sess, dtach):
    t = sess.program([dtach, "-N", "s", "cat"])
    harness.wait_until(lambda: (sess.work / "s").is_socket())
    os.kill(t.pid, signal.SIGTERM)
    assert t.wait_exit() == 1
    assert not os.path.lexists(sess.work / "s")
    assert "cat" not in [harness.command(p) for p in sess.processes()]


def test_dtachs_session_is_saved_and_revived(sess, dtach):
    assert sess.command([dtach, "-n", "s", "cat"]).status == 0
    name = sess.ok().splitlines()[1].split()[0]
    sess.ok("-save", "-stop", name)
    assert not os.path.lexists(sess.work / "s")
    t = sess.program([dtach, "-A", "s", "false"])
    t.line("again")
    t.wait("again\nagain")
    assert (sess.work / "s").is_socket()
