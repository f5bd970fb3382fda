"""What cannot be revived is started again where one asks for it, and called
that."""

import forge
import pytest
from rounds import all_gone, attach, running


def _spoil(sess, name="v"):
    """The newest snapshot needs a processor that nobody has."""
    path = sorted((sess.dir / "saved" / name).glob("*.sess"))[-1]
    image = bytearray(path.read_bytes())
    forge.want_all_features(image)
    path.write_bytes(image)


def test_a_shell_is_started_again(sess):
    place = sess.work / "place"
    place.mkdir()
    sess.user.own(place)
    t = sess.terminal(
        "-c", "v", "bash", "--norc", cwd=place, env={"KEPT": "kept", "PS1": "> "}
    )
    t.wait(">")
    t.line("echo be''fore; lost=1; umask 027; printf '\\033[?1000h\\033[?2004h'")
    t.wait("before")
    t.detach()
    sess.ok("-save", "-stop", "v")
    all_gone(sess)
    _spoil(sess)
    assert "processor" in sess.fails("-revive", "v")
    r = sess.run("-revive", "-relaunch", "v")
    assert r.status == 0 and "processor" in r.err, r
    assert "started again" in r.out
    t = attach(sess, "-a", "v")
    t.wait("started again")
    assert "before" in t.text, "its screen"
    t.line('echo "is:$KEPT:$lost:$PWD:$(umask):"')
    t.wait(f"is:kept::{place}:0027:")
    assert b"\x1b[?1000h" not in t.raw, "modes of the lost program"
    t.detach()
    assert "v@1" in sess.ok("-history", "v").replace("\n", "")
    sess.ok("-save", "v")
    sess.ok("-k", "v")


def test_what_can_be_revived_is(sess):
    sess.ok("-n", "v", "sleep", "1000")
    sess.ok("-save", "-stop", "v")
    all_gone(sess)
    assert "revived" in sess.ok("-revive", "-relaunch", "v")
    sess.ok("-k", "v")


def test_of_a_moved_session(sess):
    """SESS_DIR is the one that we use now, not the one it was started with."""
    sess.ok("-n", "v", "sleep", "1000")
    sess.ok("-save", "-stop", "-o", sess.work / "x", "v")
    all_gone(sess)
    there = sess.work / "there"
    there.mkdir(mode=0o700)
    sess.user.own(there)
    env = {"SESS_DIR": there}
    sess.ok("-revive", "-i", sess.work / "x", "w", env=env)
    sess.ok("-save", "-stop", "w", env=env)
    path = there / "saved" / "w" / "2.sess"
    image = bytearray(path.read_bytes())
    forge.want_all_features(image)
    path.write_bytes(image)
    sess.ok("-revive", "-relaunch", "w", env=env)
    assert "w " in sess.ok(env=env)
    assert "sleep 1000" in sess.ok(env=env)
    sess.ok("-k", "w", env=env)


@pytest.mark.parametrize("what", ["directory", "image", "command"])
def test_no_more_than_a_sentence(sess, what):
    place = sess.work / "place"
    place.mkdir()
    sess.user.own(place)
    own = place / "own"
    own.write_text("#!/bin/sh\nsleep 1000\n")
    own.chmod(0o755)
    sess.user.own(own)
    sess.ok("-n", "v", own, cwd=place)
    sess.ok("-save", "-stop", "v")
    all_gone(sess)
    _spoil(sess)
    if what == "image":
        path = sess.dir / "saved" / "v" / "1.sess"
        path.write_bytes(path.read_bytes()[:-500])
    elif what == "command":
        own.unlink()
    else:
        own.unlink()
        place.rmdir()
    sess.fails("-revive", "-relaunch", "v")
    all_gone(sess)
    assert " saved " in sess.ok()
    assert not running(sess, "sleep")
