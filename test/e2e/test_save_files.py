"""What a revival does to files that have changed, grown or gone since the
save (D12), and what stands in the way of a save, in plain words."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pytest

import harness

# Says `ready` once, keeps the descriptors open, and obeys lines.
HOLDER = """
import os, sys
%s
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
"""


@pytest.fixture
def lasting(sess):
    """A directory that a reboot does not empty."""
    d = Path(tempfile.mkdtemp(prefix="sess-test-", dir="/var/tmp"))
    sess.user.own(d)
    yield d
    shutil.rmtree(d)


def _holder(sess, name, setup):
    script = sess.work / f"{name}.py"
    script.write_text(HOLDER % setup)
    sess.user.own(script)
    t = sess.terminal("-c", name, "python3", "-u", script)
    t.wait("ready")
    return t


def _say(sess, name, python, wanted):
    t = sess.terminal("-a", name)
    t.line(python)
    t.wait(wanted)
    t.detach()


def _save_and_stop(sess, name):
    sess.ok("-save", "-stop", name)
    harness.wait_until(lambda: not sess.processes())


def _aside(path):
    return [p for p in path.parent.iterdir() if ".sess-" in p.name]


def _write(sess, path, data):
    path.write_bytes(data)
    sess.user.own(path)


def test_a_file_written_to_since_is_set_aside_and_put_back(sess, lasting):
    f = lasting / "data"
    _write(sess, f, b"first version")
    t = _holder(sess, "w", f"f = open({str(f)!r}, 'r+b', 0); f.seek(6)")
    t.detach()
    _save_and_stop(sess, "w")
    mode = f.stat().st_mode
    _write(sess, f, b"newer data, precious")
    sess.ok("-revive", "w")
    assert f.read_bytes() == b"first version"
    assert f.stat().st_mode == mode
    kept = _aside(f)
    assert [k.read_bytes() for k in kept] == [b"newer data, precious"]
    _say(sess, "w", "f.write(b'VERSION'); print('wrote'.upper())", "WROTE")
    assert f.read_bytes() == b"first VERSION"
    # What the revived program wrote is itself newer data now.
    sess.ok("-k", "w")
    sess.ok("-revive", "w@1")
    assert f.read_bytes() == b"first version"
    assert sorted(k.read_bytes() for k in _aside(f)) == [
        b"first VERSION",
        b"newer data, precious",
    ]
    sess.ok("-k", "w")


def test_an_unchanged_file_is_left_alone(sess, lasting):
    f = lasting / "data"
    _write(sess, f, b"as it was")
    _holder(sess, "w", f"f = open({str(f)!r}, 'r+b', 0)").detach()
    _save_and_stop(sess, "w")
    ino = f.stat().st_ino
    sess.ok("-revive", "w")
    assert f.stat().st_ino == ino and not _aside(f)
    sess.ok("-k", "w")


def test_a_file_that_went_on_growing_goes_on(sess, lasting):
    f = lasting / "log"
    _holder(sess, "w", f"f = open({str(f)!r}, 'ab', 0); f.write(b'one\\n')").detach()
    _save_and_stop(sess, "w")
    with f.open("ab") as other:
        other.write(b"from outside\n")
    sess.ok("-revive", "w")
    t = sess.terminal("-a", "w")
    t.wait_raw(b"has grown by 13 bytes")
    t.line("f.write(b'two\\n'); print('wrote'.upper())")
    t.wait("WROTE")
    t.detach()
    assert f.read_bytes() == b"one\nfrom outside\ntwo\n" and not _aside(f)
    sess.ok("-k", "w")


def test_a_missing_file_is_named_and_nothing_is_changed(sess, lasting):
    gone, changed = lasting / "gone", lasting / "changed"
    _write(sess, gone, b"x")
    _write(sess, changed, b"old")
    _holder(
        sess,
        "w",
        f"g = open({str(gone)!r}, 'rb', 0); c = open({str(changed)!r}, 'r+b', 0)",
    ).detach()
    _save_and_stop(sess, "w")
    gone.unlink()
    _write(sess, changed, b"new data")
    err = sess.fails("-revive", "w")
    assert str(gone) in err and "python3 (pid " in err and "descriptor" in err
    assert changed.read_bytes() == b"new data" and not _aside(changed)
    assert not sess.processes()
    _write(sess, gone, b"x")
    sess.ok("-revive", "w")
    assert changed.read_bytes() == b"old"
    sess.ok("-k", "w")


def test_a_file_in_a_place_that_is_emptied_is_put_back(sess):
    d = sess.work / "deep" / "down"
    d.mkdir(parents=True)
    for p in (d.parent, d):
        sess.user.own(p)
    f = d / "data"
    _write(sess, f, b"0123456789" * 100000)
    _holder(sess, "w", f"f = open({str(f)!r}, 'rb', 0); f.seek(15)").detach()
    _save_and_stop(sess, "w")
    shutil.rmtree(d.parent)
    sess.ok("-revive", "w")
    assert f.read_bytes() == b"0123456789" * 100000
    _say(sess, "w", "print(f.read(5) + b'!')", "b'56789!'")
    sess.ok("-k", "w")


def test_a_large_deleted_file_with_holes_travels(sess):
    f = sess.work / "deleted"
    _holder(
        sess,
        "w",
        f"f = open({str(f)!r}, 'w+b', 0); f.write(b'start'); "
        "f.seek(300 << 20); f.write(b'end'); "
        f"os.unlink({str(f)!r}); f.seek(0)",
    ).detach()
    out = sess.ok("-save", "w")
    assert "KiB" in out, out  # not 300 MiB
    _save_and_stop(sess, "w")
    sess.ok("-revive", "w")
    assert not f.exists()
    _say(
        sess,
        "w",
        "a = f.read(5); f.seek(300 << 20); print(a + f.read() + b'!')",
        "b'startend!'",
    )
    sess.ok("-k", "w")


def test_a_big_file_is_kept_as_it_was_in_the_stop(sess, lasting):
    f = lasting / "big"
    data = os.urandom(1 << 20) * 8
    _write(sess, f, data)
    _holder(sess, "w", f"f = open({str(f)!r}, 'r+b', 0); f.seek(0, 2)").detach()
    sess.ok("-save", "w")
    _say(sess, "w", "f.write(b'later'); print('wrote'.upper())", "WROTE")
    sess.ok("-k", "w")
    sess.ok("-revive", "w")
    assert f.read_bytes() == data
    assert [k.read_bytes() for k in _aside(f)] == [data + b"later"]
    sess.ok("-k", "w")


OBSTACLES = {
    "an epoll instance": "import select; x = select.epoll()",
    "a TCP socket": "import socket; x = socket.socket()",
    "a listening UNIX socket": "import socket; x = socket.socket(1); "
    "x.bind('sock'); x.listen()",
    "a network socket": "import socket; x = socket.socket(2, 2)",
    "a memfd": "x = os.memfd_create('x')",
    "a pidfd": "x = os.pidfd_open(1)",
    "a netlink socket": "import socket; x = socket.socket(16, 3, 0)",
}


@pytest.mark.parametrize("what", OBSTACLES)
def test_what_cannot_be_saved_is_named_and_runs_on(sess, what):
    t = _holder(sess, "w", OBSTACLES[what])
    for args in ("-save", "w"), ("-save", "-stop", "w"):
        err = sess.fails(*args)
        assert what in err and "python3 (pid " in err, err
        assert "descriptor " in err
    r = sess.run("-check", "w")
    assert r.status != 0 and what in r.out + r.err
    t.line("print('alive'.upper())")
    t.wait("ALIVE")

    sess.ok("-k", "w")


READER = """
set -e
echo ready
while ! test -e go; do sleep 0.02; done
read -r a; read -r b; read -r c
echo "got [$a] [$b] [$c]" | tr a-z A-Z
"""


@pytest.mark.parametrize("stop", [False, True])
def test_what_was_typed_ahead_is_still_to_be_read(sess, stop):
    script = sess.work / "reader.sh"
    script.write_text(READER)
    sess.user.own(script)
    t = sess.terminal("-c", "w", "sh", script)
    t.wait("ready")
    t.send("one\rtwo\rthrex")
    t.wait("threx")
    t.detach()
    if stop:
        _save_and_stop(sess, "w")
        sess.ok("-revive", "w")
    else:
        for _ in range(5):
            sess.ok("-save", "w")
    t = sess.terminal("-a", "w")
    t.wait("threx")
    t.send("\x7fe\r")  # the unfinished line can still be edited
    (sess.work / "go").touch()
    t.wait("GOT [ONE] [TWO] [THREE]")
    assert t.wait_exit() == 0


def test_typing_during_saves_loses_nothing(sess):
    t = sess.terminal("-c", "w", "sh", "-c", "stty raw -echo; echo ready; exec cat >typed")
    t.wait("ready")
    want = b""
    for i in range(20):
        for k in range(10):
            line = b"line %d %d;" % (i, k)
            t.send(line)
            want += line
        sess.ok("-save", "w")
    typed = sess.work / "typed"
    harness.wait_until(
        lambda: typed.read_bytes() == want, what=lambda: typed.read_bytes()[-200:]
    )
    sess.ok("-k", "w")


def test_tail_goes_on_with_its_watch(sess):
    log = sess.work / "log"
    _write(sess, log, b"")
    sess.ok("-n", "w", "sh", "-c", "tail -f log | grep --line-buffered x >out")

    def tails():
        return [p for p in sess.processes() if harness.command(p).startswith("tail")]

    def sleeps():
        return [p for p in tails() if harness.state(p) == "S"]

    harness.wait_until(sleeps)
    out = sess.work / "out"
    want = ""
    for i in range(3):
        with log.open("a") as f:
            f.write(f"x{i}\nnot this\n")
        want += f"x{i}\n"
        harness.wait_until(lambda: out.read_text() == want)
        _save_and_stop(sess, "w")
        sess.ok("-revive", "w")
        harness.wait_until(tails)
    with log.open("a") as f:
        f.write("x the end\n")
    harness.wait_until(lambda: out.read_text() == want + "x the end\n")
    sess.ok("-k", "w")


def test_a_failed_revival_leaves_newer_files_alone(sess, lasting):
    """A lock is taken by somebody else: known only after files were put back."""
    f, lock = lasting / "data", lasting / "lock"
    _write(sess, f, b"old")
    _write(sess, lock, b"")
    t = _holder(
        sess,
        "w",
        f"import fcntl; f = open({str(f)!r}, 'r+b', 0); "
        f"g = open({str(lock)!r}); fcntl.flock(g, fcntl.LOCK_EX)",
    )
    t.detach()
    _save_and_stop(sess, "w")
    _write(sess, f, b"new, precious")
    with lock.open() as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        err = sess.fails("-revive", "w")
        assert str(lock) in err and "lock" in err
        assert f.read_bytes() == b"new, precious" and not _aside(f)
        assert not sess.processes()
    sess.ok("-revive", "w")
    assert f.read_bytes() == b"old" and len(_aside(f)) == 1
    sess.ok("-k", "w")
