"""-r and -l: terminals that only look, and such that follow in size; what
is typed inside of a session about sessions."""

import os
import signal

import harness

SIZES = "trap 'stty size' WINCH; stty size; while :; do read x && echo =$x; done"


def attached(sess, n):
    harness.wait_until(
        lambda: f"attached ({n})" in sess.ok() if n > 1 else "attached" in sess.ok()
    )


def test_r_sends_nothing_and_detaches_by_its_key(sess):
    sess.ok("-n", "ro", "sh", "-c", "stty -echo; echo ready; while read x; do echo =$x; done")
    look = sess.terminal("-r", "-a", "ro")
    look.wait("ready")
    look.line("typed by the looker")
    # The queue is in order: had it been taken, it would stand before.
    sess.ok("-send", "ro", input=b"typed by another\n")
    look.wait("=typed by another")
    assert "looker" not in look.text
    look.send(b"\x03\x04")
    sess.ok("-send", "ro", input=b"still here\n")
    look.wait("=still here")
    look.detach()
    assert "detached" in sess.ok()


def test_r_is_enforced_also_for_the_literal_detach_key(sess):
    sess.ok("-n", "ro", "sh", "-c", "stty raw -echo; echo ready; exec cat -v")
    look = sess.terminal("-r", "-a", "ro")
    look.wait("ready")
    look.send(b"\x1c\x1c")
    look.send(b"\x1b")
    sess.ok("-send", "ro", input=b"Z")
    look.wait("Z")
    assert "^" not in look.text.replace("ready", "")


def test_a_question_is_answered_where_only_lookers_are(sess, work_dir):
    script = (
        "stty raw -echo; echo ready; head -c1 >/dev/null; printf '\\033[5n';"
        " head -c4 >answer; mv answer got; exec sleep 1000"
    )
    sess.ok("-n", "dsr", "sh", "-c", script)
    look = sess.terminal("-r", "-a", "dsr")
    look.wait("ready")
    sess.ok("-send", "dsr", input=b"x")
    harness.wait_until((work_dir / "got").exists)
    assert (work_dir / "got").read_bytes() == b"\x1b[0n"


def test_l_follows_the_size_of_others(sess):
    a = sess.terminal("-c", "size", "sh", "-c", SIZES, rows=20, cols=70)
    a.wait("20 70")
    low = sess.terminal("-l", "-a", "size", rows=30, cols=90)
    low.wait("20 70")
    low.line("from low")
    a.wait("=from low")
    low.resize(31, 91)
    os.kill(low.pid, signal.SIGWINCH)
    low.line("after the resize")
    a.wait("=after the resize")
    assert "30 90" not in a.text and "31 91" not in a.text
    assert "70x20" in sess.ok()
    # Where nobody else is, its size counts.
    a.detach()
    low.wait("31 91")
    assert "91x31" in sess.ok()
    # And one that comes takes over.
    b = sess.terminal("-a", "size", rows=10, cols=60)
    b.wait("10 60")
    assert "60x10" in sess.ok()


def test_l_beside_others_that_take_turns(sess):
    """Typing makes a terminal the leader in size, but not one with -l."""
    a = sess.terminal("-c", "size", "sh", "-c", SIZES, rows=20, cols=70)
    a.wait("20 70")
    b = sess.terminal("-a", "size", rows=22, cols=72)
    b.wait("22 72")
    low = sess.terminal("-l", "-a", "size", rows=30, cols=90)
    low.wait("22 72")
    for t, size in ((a, "70x20"), (low, "70x20"), (b, "72x22"), (low, "72x22")):
        t.line("typed")
        harness.wait_until(lambda: size in sess.ok(), what=size)
    b.close()
    harness.wait_until(lambda: "70x20" in sess.ok())
    other = sess.terminal("-l", "-a", "size", rows=31, cols=91)
    other.wait("20 70")
    a.detach()
    # Among equals the one that was active last.
    low.line("low")
    harness.wait_until(lambda: "90x30" in sess.ok())
    other.line("other")
    harness.wait_until(lambda: "91x31" in sess.ok())


def test_r_follows_too(sess):
    a = sess.terminal("-c", "size", "sh", "-c", SIZES, rows=20, cols=70)
    a.wait("20 70")
    look = sess.terminal("-r", "-a", "size", rows=30, cols=90)
    look.wait("20 70")
    look.line("x")
    a.line("mark")
    a.wait("=mark")
    assert "70x20" in sess.ok()


def inside(sess, name="outer"):
    """A shell in a session."""
    t = sess.terminal("-c", name, "bash", "--norc")
    t.line(f"PATH={sess.bin}:$PATH; PS1='% '; echo in-$SESS_SESSION")
    t.wait(f"\nin-{name}")
    return t


def test_attaching_a_session_to_itself_is_refused(sess):
    t = inside(sess)
    t.line("sess -a outer; echo status-$?")
    t.wait("this is session 'outer' itself")
    t.wait("status-1")


def _state(sess, name):
    return next(n for n in sess.ok().splitlines() if n.startswith(name))


def test_a_session_inside_a_session_is_warned_of(sess):
    sess.ok("-n", "other", "sh", "-c", "echo here; exec cat")
    t = inside(sess)
    t.line("sess -a other")
    t.wait_raw(b"you are inside session 'outer'")
    t.wait("here")
    t.line("to-other")
    t.wait("to-other\nto-other")
    # The key is the outer one's; pressed twice it is the inner one's.
    t.send(b"\x1c\x1c")
    t.wait("[other: detached]")
    t.line("sess -q -a other; echo qu''iet")
    harness.wait_until(lambda: "attached" in _state(sess, "other"))
    t.send(b"\x1c\x1c")
    t.wait("quiet")
    assert t.raw.count(b"you are inside session") == 1


def test_a_session_made_inside_is_a_sibling(sess):
    t = inside(sess)
    t.line("sess -n inner sleep 1000; echo made-$?")
    t.wait("made-0")
    server = harness.parent(sess.pid("outer"))
    inner = sess.pid("inner")
    assert inner not in harness.descendants(server)
    assert harness.parent(inner) != server
    assert "sleep" not in " ".join(map(harness.command, harness.descendants(server)))
    # What is saved of the outer one is the shell alone ...
    out = sess.ok("-save", "-stop", "outer")
    assert "(1 process," in out
    assert harness.state(inner) == "S"
    # ... and its revival starts siblings again.
    sess.ok("-revive", "outer")
    t = sess.terminal("-a", "outer")
    t.line("sess -n third sleep 2000; echo made-third-$?")
    t.wait("made-third-0")
    out = sess.ok("-save", "-stop", "outer")
    assert "(1 process," in out
    assert harness.state(sess.pid("third")) == "S"
    assert harness.state(inner) == "S"
    sess.ok("-k", "inner")
    sess.ok("-k", "third")
