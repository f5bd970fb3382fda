"""What is in a snapshot, in plain words and as JSON."""

import json
import os
import shutil
import socket

import forge
import harness


def _started(sess, *command):
    sess.ok("-n", "v", *command)
    harness.wait_until((sess.work / "ready").exists)


def _inspect(sess, what):
    return json.loads(sess.ok("-inspect", "-j", what))


SCRIPT = "exec 7>>log; sleep 1000 | cat & umask 77; echo >ready; cd /; wait"


def test_in_plain_words(sess):
    _started(sess, "sh", "-c", SCRIPT)
    sess.ok("-save", "v")
    text = sess.ok("-inspect", "v")
    lines = text.splitlines()
    assert lines[0] == f"v@1: sh -c {SCRIPT}"
    assert "80x24" in lines[1] and "kept" in lines[1]
    assert os.uname().release in text and "can revive it" in text
    for part in (
        f"in /, user {sess.user.uid},",
        "terminal /dev/pts/",
        f"7 regular {sess.work}/log",
        "sleep 1000\n",
        "pipe",
    ):
        assert part in text, text


def test_as_json_by_name_and_by_file(sess):
    _started(sess, "sh", "-c", SCRIPT)
    sess.ok("-save", "-o", sess.work / "stream", "v")
    sess.ok("-save", "v")
    first = _inspect(sess, "v@1")
    assert first["generation"] == 1 and first["unfit"] is None
    assert _inspect(sess, "v")["generation"] == 2
    assert _inspect(sess, sess.work / "stream") == first
    assert _inspect(sess, "stream") == first, "in this directory"
    assert _inspect(sess, sess.dir / "saved" / "v" / "1.sess") == first
    commands = [p["command"] for p in first["processes"]]
    assert "cat" in commands and "sleep 1000" in commands
    by_pid = {p["pid"]: p for p in first["processes"]}
    sleep = next(p for p in by_pid.values() if p["command"] == "sleep 1000")
    assert "sh" in by_pid[sleep["parent"]]["command"]
    assert sleep["uid"] == sess.user.uid and sleep["memory"] > 0


def test_what_this_machine_cannot_do_is_said(sess):
    _started(sess, "sh", "-c", "echo >ready; exec sleep 1000")
    sess.ok("-save", "v")
    path = sess.dir / "saved" / "v" / "1.sess"
    image = bytearray(path.read_bytes())
    forge.want_all_features(image)
    path.write_bytes(image)
    assert "processor" in _inspect(sess, "v")["unfit"]
    assert "could not revive" in sess.ok("-inspect", "v")


def test_what_will_be_different_is_kept(sess):
    """The notes of the save, which nobody may have read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _started(
            sess, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; "
            "echo >ready; exec sleep 1000",
        )
        r = sess.run("-save", "v")
    assert r.status == 0 and str(port) in r.err, r
    assert _inspect(sess, "v")["notes"] == r.err
    assert r.err.strip() in sess.ok("-inspect", "v")


def test_what_is_none(sess):
    sess.ok("-n", "v", "sleep", "1000")
    assert "no snapshot" in sess.fails("-inspect", "v")
    assert "which" in sess.fails("-inspect")
    for data in (b"", b"x" * 10000, os.urandom(9000)):
        bad = sess.work / "bad"
        bad.write_bytes(data)
        bad.chmod(0o600)
        sess.user.own(bad)
        sess.fails("-inspect", bad)
    sess.ok("-save", "-o", sess.work / "s", "v")
    good = (sess.work / "s").read_bytes()
    for n in (96, 5000):
        bad.write_bytes(good[:n])
        sess.fails("-inspect", bad)
    os.mkfifo(sess.work / "fifo")
    sess.user.own(sess.work / "fifo")
    sess.fails("-inspect", sess.work / "fifo")


def test_no_control_character_gets_out(sess):
    _started(sess, "sh", "-c", "echo >ready; exec sleep 1000 # \033]0;x\007")
    sess.ok("-save", "v")
    text = sess.ok("-inspect", "v") + sess.ok("-inspect", "-j", "v")
    assert "\033" not in text and "\007" not in text


def test_a_kept_copy_that_is_needed_is_missing_or_short(sess):
    """The file is named, and what a revival could still do is not denied."""
    prog = sess.work / "prog"
    shutil.copy("/bin/sleep", prog)
    prog.chmod(0o755)
    sess.ok("-n", "v", prog, "1000")
    sess.ok("-save", "v")
    was = prog.stat()
    objects = sess.dir / "saved" / "objects"
    assert _inspect(sess, "v")["unfit"] is None
    os.utime(prog, (1, 1))
    assert _inspect(sess, "v")["unfit"] is None, "the copy would do"
    (kept,) = objects.glob(f"*-{was.st_size}")
    kept.chmod(0o700)
    os.truncate(kept, 100)
    kept.chmod(0o500)
    text = sess.ok("-inspect", "v")
    assert "could not revive" in text and f"{prog} has changed" in text
    assert "is damaged" in text
    kept.unlink()
    unfit = _inspect(sess, "v")["unfit"]
    assert f"{prog} has changed" in unfit and "is gone" in unfit
    os.utime(prog, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert _inspect(sess, "v")["unfit"] is None, "the original is as it was"


def test_a_file_is_taken_as_revive_takes_it(sess):
    """Others may read it, but not write it."""
    sess.ok("-n", "v", "sleep", "1000")
    stream = sess.work / "stream"
    sess.ok("-save", "-o", stream, "v")
    stream.chmod(0o644)
    assert _inspect(sess, stream)["unfit"] is None
    stream.chmod(0o666)
    assert "chmod" in sess.fails("-inspect", stream)
    assert "chmod" in sess.fails("-revive", "-i", stream, "w")
