"""A snapshot as a stream: to another place, as another machine would be, and
whatever else may come that way."""

import contextlib
import os
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import forge
import harness
import pytest
from rounds import all_gone, attach

COUNT = "i=0; while :; do i=$((i+1)); echo $i >>n; sleep 0.02; done"


@pytest.fixture
def there(sess):
    """The other machine: a SESS_DIR of its own."""
    place = sess.work / "there"
    place.mkdir(mode=0o700)
    sess.user.own(place)
    s = harness.Sess(sess.binary, sess.user, place, sess.work, sess.bin)
    yield s
    s.close()


@pytest.fixture
def stream(sess):
    """A running session "v", and a file that it was written to."""
    sess.ok("-n", "v", "sh", "-c", COUNT)
    _goes_on(sess)
    path = sess.work / "v.sess"
    sess.ok("-save", "-o", path, "v")
    return path


def _counted(sess):
    n = sess.work / "n"
    return n.read_bytes().count(b"\n") if n.exists() else 0


def _goes_on(sess):
    before = _counted(sess)
    harness.wait_until(lambda: _counted(sess) > before + 3)


def _is_bare(sess):
    """Nothing is kept there, not even the beginning of something."""
    saved = sess.dir / "saved"
    objects = saved / "objects"
    kept = [p for p in saved.iterdir() if p != objects] if saved.exists() else []
    if objects.exists():
        kept += [p for p in objects.iterdir() if p.name != "cache"]
    assert kept == []
    assert sess.ok().count("\n") == 1
    all_gone(sess)


def _refused(there, data, name="w"):
    """What arrives is refused by one line, and leaves nothing."""
    path = there.work / "bad"
    path.write_bytes(data)
    there.user.own(path)
    err = there.fails("-revive", "-i", path, name)
    _is_bare(there)
    return err


def _send(sess, there, *words, name="v", to="w"):
    """As `sess -save -o - v | ssh there sess -revive -i - w`."""
    line = (
        f"SESS_DIR={sess.dir} {sess.binary} -save {' '.join(words)} -o - "
        f"{name} | SESS_DIR={there.dir} {sess.binary} -revive -i - {to}; "
        "echo ${PIPESTATUS[*]}"
    )
    r = sess.command(["bash", "-c", line])
    assert r.out.endswith("0 0\n"), r
    return r


def test_a_session_moves(sess, there):
    sess.ok("-n", "v", "sh", "-c", COUNT)
    _goes_on(sess)
    r = _send(sess, there, "-stop")
    assert "revived from w@1" in r.out and "sent v@1" in r.err
    harness.wait_until(lambda: "detached" not in sess.ok())
    _goes_on(sess)
    numbers = [int(n) for n in (sess.work / "n").read_text().split()]
    assert numbers == list(range(1, len(numbers) + 1)), "it began anew"
    there.ok("-save", "-stop", "w")
    all_gone(there)
    assert "w" in there.ok()
    there.ok("-revive", "w@1")
    there.ok("-k", "w")
    there.ok("-rm", "w")
    _is_bare(there)


def test_a_shell_is_used_there(sess, there):
    t = attach(sess, "-c", "v", "bash", "--norc")
    t.line("x=mo; cd /")
    t.line("echo ${x}ved")
    t.wait("moved")
    t.detach()
    _send(sess, there)
    t = attach(there, "-a", "w")
    t.wait("moved")
    t.line("echo ${x}on:$PWD")
    t.wait("moon:/")
    t.detach()
    assert sess.ok("-pid", "v"), "the one that was copied runs on"


def test_programs_are_kept_once(sess, there, stream):
    there.ok("-revive", "-i", stream, "one")
    objects = there.dir / "saved" / "objects"
    before = {p: p.stat().st_ino for p in objects.glob("*-*")}
    assert before
    there.ok("-revive", "-i", stream, "two")
    assert {p: p.stat().st_ino for p in objects.glob("*-*")} == before
    for name in ("one", "two"):
        there.ok("-k", name)
        there.ok("-rm", name)
    assert not list(objects.glob("*-*"))


def test_a_file_is_complete_and_private(sess, stream):
    assert stat.S_IMODE(stream.stat().st_mode) == 0o600
    before = stream.read_bytes()
    assert "exists" in sess.fails("-save", "-o", stream, "v")
    assert stream.read_bytes() == before
    assert "2" not in [p.stem for p in (sess.dir / "saved" / "v").iterdir()]
    assert not list(sess.work.glob("tmp-*"))


