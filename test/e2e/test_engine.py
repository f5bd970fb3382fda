"""What a save leaves behind when one of its own processes is killed: the
session running, no process, no half image, and never a wrong success."""

import os
import shutil
import signal
import subprocess

import harness
import pytest
from rounds import revive_anew, stopped_processes

# Memory in many pieces: its writing takes a while, and asks the kernel often.
PIECES = """
import ctypes, mmap, time
libc = ctypes.CDLL(None)
n, step = 3000, 8 * 4096
m = mmap.mmap(-1, n * step, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, n * step, 4096):
    m[i] = 1 + i % 255
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
for i in range(0, n, 2):
    assert libc.mprotect(ctypes.c_void_p(at + i * step), step, 1) == 0
open("ready", "w").close()
time.sleep(1e6)
"""


@pytest.fixture
def pieces(sess):
    sess.ok("-n", "p", "python3", "-c", PIECES)
    harness.wait_until((sess.work / "ready").exists)
    return sess


def _children(pid):
    return [p for p in harness.descendants(pid) if harness.parent(p) == pid]


def _save_in_background(sess, *args):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return sess.begin("-save", *args, "p", **pipes)


def _size(path):
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _begin_save(sess, *args):
    """A save whose writer has begun to write: the command, the writer and
    the snapshots."""
    first = sess.pid("p")
    server = harness.parent(first)
    command = _save_in_background(sess, *args)

    def writing():
        temps = (sess.dir / "saved" / "p").glob("tmp-*")
        return any(_size(t) > 1 << 20 for t in temps)

    harness.wait_until(writing, every=0.001)
    others = [p for p in _children(server) if p != first]
    snapshots = [p for p in others if harness.state(p) == "t"]
    writers = [p for p in others if p not in snapshots]
    assert len(writers) == 1
    return command, writers[0], snapshots


def _images(sess):
    return sorted(p.name for p in (sess.dir / "saved" / "p").iterdir())


def _refused(sess, command, why):
    out = command.communicate(timeout=30)[0].decode()
    assert command.returncode == 1 and why in out, out
    assert _images(sess) == []
    assert not stopped_processes(sess)
    assert "p@1" in sess.ok("-save", "p")
    assert _images(sess) == ["1.sess"]


@pytest.mark.parametrize("written", [1, 4, 16, 32, 64])
def test_a_snapshot_is_killed(pieces, written):
    """As the kernel does in want of memory, at different moments."""
    command, _, snapshots = _begin_save(pieces)
    temps = list((pieces.dir / "saved" / "p").glob("tmp-*"))
    harness.wait_until(
        lambda: command.poll() is not None
        or max(map(_size, temps)) >= written << 20,
        every=0.001,
    )
    os.kill(snapshots[0], signal.SIGKILL)
    out = command.communicate(timeout=30)[0].decode()
    if command.returncode == 0:  # it had all been written
        assert (pieces.dir / "saved/p/1.sess").stat().st_size > 90 << 20
    else:
        assert "p@" not in out and _images(pieces) == []
    assert not stopped_processes(pieces)


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1]
)
def test_the_writer_is_killed(pieces, number):
    command, writer, _ = _begin_save(pieces)
    os.kill(writer, number)
    _refused(pieces, command, "was killed: nothing was saved")


def test_the_writer_of_a_last_save_is_killed(pieces):
    """The session, which was to end, runs on."""
    command, writer, _ = _begin_save(pieces, "-stop")
    os.kill(writer, signal.SIGKILL)
    _refused(pieces, command, "was killed: nothing was saved")


SPARSE = """
import mmap, os, signal
n = 1 << 30
m = mmap.mmap(-1, n)
for i in range(0, n, n // 64):
    m[i : i + 4] = b"here"
if os.fork() == 0:
    signal.pause()
open("ready", "w").close()
signal.sigwait([signal.SIGTERM])
bad = [i for i in range(0, n, n // 64) if m[i : i + 5] != b"here\\0"]
open("found", "w").write(f"bad {len(bad)}")
"""


def test_shared_memory_is_not_made_by_a_save(sess):
    """A GiB of which 64 pages are used: saved without the rest."""

    def used():
        with open(f"/proc/{sess.pid('p')}/smaps_rollup") as f:
            return next(int(x.split()[1]) for x in f if x.startswith("Rss:"))

    sess.ok("-n", "p", "python3", "-c", "import signal;signal.pthread_sigmask("
            f"signal.SIG_BLOCK, [15])\n{SPARSE}")
    harness.wait_until((sess.work / "ready").exists)
    before = used()
    sess.ok("-save", "p")
    assert used() < before + (16 << 10)
    revive_anew(sess, "p")
    assert used() < before + (16 << 10)
    os.kill(sess.pid("p"), signal.SIGTERM)
    harness.wait_until((sess.work / "found").exists)
    harness.wait_until(lambda: (sess.work / "found").read_text())
    assert (sess.work / "found").read_text() == "bad 0"


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
def test_a_thread_that_stops_too_late(sess):
    """It begins to wait for its vfork child between the look at its state
    and its seizing, for longer than a save waits: it is let go when it
    stops at last, and its stop is not taken for its end."""
    sess.ok("-n", "p", harness.BUILD / "test/victim/vforks", "5")
    first = sess.pid("p")
    server = harness.parent(first)
    harness.wait_until(lambda: harness.state(first) == "D")
    log = sess.work / "strace"
    tracer = subprocess.Popen(
        ["strace", "-o", log, "-p", str(server), "-e", "trace=ptrace"]
        + ["-e", "inject=ptrace:delay_enter=200000:when=1"],
        stderr=subprocess.PIPE,
        preexec_fn=sess.user.become,
    )
    tracer.stderr.readline()  # "Process N attached"

    def late():
        r = sess.run("-save", "p")
        return r.status and harness.state(first) == "D" and _tracer(first)

    harness.wait_until(late, 60)
    tracer.send_signal(signal.SIGINT)
    tracer.communicate()
    harness.wait_until(lambda: not _tracer(first), 20)
    harness.wait_until(lambda: sess.run("-save", "p").status == 0, 60)
    assert sess.pid("p") == first and not stopped_processes(sess)


def _tracer(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(x for x in f if x.startswith("TracerPid")).split()[1])
