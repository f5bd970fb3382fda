"""Nobody waits for a terminal that is stuck, and nothing is lost by it."""

import hashlib
import os
import select
import signal
import subprocess
import sys
import termios

import pytest

import harness

LINES = 400000  # 2.7 MB: many times what may wait for a terminal
MANY_LINES = 2650000  # 20 MB
END = b"that was all"


def numbers(n_lines):
    return b"".join(b"%d\n" % n for n in range(n_lines))


def flood(n_lines):
    """Raw, so that what comes is what was written; ready when it says so."""
    return (
        "stty raw -echo; echo go; head -c 1 >typed; "
        f"seq 0 {n_lines - 1}; printf '\\r%s\\n' '{END.decode()}'; exec cat"
    )


NUMBERS = numbers(LINES)
FLOOD = flood(LINES)


def drain(terminals):
    """Read them in turn until each has END; what each one got."""
    got = {t: bytearray() for t in terminals}

    def step():
        for t in terminals:
            if END not in got[t][-200:]:
                try:
                    got[t] += os.read(t.master, 65536)
                except BlockingIOError:
                    pass
        return all(END in got[t][-200:] for t in terminals)

    harness.wait_until(
        step, 60, lambda: [(len(b), bytes(b[-80:])) for b in got.values()], 0
    )
    return got


class Stop:
    """The outer terminal is stopped, as by ^S."""

    def begin(self, t):
        termios.tcflow(t._slave, termios.TCOOFF)

    def end(self, t):
        termios.tcflow(t._slave, termios.TCOON)


class Unread:
    """Nobody reads the outer terminal's pty: a dead network."""

    def begin(self, t):
        pass

    def end(self, t):
        pass


class Signal:
    """The client is stopped."""

    def __init__(self, sig):
        self.sig = sig

    def begin(self, t):
        os.kill(t.pid, self.sig)

        def stopped():
            t.pump()
            return harness.state(t.pid) == "T"

        harness.wait_until(stopped)

    def end(self, t):
        os.kill(t.pid, signal.SIGCONT)


EXCLUSIVE = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCEXCL)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


def attach(sess, relayed):
    argv = [sess.binary, "-a", "f"]
    if relayed:
        argv = [sys.executable, "-c", EXCLUSIVE, *argv]
    return sess.program(argv)


KINDS = {
    "stopped": (Stop(), False),
    "unread": (Unread(), False),
    "SIGSTOP": (Signal(signal.SIGSTOP), False),
    "SIGTSTP": (Signal(signal.SIGTSTP), False),
    "relay-stopped": (Stop(), True),
    "relay-unread": (Unread(), True),
    "relay-SIGSTOP": (Signal(signal.SIGSTOP), True),
}


def beside_a_stuck_one(sess, kind, n_lines):
    """All of it comes to two, in order, while the third takes nothing."""
    how, relayed = KINDS[kind]
    a = sess.terminal("-c", "f", "sh", "-c", flood(n_lines))
    a.wait("go")
    b = attach(sess, False)
    b.wait("go")
    stuck = attach(sess, relayed)
    stuck.wait("go")
    how.begin(stuck)
    a.send("x")
    got = drain([a, b])
    wanted = numbers(n_lines) + b"\r" + END
    for t in (a, b):
        assert (wanted in got[t]) is True, len(got[t])  # not megabytes in words
    how.end(stuck)
    stuck.wait(END.decode(), 30)
    stuck.send("\r\nstill here")
    stuck.wait("still here")


@pytest.mark.parametrize("kind", KINDS)
def test_two_terminals_beside_a_stuck_one(sess, kind):
    beside_a_stuck_one(sess, kind, LINES)


@pytest.mark.one_user
def test_twenty_megabytes_beside_a_stuck_one(sess):
    beside_a_stuck_one(sess, "unread", MANY_LINES)


