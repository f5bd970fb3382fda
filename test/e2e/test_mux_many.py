"""Several terminals at one session, and sessions inside sessions."""

import json
import os
import signal
import sys
import time

import harness


def size_of(sess, name):
    line = [x for x in sess.ok().splitlines() if x.split()[0] == name][0]
    return [w for w in line.split() if w.count("x") == 1 and
            w.replace("x", "").isdigit()][0]


def test_two_terminals_see_the_same(sess):
    a = sess.terminal("-c", "both", "bash", "--norc")
    a.wait("bash-")
    b = sess.terminal("-a", "both")
    b.wait("bash-")
    a.line("echo from-$((1))-a")
    b.wait("from-1-a")
    b.line("echo from-$((2))-b")
    a.wait("from-2-b")
    a.detach()
    b.line("echo still-$((3))")
    b.wait("still-3")


def test_the_size_is_that_of_the_latest_active_terminal(sess):
    a = sess.terminal("-c", "size", "bash", "--norc", rows=24, cols=80)
    a.wait("bash-")
    b = sess.terminal("-a", "size", rows=40, cols=120)
    harness.wait_until(lambda: size_of(sess, "size") == "120x40")
    b.line("stty size")
    b.wait("40 120")
    # the other one is painted from the model, clipped
    a.wait("40 120")
    a.line("stty size")
    a.wait("24 80")
    b.wait("24 80")
    assert size_of(sess, "size") == "80x24"
    a.detach()
    harness.wait_until(lambda: size_of(sess, "size") == "120x40")
    b.resize(30, 100)
    os.kill(b.pid, signal.SIGWINCH)
    harness.wait_until(lambda: size_of(sess, "size") == "100x30")
    b.line("stty size")
    b.wait("30 100")


def test_the_program_hears_of_a_new_size(sess):
    t = sess.terminal(
        "-c", "winch", sys.executable, "-c",
        "import os, signal as s; s.pthread_sigmask(s.SIG_BLOCK, [s.SIGWINCH]);"
        "print('up', flush=True); s.sigwait([s.SIGWINCH]);"
        "os.system('stty size; cat')",
    )
    t.wait("up")
    t.resize(20, 70)
    os.kill(t.pid, signal.SIGWINCH)
    t.wait("20 70")


def test_a_smaller_terminal_follows_the_cursor(sess):
    big = sess.terminal("-c", "view", "sh", "-c", "seq 1 30; cat", rows=40)
    big.wait("30")
    small = sess.terminal("-a", "view", rows=10, cols=40)
    small.wait("30")
    big.line("typed in the big one")
    harness.wait_until(lambda: size_of(sess, "view") == "80x40")
    small.wait("typed in the big one")
    small.send("x")
    harness.wait_until(lambda: size_of(sess, "view") == "40x10")


def test_odd_sizes(sess):
    for n, (rows, cols) in enumerate(((1, 1), (2, 1000), (1000, 2), (1000, 1000))):
        t = sess.terminal("-c", f"odd{n}", "sh", "-c", "echo hello; cat",
                          rows=rows, cols=cols)
        t.wait_raw(b"\x1b[?25h", 30)
        assert size_of(sess, f"odd{n}") == f"{cols}x{rows}"
        t.detach()
        sess.ok("-k", f"odd{n}")


def flood(sess, name):
    """A program that floods, and says in a file how far it is."""
    sess.ok(
        "-n", name, "bash", "--norc", "-c",
        "echo ready; read x; while :; do echo {1..2000}; echo $((n++)) >n; done",
    )


def progress(sess):
    try:
        return int((sess.work / "n").read_text() or 0)
    except (FileNotFoundError, ValueError):
        return 0


def test_a_stuck_terminal_does_not_stall_the_others(sess):
    flood(sess, "fl")
    stuck, stopped, good = (sess.terminal("-a", "fl") for _ in range(3))
    for t in (stuck, stopped, good):
        t.wait("ready")
    stopped.send(b"")
    os.kill(stopped.pid, signal.SIGSTOP)
    good.line("go")
    # only one of the three is read
    n = progress(sess)
    end = time.monotonic() + 30
    while progress(sess) < n + 40 and time.monotonic() < end:
        good.pump(0.01)
    assert progress(sess) >= n + 40
    os.kill(stopped.pid, signal.SIGCONT)
    sess.ok("-k", "fl")
    for t in (stopped, good):
        assert t.wait_exit() > 128
    # And who was stuck sees the end when it looks again.
    assert stuck.wait_exit() > 128