def test_what_is_saved_already_is_sent(sess, there, stream):
    sess.ok("-save", "-stop", "v")
    all_gone(sess)
    _send(sess, there, name="v@1", to="a")
    _send(sess, there, to="b")
    out = there.ok()
    assert "\na " in out and "\nb " in out
    kept = there.dir / "saved"
    assert [p.name for p in (kept / "a").iterdir()] == ["1.sess"]
    assert [p.name for p in (kept / "b").iterdir()] == ["2.sess"]
    assert " saved " in sess.ok()


def test_a_taken_name_is_refused(sess, there, stream):
    there.ok("-n", "w", "sleep", "1000")
    assert "runs" in there.fails("-revive", "-i", stream, "w")
    there.ok("-save", "-stop", "w")
    all_gone(there)
    assert "snapshots" in there.fails("-revive", "-i", stream, "w")
    there.ok("-rm", "w")
    _is_bare(there)
    assert "w@3" in there.fails("-revive", "-i", stream, "w@3")
    _is_bare(there)


def test_cut_off(sess, there, stream):
    good = stream.read_bytes()
    ends = [at + n for at, n in forge.stream_parts(good)]
    cuts = {0, 1, 63, 64, 65, len(good) - 1}
    cuts |= {c for end in ends for c in (end, end + 16)} - {len(good)}
    for cut in sorted(cuts)[:40]:
        assert "cut off" in _refused(there, good[:cut]) or cut == 0
    there.ok("-revive", "-i", stream, "w")