def test_a_pipe_that_is_not_read(sess):
    a = sess.terminal("-c", "f", "sh", "-c", FLOOD)
    a.wait("go")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    p = sess.begin("-a", "f", **pipes)
    assert select.select([p.stdout], [], [], 15 * harness.PATIENCE)[0]
    a.send("x")
    assert NUMBERS in bytes(drain([a])[a])
    text = b""
    while END not in text:
        data = os.read(p.stdout.fileno(), 65536)
        assert data, text[-100:]
        text += data
    p.stdin.close()
    sess.ok("-k", "f")
    p.stdout.close()
    p.wait(15)


def test_a_lone_terminal_that_is_stuck_holds_the_program_up_but_not_for_ever(
    sess, work_dir
):
    t = sess.terminal("-c", "f", "sh", "-c", FLOOD.replace("exec cat", "touch done; cat"))
    t.wait("go")
    t.send("x")
    harness.wait_until((work_dir / "done").exists, 60)
    t.wait(END.decode())


def test_a_lone_terminal_that_is_slow_gets_every_byte(sess):
    t = sess.terminal("-c", "f", "sh", "-c", FLOOD)
    t.wait("go")
    t.send("x")
    got = bytearray()
    while END not in got[-5000:]:
        assert select.select([t.master], [], [], 15 * harness.PATIENCE)[0]
        got += os.read(t.master, 1000)  # a small window
    assert NUMBERS in bytes(got)


def test_what_is_typed_to_a_program_that_does_not_read(sess, work_dir):
    data = b"".join(b"%d\r" % n for n in range(1200000))[:8000000]
    t = sess.terminal(
        "-E", "-c", "in", "sh", "-c",
        "stty raw -echo; echo go; while [ ! -e on ]; do sleep 0.1; done; "
        f"head -c {len(data)} | md5sum >sum.new; mv sum.new sum; cat",
    )  # fmt: skip
    t.wait("go")
    sent = 0

    def send_more():
        nonlocal sent
        try:
            sent += os.write(t.master, data[sent : sent + 65536])
        except BlockingIOError:
            pass
        return sent

    # As much as is taken for it to wait; the server does all else meanwhile.
    harness.wait_until(lambda: send_more() > 1000000, 30, every=0)
    other = sess.terminal("-a", "in")
    other.wait("go")
    assert "attached" in sess.ok()
    assert "go" in sess.ok("-history", "in")
    (work_dir / "on").touch()
    harness.wait_until(lambda: send_more() == len(data), 60, every=0)
    harness.wait_until((work_dir / "sum").exists, 30)
    want = hashlib.md5(data).hexdigest()
    assert (work_dir / "sum").read_text().split()[0] == want


PICTURES = (
    "import os, tty\n"
    "tty.setraw(0); os.write(1, b'go'); os.read(0, 1)\n"
    "data = open('pictures', 'rb').read(); n = 0; size = 1\n"
    "while n < len(data):\n"
    "    n += os.write(1, data[n : n + size]); size = size * 7 % 9973 + 1\n"
    "os.read(0, 1)\n"
)


def test_pictures_pass_untouched(sess, work_dir):
    """Long strings in torn writes, to a terminal that was there before."""
    body = b"".join(b"%d~-" % n for n in range(180000))[:1000000]
    pictures = (
        b"\x1bPq\"1;1;100;100#0;2;0;0;0" + body + b"\x1b\\"
        + b"\x1b_Ga=T,f=100;" + body + b"\x1b\\"
        + b"\x1b]1337;File=inline=1:" + body + b"\x07"
        + END
    )  # fmt: skip
    (work_dir / "pictures").write_bytes(pictures)
    t = sess.terminal("-c", "p", sys.executable, "-c", PICTURES)
    t.wait("go")
    t.send("x")
    assert pictures in bytes(drain([t])[t])
    # One that comes later is painted without them, and lives on.
    later = sess.terminal("-a", "p")
    later.wait(END.decode())
    assert body[:1000] not in later.raw
