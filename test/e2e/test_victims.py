"""Every test/victim/*.c sets up one kind of state, prints `ready`, and on
SIGTERM verifies that state itself: exit 0, or a reason and another status
(77 before `ready`: this machine cannot set it up). A new file is a new test.

Each runs plain (which proves the victim, not sess), is kept running through a
save, and is saved with -stop and revived three times over. What cannot be
saved yet is refused, by name, and runs on unharmed.
"""

import re
import signal

import pytest

import harness

SOURCES = sorted((harness.ROOT / "test" / "victim").glob("*.c"))
KINDS = [f.stem for f in SOURCES if re.search(r"\bmain\(", f.read_text())]

# Kinds that a save refuses for the time being: what its one line says.
REFUSED = {
    "clone_vm": "shares its memory",
    "clones": "shares its descriptor table",
    "leaderless": "its first thread has ended",
    "mqueues": "POSIX message queue",
}
SAVED = [k for k in KINDS if k not in REFUSED]


def _ready(terminal):
    """Wait for the victim's word; a victim may decline with 77."""
    if "ready" in terminal.text:
        return True
    if terminal.proc.poll() == 77:
        pytest.skip(terminal.text.strip())
    assert terminal.proc.poll() is None, (
        f"ended with {terminal.proc.returncode} before it was ready:\n"
        + terminal.text
    )
    return False


def _verify(terminal, pid):
    harness.signal_pid(pid, signal.SIGTERM)
    status = terminal.wait_exit(30)
    assert status == 0, f"status {status}:\n{terminal.text}"


def _session(sess, kind):
    """A detached session in which the victim is ready."""
    t = sess.terminal("-c", "v", sess.bin / "victim" / kind)
    t.wait(_ready)
    t.detach()
    return sess.pid("v")


def _all_gone(sess):
    harness.wait_until(
        lambda: not sess.processes(),
        what=lambda: [harness.command(p) for p in sess.processes()],
    )


def _finish(sess):
    pid = sess.pid("v")
    t = sess.terminal("-a", "v")
    t.wait("ready")
    _verify(t, pid)


@pytest.mark.parametrize("kind", KINDS)
def test_plain(sess, kind):
    t = sess.program([sess.bin / "victim" / kind])
    t.wait(_ready)
    _verify(t, t.pid)


@pytest.mark.parametrize("kind", SAVED)
def test_goes_on_after_a_save(sess, kind):
    _session(sess, kind)
    sess.ok("-save", "v")
    _finish(sess)


@pytest.mark.parametrize("kind", SAVED)
def test_revived_three_times(sess, kind):
    _session(sess, kind)
    for _ in range(3):
        sess.ok("-save", "-stop", "v")
        _all_gone(sess)
        sess.ok("-revive", "v")
    _finish(sess)


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_unharmed(sess, kind):
    _session(sess, kind)
    for words in (["-save"], ["-save", "-stop"], ["-check"]):
        r = sess.run(*words, "v")
        assert r.status != 0, r
        assert kind in r.out + r.err and REFUSED[kind] in r.out + r.err, r
    assert not (sess.dir / "saved" / "v").exists() or not list(
        (sess.dir / "saved" / "v").iterdir()
    )
    _finish(sess)