def test_one_bit_flipped(sess, there, stream):
    good = stream.read_bytes()
    parts = forge.stream_parts(good)
    places = [0, 9, 20, 33, 41, 57, len(good) - 1]
    for at, n in parts[:3] + parts[-1:]:
        places += [at - 32, at - 20, at, at + n // 2, at + n]
    for at in places:
        bad = bytearray(good)
        bad[at] ^= 0x04
        _refused(there, bad)
    assert "follows" in _refused(there, good + b"x")


def test_the_seals_of_this_test_are_right(sess, there, stream):
    good = bytearray(stream.read_bytes())
    before = bytes(good)
    forge.seal_stream(good)
    assert bytes(good) == before


def test_of_another_machine(sess, there, stream):
    good = stream.read_bytes()
    bad = bytearray(good)
    bad[16:32] = b"riscv64".ljust(16, b"\0")
    forge.seal_stream(bad)
    assert "riscv64" in _refused(there, bad)
    bad = forge.change_image(good, forge.want_all_features)
    assert "processor" in _refused(there, bad)


def test_of_a_later_format(sess, there, stream):
    bad = bytearray(stream.read_bytes())
    bad[8] = 99
    forge.seal_stream(bad)
    assert "newer" in _refused(there, bad)


def test_more_than_there_is_room_for(sess, there, stream):
    bad = bytearray(stream.read_bytes())
    bad[40:48] = (1 << 60).to_bytes(8, "little")
    bad[64 + 8 : 64 + 16] = (1 << 59).to_bytes(8, "little")
    bad[56:64] = forge._xxh3_64(bad[:56]).to_bytes(8, "little")
    assert "free" in _refused(there, bad)


def test_no_snapshot_at_all(sess, there):
    assert "empty" in _refused(there, b"")
    for data in (bytes(100000), b"#!/bin/sh\n" * 1000, os.urandom(5000)):
        assert "no snapshot" in _refused(there, data)
    there.fails("-revive", "-i", there.work / "nowhere", "w")
    assert "directory" in there.fails("-revive", "-i", there.work, "w")
    assert "which" in there.fails("-revive", "-i", "-")
    _is_bare(there)


def test_of_somebody_else(sess, there, stream, user):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(stream, 12345, -1)
    stream.chmod(0o644)
    assert "12345" in there.fails("-revive", "-i", stream, "w")
    user.own(stream)
    stream.chmod(0o666)
    assert "chmod" in there.fails("-revive", "-i", stream, "w")
    _is_bare(there)


def test_of_a_session_of_somebody_else(sess, there, user):
    if os.geteuid() != 0 or user.is_root:
        pytest.skip("root's session for an ordinary user")
    place = sess.work / "root"
    place.mkdir(mode=0o700)
    root = harness.Sess(
        sess.binary, harness.User("root"), place, sess.work, sess.bin
    )
    try:
        root.ok("-n", "v", "sleep", "1000")
        root.ok("-save", "-o", sess.work / "v.sess", "v")
        data = (sess.work / "v.sess").read_bytes()
        assert "session of user 0" in _refused(there, data)
    finally:
        root.close()


def test_not_for_a_terminal(sess, there, stream):
    t = sess.terminal("-save", "-o", "-", "v")
    assert t.wait_exit() == 1
    assert "terminal" in t.text and len(t.raw) < 200
    assert [p.name for p in (sess.dir / "saved" / "v").iterdir()] == ["1.sess"]
    t = there.terminal("-revive", "-i", "-", "w")
    assert t.wait_exit() == 1
    assert "terminal" in t.text
    _is_bare(there)


def test_the_reader_goes_away(sess, stream):
    line = f"{sess.binary} -save -o - v | head -c 1000 >/dev/null; echo ${{PIPESTATUS[0]}}"
    r = sess.command(["bash", "-c", line])
    assert r.out == "1\n" and "has gone" in r.err, r
    _goes_on(sess)


def test_no_room_for_the_file(sess, stream):
    r = sess.command(
        ["sh", "-c", f"exec {sess.binary} -q -save -o - v >/dev/full"]
    )
    assert r.status == 1 and "No space" in r.err, r
    r = sess.command(
        ["bash", "-c", f"ulimit -f 100; {sess.binary} -q -save -o f v"]
    )
    assert r.status == 1 and "too large" in r.err, r
    assert not (sess.work / "f").exists()
    assert not list(sess.work.glob("tmp-*"))
    _goes_on(sess)


def test_no_room_where_it_arrives(sess, there, stream):
    """SESS_DIR is on a small disk: too small for the image, or for what the
    image needs."""
    inside = "-m" if os.geteuid() == 0 and sess.user.is_root else "-Urm"
    probe = sess.command(["unshare", inside, "true"])
    if probe.status != 0:
        pytest.skip("no mount namespace of its own: " + probe.err)
    image = forge.stream_parts(stream.read_bytes())[0][1]
    for room in (image // 2, image + (1 << 20)):
        line = (
            f"mount -t tmpfs -o mode=700,size={room} none {there.dir} && "
            f"{{ {sess.binary} -revive -i {stream} w; echo $?; "
            f"find {there.dir}/saved -type f; }}"
        )
        r = sess.command(
            ["unshare", inside, "sh", "-c", line],
            env={"SESS_DIR": there.dir},
        )
        assert r.out == "1\n" and r.err.count("\n") == 1, r
        assert "free" in r.err or "No space" in r.err, r


@contextlib.contextmanager
def _half_arrived(there, stream):
    """A revival that waits for the second half of the image."""
    good = stream.read_bytes()
    fifo = there.work / "fifo"
    os.mkfifo(fifo)
    there.user.own(fifo)
    p = there.begin("-revive", "-i", fifo, "w", stderr=subprocess.PIPE)
    with open(fifo, "wb", buffering=0) as f:
        f.write(good[: forge.stream_parts(good)[0][1] // 2])
        harness.wait_until(
            lambda: list((there.dir / "saved").glob("w/tmp-*"))
        )
        yield p


def test_interrupted(sess, there, stream):
    """SIGTERM in the middle of what arrives."""
    with _half_arrived(there, stream) as p:
        p.send_signal(signal.SIGTERM)
        _, err = p.communicate(timeout=30)
    assert p.returncode == 1 and b"interrupted" in err
    _is_bare(there)


def test_killed_and_swept(sess, there, stream):
    """SIGKILL: what it leaves has no name, and goes with the next one."""
    with _half_arrived(there, stream) as p:
        p.kill()
        p.communicate(timeout=30)
    assert there.ok().count("\n") == 1
    there.ok("-revive", "-i", stream, "w")
    assert not list((there.dir / "saved").glob("*/tmp-*"))


def test_from_inside(sess, there):
    """A session sends itself: the copy that is revived says where it is."""
    t = attach(sess, "-c", "v", "bash", "--norc")
    t.line("sess -save -stop -o x")
    t.wait("has written anything")
    t.line("sess -save -o x; echo status=$?")
    t.wait("status=0")
    t.detach()
    there.ok("-revive", "-i", sess.work / "x", "w")
    t = attach(there, "-a", "w")
    t.wait("revived from v@1")
    t.line("echo on")
    t.wait("\non")
    t.detach()


def test_it_cannot_run_there(sess, there):
    """All of it is right, but a file that it reads is not there: it stays."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        file = Path(place) / "gone"
        file.write_text("x")
        sess.user.own(place)
        sess.user.own(file)
        sess.ok("-n", "v", "sh", "-c", f"exec sleep 1000 <{file}")
        sess.ok("-save", "-stop", "-o", sess.work / "x", "v")
        all_gone(sess)
        file.rename(f"{place}/away")
        err = there.fails("-revive", "-i", sess.work / "x", "w")
        assert "gone" in err and "sess -revive w" in err
        Path(f"{place}/away").rename(file)
        there.ok("-revive", "w")
        there.ok("-k", "w")
