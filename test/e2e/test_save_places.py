"""What lay in places that a reboot empties is put back: directories with
their modes, FIFOs, and all of a TMPDIR of the session's own. Never through a
symbolic link, and nothing that is there is touched."""

import os
import shutil
import stat
import tempfile

import pytest

import harness
from rounds import all_gone, attach

PROMPT = "ready$ "


def _shell(sess, env=None):
    t = attach(
        sess, "-c", "work", "bash", "--norc", env={"PS1": PROMPT, **(env or {})}
    )
    t.wait(PROMPT.strip())
    return t


def _save(sess, t):
    t.detach()
    sess.ok("-save", "-stop", "work")
    all_gone(sess)


def _mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def _say(t, command, answer):
    """The answer is not what was typed."""
    t.line(command)
    t.wait(answer)


def test_directories_and_fifos(sess):
    top = sess.work / "top"
    t = _shell(sess)
    t.line("mkdir -m 750 top top/in; mkdir -m 2711 top/in/deep; cd top/in/deep")
    t.line("mkfifo -m 620 pipe; exec 5<>pipe 6>>log 7<..; echo one >&6")
    _say(t, "echo made-$((6 * 7))", "made-42")
    before = [_mode(top / p) for p in (".", "in", "in/deep", "in/deep/pipe")]
    owner = os.stat(top).st_uid
    _save(sess, t)
    shutil.rmtree(top)
    sess.ok("-revive", "work")
    assert before == [
        _mode(top / p) for p in (".", "in", "in/deep", "in/deep/pipe")
    ]
    assert os.stat(top / "in").st_uid == owner
    t = attach(sess, "-a", "work")
    _say(t, "pwd -P; echo two >&6; cat log; ls ..", "two")
    t.wait("deep")
    _say(t, 'echo through >&5; read x <pipe; echo "got $x"', "got through")
    assert (top / "in/deep/log").read_text() == "one\ntwo\n"


def test_all_of_tmpdir(sess):
    tmp = sess.work / "tmp"
    tmp.mkdir(mode=0o700)
    sess.user.own(tmp)
    t = _shell(sess, env={"TMPDIR": str(tmp)})
    t.line("cd $TMPDIR; mkdir -p a/b; echo kept >a/b/file; chmod 640 a/b/file")
    t.line("ln -s a/b/file link; mkfifo -m 600 fifo")
    t.line("truncate -s 100000 a/sparse; echo end >>a/sparse; cd /")
    _say(t, "echo made-$((6 * 7))", "made-42")
    _save(sess, t)
    shutil.rmtree(tmp / "a")
    for p in ("link", "fifo"):
        (tmp / p).unlink()
    (tmp / "link").write_text("somebody's")
    sess.ok("-revive", "work")
    assert (tmp / "a/b/file").read_text() == "kept\n"
    assert _mode(tmp / "a/b/file") == 0o640
    assert (tmp / "a/sparse").read_bytes() == bytes(100000) + b"end\n"
    assert stat.S_ISFIFO(os.lstat(tmp / "fifo").st_mode)
    assert (tmp / "link").read_text() == "somebody's"
    shutil.rmtree(tmp)
    sess.ok("-k", "work")
    all_gone(sess)
    sess.ok("-revive", "work")
    assert os.readlink(tmp / "link") == "a/b/file"
    assert (tmp / "link").read_text() == "kept\n"


def test_a_symbolic_link_in_the_way(sess):
    """As somebody who may write in /tmp would lay it."""
    top, trap = sess.work / "top", sess.work / "trap"
    t = _shell(sess)
    t.line("mkdir -p top/in; cd top/in; echo x >file; exec 5<>file; cd /")
    _say(t, "echo made-$((6 * 7))", "made-42")
    _save(sess, t)
    shutil.rmtree(top)
    trap.mkdir()
    sess.user.own(trap)
    top.symlink_to(trap)
    r = sess.run("-revive", "work")
    assert r.status != 0 and str(top) in r.err, r
    assert not list(trap.iterdir())
    top.unlink()
    sess.ok("-revive", "work")
    assert (top / "in/file").read_text() == "x\n"


def test_removed_working_directory_comes_back(sess):
    """Wherever it was."""
    place = tempfile.mkdtemp(dir="/var/tmp", prefix="sess-test-")
    try:
        sess.user.own(harness.Path(place))
        t = _shell(sess)
        t.line(f"mkdir -p -m 755 {place}/a/b; cd {place}/a/b")
        _say(t, "echo made-$((6 * 7))", "made-42")
        _save(sess, t)
        shutil.rmtree(f"{place}/a")
        sess.ok("-revive", "work")
        t = attach(sess, "-a", "work")
        _say(t, "echo >new; echo $(ls)-there", "new-there")
        assert os.path.exists(f"{place}/a/b/new")
    finally:
        shutil.rmtree(place)


def test_what_is_removed_stays_removed(sess):
    """A deleted file, a deleted directory that is open, and one it is in."""
    t = _shell(sess)
    t.line("mkdir gone; cd gone; mkdir open; exec 5<open; rmdir open")
    t.line("echo text >file; exec 6<>file; rm file; rmdir ../gone")
    _say(t, "echo made-$((6 * 7))", "made-42")
    _save(sess, t)
    sess.ok("-revive", "work")
    assert not (sess.work / "gone").exists()
    t = attach(sess, "-a", "work")
    _say(t, 'read x <&6; echo "got $x"', "got text")
    _say(t, "readlink /proc/self/fd/5", "(deleted)")


@pytest.mark.parametrize("how", ["-save", "-check"])
def test_what_is_too_large_is_said(sess, how):
    t = _shell(sess)
    t.line("truncate -s 100M big; exec 5<>big")
    _say(t, "echo made-$((6 * 7))", "made-42")
    t.detach()
    r = sess.run(how, "work")
    assert r.status == 0 and "big is too large" in r.out + r.err, r