def test_a_lone_stuck_terminal_stalls_the_program_for_a_bounded_time(sess):
    flood(sess, "fl")
    t = sess.terminal("-a", "fl")
    t.wait("ready")
    t.line("go")
    harness.wait_until(lambda: progress(sess) > 0)
    # Nobody reads: at first it is held up, then it goes on.
    n = progress(sess)
    harness.wait_until(lambda: progress(sess) > n + 200, 30)
    # Reading again, the terminal is painted anew and gets what comes.
    now = progress(sess)
    t.raw = b""
    harness.wait_until(
        lambda: t.pump(0.01) and progress(sess) > now + 5
        and b"\x1b[1;1H" in t.raw and b"\r\n" in t.raw,
        60,
        every=0,
    )
    t.detach()
    assert t.modes() == t.modes_before


def test_a_program_that_reads_nothing_blocks_nobody(sess):
    sess.ok("-n", "deaf", "sh", "-c", "stty raw -echo; echo up; exec sleep 1000")
    t = sess.terminal("-a", "deaf")
    t.wait("up")
    t.send(b"x" * 300000)
    assert "attached" in sess.ok()
    t.detach()


def test_an_idle_session_does_not_wake_up(sess):
    t = sess.terminal("-c", "idle", "cat")
    t.line("hello")
    t.wait("hello\nhello")
    t.detach()
    server = harness.parent(sess.pid("idle"))

    def switches():
        text = open(f"/proc/{server}/status").read()
        return sum(int(line.split()[1]) for line in text.splitlines()
                   if "ctxt_switches" in line)

    def quiet():
        n = switches()
        time.sleep(1)
        return switches() == n

    harness.wait_until(quiet, 10)
    n = switches()
    time.sleep(3)
    assert switches() == n


def test_a_session_made_inside_another_is_its_sibling(sess):
    t = sess.terminal("-c", "outer", "bash", "--norc")
    t.wait("bash-")
    t.line(f"FOO=in {sess.binary} -n inner bash --norc -c 'echo $FOO $PWD; cat'; echo st=$?")
    t.wait("st=0")
    outer = harness.parent(sess.pid("outer"))
    inner = harness.parent(sess.pid("inner"))
    assert inner not in harness.descendants(outer)
    assert outer not in harness.descendants(inner)
    sess.ok("-k", "outer")
    t = sess.terminal("-a", "inner")
    t.wait(f"in {sess.work}")


def test_c_inside_a_session(sess):
    t = sess.terminal("-c", "outer", "bash", "--norc")
    t.wait("bash-")
    t.line(f"{sess.binary} -c inner sh -c 'echo $SESS_SESSION; read x; exit 5'; echo st=$?")
    t.wait(lambda t: "inner" in t.lines)
    t.line("")
    t.wait("st=5")
    t.line(f"{sess.binary} -c bad no-such-command; echo st=$?")
    t.wait("command not found")
    t.wait("st=127")


def test_a_session_is_not_attached_to_itself(sess):
    t = sess.terminal("-c", "self", "bash", "--norc")
    t.wait("bash-")
    t.line(f"{sess.binary} -a self; echo st=$?")
    t.wait("itself")
    t.wait("st=1")


def test_two_hundred_sessions(sess):
    script = f"i=0; while [ $i -lt 200 ]; do i=$((i+1)); {sess.binary} -n s$i sleep 1000 || exit 1; done"
    assert sess.command(["sh", "-c", script], timeout=120).status == 0
    assert sess.ok().count("detached") == 200
    # here, for the harness looks at each process for all the others
    script = f"seq -f s%g 200 | xargs -P 8 -n 1 {sess.binary} -k"
    assert sess.command(["sh", "-c", script], timeout=120).status == 0
    assert sess.ok().count("\n") == 1


def test_a_circle_of_sessions_is_refused(sess):
    """a is attached in b, b in c: then c cannot be attached in a."""
    a = sess.terminal("-c", "a", "bash", "--norc")
    a.wait("bash-")
    sess.ok("-n", "b", "bash", "--norc")
    sess.ok("-n", "c", "bash", "--norc")
    for outer, inner in (("b", "a"), ("c", "b")):
        line = f"{sess.binary} -a {inner}\r"
        sess.ok("-send", outer, input=line.encode())
    harness.wait_until(
        lambda: [x["terminals"] for x in json.loads(sess.ok("-j"))] == [2, 1, 0]
    )
    for target in ("b", "c"):
        a.line(f"clear; {sess.binary} -a {target}; echo st=$?")
        a.wait("shows 'a'")
        a.wait("st=1")
    # Side by side is no circle.
    sess.ok("-n", "d", "sh", "-c", "echo dee; cat")
    a.line(f"clear; {sess.binary} -a d")
    a.wait("dee")
