"""A database that went on changing after its snapshot: the older one comes
back whole, the newer one is set aside whole, neither is ever corrupted."""

import sqlite3
import sys

import pytest

import harness
from rounds import all_gone, attach, revive_anew

PROGRAM = r"""
import sqlite3, sys
db = sqlite3.connect("db", isolation_level=None)
db.execute("pragma cache_size = 5")  # so that it spills
db.execute("pragma journal_mode = " + sys.argv[1])
db.execute("create table if not exists t (x, y)")
print("ready", flush=True)
for line in sys.stdin:
    word = line.strip()
    if word in ("begin", "commit"):
        db.execute(word)
    elif word == "check":
        print("check", db.execute("pragma integrity_check").fetchone()[0],
              flush=True)
    else:
        db.execute("savepoint s")
        for i in range(300):
            db.execute("insert into t values (?, ?)", (i, "y" * 500))
        db.execute("release s")
    print(word, "is", db.execute("select count(*) from t").fetchone()[0],
          flush=True)
"""


def _start(sess, mode):
    script = sess.work / "database.py"
    script.write_text(PROGRAM)
    t = attach(sess, "-c", "work", sys.executable, script, mode)
    t.wait("ready")
    return t


def _do(t, word, count):
    t.line(word)
    t.wait(f"{word} is {count}")


def _kill_and_revive(sess, t):
    t.detach()
    sess.ok("-k", "work")
    all_gone(sess)
    sess.ok("-revive", "work")
    return attach(sess, "-a", "work")


def _sound(path, count):
    db = sqlite3.connect(path)
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    assert db.execute("select count(*) from t").fetchone() == (count,)
    db.close()


@pytest.mark.parametrize("mode", ["wal", "delete", "persist"])
def test_it_went_on_after_the_snapshot(sess, mode):
    t = _start(sess, mode)
    _do(t, "a", 300)
    t.detach()
    sess.ok("-save", "work")
    t = attach(sess, "-a", "work")
    _do(t, "b", 600)
    _do(t, "begin", 600)  # killed with a journal that is hot
    _do(t, "c", 900)
    t = _kill_and_revive(sess, t)
    _do(t, "check", 300)
    assert "check ok" in t.text
    _do(t, "d", 600)
    t.send("\x04")
    assert t.wait_exit() == 0
    _sound(sess.work / "db", 600)
    aside = [
        f
        for f in sess.work.glob("db.sess-*")
        if not f.name.endswith(("-wal", "-shm", "-journal"))
    ]
    assert len(aside) == 1, list(sess.work.iterdir())
    _sound(aside[0], 600)  # what was committed


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_snapshot_in_a_transaction(sess, mode):
    t = _start(sess, mode)
    _do(t, "a", 300)
    _do(t, "begin", 300)
    _do(t, "b", 600)
    t.detach()
    sess.ok("-save", "work")
    t = attach(sess, "-a", "work")
    _do(t, "c", 900)
    _do(t, "commit", 900)
    _do(t, "d", 1200)
    t = _kill_and_revive(sess, t)
    _do(t, "e", 900)
    t.detach()
    revive_anew(sess, "work")
    t = attach(sess, "-a", "work")
    _do(t, "commit", 900)
    _do(t, "check", 900)
    assert "check ok" in t.text
    t.send("\x04")
    assert t.wait_exit() == 0
    _sound(sess.work / "db", 900)


def _large(sess, *how):
    """A session that has written a file of 70 MB, which changes later."""
    big = sess.work / "big"
    script = "truncate -s 70M big; exec 5<>big; echo begin >&5; echo up; read x"
    t = attach(sess, "-c", "work", "bash", "-c", script + "; echo new >&5")
    t.wait("up")
    t.detach()
    sess.ok("-save", "-stop", *how, "work")
    all_gone(sess)
    with big.open("r+b") as f:
        f.write(b"other")
    return big


def test_a_changed_file_that_was_not_kept(sess):
    big = _large(sess)
    r = sess.run("-revive", "work")
    assert r.status != 0 and str(big) in r.err and "-force" in r.err, r
    sess.ok("-revive", "-force", "work")
    t = attach(sess, "-a", "work")
    t.send("\r")
    assert t.wait_exit() == 0
    with big.open("rb") as f:
        assert f.read(10) == b"other\nnew\n"


def test_a_file_that_is_gone(sess):
    big = _large(sess)
    big.unlink()
    r = sess.run("-revive", "work")
    assert r.status != 0 and "is gone" in r.err, r
    sess.ok("-revive", "-force", "work")
    t = attach(sess, "-a", "work")
    t.send("\r")
    assert t.wait_exit() == 0
    assert not big.exists()


def test_a_large_file_kept_on_demand(sess):
    big = _large(sess, "-with-files")
    sess.ok("-revive", "work")
    with big.open("rb") as f:
        assert f.read(6) == b"begin\n"
    aside = harness.wait_until(lambda: list(sess.work.glob("big.sess-*")))
    with aside[0].open("rb") as f:
        assert f.read(6) == b"other\n"
