"""Whatever a program does to the terminal, sess gives it back as it was."""

import os
import signal

import pytest

import harness
from outer import Outer

KITTY = (
    "import sys, termios, tty; tty.setraw(0); w = sys.stdout.write\n"
    "w('\\x1b[>1u\\x1b[?1049h\\x1b[>31u\\x1b[=5;2u\\x1b[22;2t\\x1b]2;kitty\\x07')\n"
    "w('\\x1b[?2026h\\x1b[?1003;1016;2004;2031;2048;1004h\\x1b[?25l\\x1b[2 q')\n"
    "w('\\x1b]11;#102030\\x07\\x1b]4;1;red\\x07\\x1b]8;;http://x\\x07')\n"
    "w('\\x1b[?69h\\x1b[3;70s\\x1b[2;9r\\x1b[?6h\\x1b[4h\\x1b[?7l')\n"
    "w('\\x1b[>4;2m\\x1b=\\x1b[?1h\\x1b[1;31mkitty is ready\\x1b)0\\x0e')\n"
    "sys.stdout.flush(); sys.stdin.read(1)\n"
)

PROGRAMS = {
    "vim": ["vim", "-u", "NONE", "-N", "-n", "-i", "NONE", "-c",
            "set mouse=a ttymouse=sgr title t_BE=[?2004h", "text"],
    "dvtm": ["dvtm"],
    "htop": ["htop"],
    "kitty": ["/usr/bin/python3", "-c", KITTY],
}  # fmt: skip
SHOWN = {
    "vim": "some text",
    "dvtm": "ready>",
    "htop": "Swp[",
    "kitty": "kitty is ready",
}
MOUSE = {"vim": 1002, "dvtm": 1000, "htop": 1000, "kitty": 1003}


def begin(sess, work_dir, program):
    (work_dir / "text").write_text("some text\n")
    t = sess.terminal("-c", "o", *PROGRAMS[program], env={"PS1": "ready> ", "SHELL": "/bin/sh"})
    t.wait(lambda t: SHOWN[program] in t.text)
    if program == "vim":  # has had the terminal's answers when it takes keys
        t.send(":echo 'set'.'tled'\r")
        t.wait("settled")
    return t


def modes_of(t):
    return Outer().feed(t.raw).state()


def check(t):
    def as_it_was():
        t.pump(0.02)
        return modes_of(t) == Outer().state()

    harness.wait_until(
        as_it_was, 15, lambda: f"{modes_of(t)}\n{t.raw[-500:]!r}", 0
    )
    harness.wait_until(lambda: t.modes() == t.modes_before)


@pytest.fixture(params=PROGRAMS)
def program(request):
    return request.param


def test_after_detach_and_after_another_attach(sess, work_dir, program):
    t = begin(sess, work_dir, program)
    assert MOUSE[program] in modes_of(t)["modes"]
    during = modes_of(t)
    t.detach()
    check(t)
    t = sess.terminal("-a", "o")
    t.wait(lambda t: SHOWN[program] in t.text)
    harness.wait_until(lambda: t.pump(0.02) or MOUSE[program] in modes_of(t)["modes"])
    for key in ("screen", "kitty", "modify", "keypad", "style", "margins"):
        assert modes_of(t)[key] == during[key], key
    # What is to end in a moment is not begun again.
    assert set(during["modes"]) - {2026} == set(modes_of(t)["modes"])
    t.detach()
    check(t)


def test_after_the_client_was_killed(sess, work_dir, program):
    t = begin(sess, work_dir, program)
    os.kill(t.pid, signal.SIGKILL)
    t.wait_exit()
    check(t)


def test_after_the_server_was_killed(sess, work_dir, program):
    t = begin(sess, work_dir, program)
    os.kill(harness.parent(sess.pid("o")), signal.SIGKILL)
    assert t.wait_exit() == 1
    check(t)


def test_after_both_sides_of_an_attach_ended_in_a_sequence(sess, work_dir):
    """Killed with the stream in the middle of a string: CAN ends it."""
    (work_dir / "half").write_bytes(b"\x1b[?2004hgo\x1b]2;never ended")
    t = sess.terminal("-c", "h", "sh", "-c", "echo go; read x; cat half; exec cat")
    t.wait("go")
    t.line("")
    t.wait_raw(b"never ended")
    os.kill(t.pid, signal.SIGKILL)
    t.wait_exit()
    t.wait_raw(b"never ended\x18")
    t.wait_raw(b"\x1b[?2004l")


def test_synchronized_output_that_is_left_on_ends_with_the_attachment(sess, work_dir):
    (work_dir / "on").write_bytes(b"\x1b[?2026hfrozen")
    t = sess.terminal("-c", "y", "sh", "-c", "echo go; read x; cat on; exec cat")
    t.wait("go")
    t.line("")
    t.wait_raw(b"frozen")
    t.detach()
    assert t.raw.rindex(b"\x1b[?2026l") > t.raw.rindex(b"\x1b[?2026h")
    t = sess.terminal("-a", "y")
    t.wait("frozen")
    t.detach()
    assert b"\x1b[?2026h" not in t.raw


@pytest.mark.parametrize("term", ["xterm-256color", "screen"])
def test_what_the_program_pushed_is_popped_once(sess, work_dir, term):
    """A second pop takes the keyboard modes and the title of what is outside."""
    (work_dir / "push").write_bytes(b"\x1b[>1u\x1b[22;2t\x1b[?2004h\x1b[5 qpushed")
    t = sess.terminal(
        "-c", "p", "sh", "-c", "echo go; read x; cat push; exec cat", env={"TERM": term}
    )
    t.wait("go")
    t.line("")
    t.wait("pushed")
    t.detach()
    assert t.raw.count(b"\x1b[<1u") == 1
    assert t.raw.count(b"\x1b[23;2t") == 1
    assert b"\x1b[?2004l" in t.raw and b"\x1b[0 q" in t.raw
