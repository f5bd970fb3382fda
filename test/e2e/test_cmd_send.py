"""-send: standard input into a session."""

import hashlib
import os
import signal
import subprocess

import harness

# Reads N bytes, raw, and leaves their hash.
READER = """
import hashlib, os, sys, tty
tty.setraw(0)
print("raw", flush=True)
h, left = hashlib.sha256(), int(sys.argv[1])
while left:
    data = os.read(0, left)
    h.update(data)
    left -= len(data)
open("hash.new", "w").write(h.hexdigest())
os.rename("hash.new", "hash")
"""


def reader(sess, name, n):
    (sess.work / "reader.py").write_text(READER)
    t = sess.terminal("-c", name, "python3", "reader.py", n)
    t.wait("raw")
    t.detach()


def test_a_line_is_typed_into_a_shell(sess, work_dir):
    sess.ok("-n", "sh", "sh", "-c", "read x; echo got-$x >out; exec cat")
    sess.ok("-send", "sh", input=b"some words\n")
    harness.wait_until(lambda: (work_dir / "out").exists())
    harness.wait_until(
        lambda: (work_dir / "out").read_text() == "got-some words\n"
    )


def test_a_large_binary_arrives_whole(sess, work_dir):
    data = os.urandom(3_000_000)
    reader(sess, "bin", len(data))
    sess.ok("-send", "bin", input=data)
    harness.wait_until((work_dir / "hash").exists, 60)
    got = (work_dir / "hash").read_text()
    assert got == hashlib.sha256(data).hexdigest()


def test_a_program_that_does_not_read_sets_the_pace(sess, work_dir):
    reader(sess, "slow", 1_000_000)
    pid = sess.pid("slow")
    os.kill(pid, signal.SIGSTOP)
    harness.wait_until(lambda: harness.state(pid) == "T")
    data = os.urandom(1_000_000)
    (work_dir / "data").write_bytes(data)
    with open(work_dir / "data", "rb") as f:
        p = sess.begin("-send", "slow", stdin=f)
        # It has read all that it may send; the session answers others.
        harness.wait_until(lambda: 0 < f.tell() < len(data))
        assert "slow" in sess.ok()
        assert p.poll() is None
        os.kill(pid, signal.SIGCONT)
        assert p.wait(60) == 0
    harness.wait_until((work_dir / "hash").exists, 60)
    got = (work_dir / "hash").read_text()
    assert got == hashlib.sha256(data).hexdigest()


def test_the_end_of_the_program_is_told(sess):
    sess.ok("-n", "gone", "sh", "-c", "stty raw; sleep 1000")
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    p = sess.begin("-send", "gone", **pipes)
    os.set_blocking(p.stdin.fileno(), False)

    def full():
        try:
            p.stdin.write(b"x" * 65536)
            p.stdin.flush()
        except BlockingIOError:
            return True

    harness.wait_until(full)
    sess.ok("-k", "gone")
    assert p.wait(15) == 1
    assert b"has not taken everything" in p.stderr.read()
    p.stderr.close()
    try:
        p.stdin.close()
    except BrokenPipeError:
        pass


def test_several_senders_and_one_that_dies(sess, work_dir):
    reader(sess, "many", 600_000)
    pid = sess.pid("many")
    os.kill(pid, signal.SIGSTOP)
    harness.wait_until(lambda: harness.state(pid) == "T")
    (work_dir / "data").write_bytes(b"a" * 400_000)
    senders = []
    for _ in range(3):
        with open(work_dir / "data", "rb") as f:
            senders.append(sess.begin("-send", "many", stdin=f))
            harness.wait_until(lambda: f.tell() > 0)
    senders[0].kill()
    senders[0].wait()
    os.kill(pid, signal.SIGCONT)
    harness.wait_until((work_dir / "hash").exists, 60)
    got = (work_dir / "hash").read_text()
    assert got == hashlib.sha256(b"a" * 600_000).hexdigest()
    sess.run("-k", "many")
    for p in senders[1:]:
        p.wait(15)


def test_send_needs_a_living_session(sess):
    assert "no session 'none'" in sess.fails("-send", "none", input=b"x")
    assert sess.run("-send").status == 2
