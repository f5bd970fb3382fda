"""-mv: another name for a session, living, saved or ended."""

import os

import harness

LONG = "x" * 200
LONG_TOO = "y" * 201


def test_a_living_one(sess, sess_dir):
    t = sess.terminal("-c", "old", "bash", "--norc")
    t.line(f"PATH={sess.bin}:$PATH; x=kept; echo r''eady")
    t.wait("ready")
    pid = sess.pid("old")
    sess.ok("-mv", "old", "new")
    assert sess.pid("new") == pid
    assert "no session 'old'" in sess.fails("-pid", "old")
    assert sorted(os.listdir(sess_dir / "run")) == ["new.lock", "new.sock"]
    # The terminal that is attached stays, and inside all is as before,
    # though another session has the old name now.
    sess.ok("-n", "old", "sleep", "1000")
    t.line("echo $SESS_SESSION; sess -save")
    t.wait("saved as new@1")
    t.line("sess -a new")
    t.wait("this is session 'new' itself")
    t.line("sess -n inner sleep 1000; sess -save -q; echo d''one")
    t.wait("done")
    assert harness.parent(sess.pid("inner")) != harness.parent(pid)
    t.detach()
    t = sess.terminal("-a", "new")
    t.line("echo still-$x")
    t.wait("still-kept")
    t.line("exit 6")
    assert t.wait_exit() == 6
    sess.ok("-k", "old")
    sess.ok("-k", "inner")
    harness.wait_until(lambda: os.listdir(sess_dir / "run") == [])


def test_snapshots_follow_a_living_one_and_it_comes_back(sess, sess_dir):
    for old, new in (("a", "b"), (LONG, "c"), ("d", LONG_TOO), (LONG, LONG_TOO)):
        sess.ok("-n", old, "sh", "-c", "echo here; exec cat")
        sess.ok("-save", old)
        sess.ok("-mv", old, new)
        sess.ok("-save", "-stop", new)
        out = sess.ok()
        assert new in out and f"\n{old} " not in out
        assert new + "@2" in sess.ok("-revive", new)
        t = sess.terminal("-a", new)
        t.wait("here")
        t.detach()
        sess.ok("-k", new)
        sess.ok("-rm", new)
        assert os.listdir(sess_dir / "run") == []
        assert [d for d in os.listdir(sess_dir / "saved") if d != "objects"] == []


def test_a_renamed_one_still_knows_itself_after_revival(sess):
    t = sess.terminal("-c", "first", "bash", "--norc")
    t.line(f"PATH={sess.bin}:$PATH; echo r''eady")
    t.wait("ready")
    t.detach()
    sess.ok("-mv", "first", "second")
    sess.ok("-save", "-stop", "second")
    sess.ok("-mv", "second", "third")
    sess.ok("-revive", "third")
    t = sess.terminal("-a", "third")
    t.line("sess -save")
    t.wait("saved as third@2")


def test_a_saved_one(sess, sess_dir):
    for old, new in (("a", "b"), ("b", LONG), (LONG, LONG_TOO), (LONG_TOO, "c")):
        if old == "a":
            sess.ok("-n", old, "sh", "-c", "echo here; exec cat")
            sess.ok("-save", "-stop", old)
        sess.ok("-mv", old, new)
        rows = [line.split()[:2] for line in sess.ok().splitlines()[1:]]
        assert rows == [[new, "saved"]]
        assert os.listdir(sess_dir / "run") == []
    sess.ok("-revive", "c")
    t = sess.terminal("-a", "c")
    t.wait("here")


def test_an_ended_one(sess):
    sess.ok("-n", "old", "sh", "-c", "exit 8")
    harness.wait_until(lambda: "ended 8" in sess.ok())
    sess.ok("-mv", "old", "new")
    assert "no session 'old'" in sess.fails("-wait", "old")
    assert sess.run("-a", "new").status == 8


def test_an_ended_one_with_snapshots_does_not_come_back_by_itself(sess):
    sess.ok("-n", "old", "sleep", "1000")
    sess.ok("-save", "old")
    sess.ok("-k", "old")
    sess.ok("-mv", "old", "new")
    # -A revives what was saved and creates where something has ended.
    t = sess.terminal("-A", "new", "sh", "-c", "echo created; exec cat")
    t.wait("created")


def test_names_that_are_taken_and_wrong_ones(sess):
    sess.ok("-n", "a", "sleep", "1000")
    sess.ok("-n", "b", "sleep", "1000")
    sess.ok("-n", "s", "sleep", "1000")
    sess.ok("-save", "-stop", "s")
    assert "runs already" in sess.fails("-mv", "a", "b")
    assert "snapshots of 's'" in sess.fails("-mv", "a", "s")
    assert "runs already" in sess.fails("-mv", "s", "a")
    assert "already" in sess.fails("-mv", "a", "a")
    assert "slash" in sess.fails("-mv", "a", "x/y")
    assert "no session 'none'" in sess.fails("-mv", "none", "c")
    for name in ("a", "b"):
        assert sess.run("-pid", name).status == 0
    assert sess.run("-mv", "a").status == 2
    assert sess.run("-mv", "a", "b", "c").status == 2
    sess.ok("-revive", "s")
    states = [line.split()[:2] for line in sess.ok().splitlines()[1:]]
    assert states == [[n, "detached"] for n in ("a", "b", "s")]
