"""What becomes of files between a save and a revival: changed, deleted,
grown, upgraded; directories that are gone; files that had no name."""

import os
import pathlib
import shutil
import tempfile

import harness
from asker import Asker
from rounds import all_gone, attach, revive_anew


def _file(sess, text):
    """The user's file `data`, with TEXT in it."""
    data = sess.work / "data"
    data.write_text(text)
    sess.user.own(data)
    return data


def _keeper(sess, how, name="data"):
    """A shell that holds file NAME open as 3 by HOW, and answers lines."""
    t = attach(
        sess,
        "-c",
        "k",
        "bash",
        "--norc",
        "-c",
        f"exec 3{how}{name}; echo open; while read x; do eval \"$x\"; done",
    )
    t.wait("open")
    return t


def _reads(t, line):
    """The keeper reads the file's next line, which is LINE."""
    t.line("read -u 3 a; echo got-$a")
    t.wait(f"got-{line}")


def _away(sess, t):
    t.detach()
    sess.ok("-save", "-stop", "k")
    all_gone(sess)


def _back(sess):
    r = sess.run("-revive", "k")
    assert r.status == 0, r
    return r.out + r.err, attach(sess, "-a", "k")


def test_a_file_that_was_changed_meanwhile(sess):
    """Open for writing: the program finds what it left; the other content
    is set aside, not lost."""
    data = _file(sess, "as it was\n")
    t = _keeper(sess, "<>")
    t.line("echo half >&3")
    harness.wait_until(lambda: "half" in data.read_text())
    saved = data.read_text()
    _away(sess, t)
    data.write_text("written by somebody later\n")
    said, t = _back(sess)
    assert data.read_text() == saved
    aside = list(sess.work.glob("data.sess-*"))
    assert len(aside) == 1, list(sess.work.iterdir())
    (line,) = [x for x in said.splitlines() if f"{data} had changed" in x]
    assert aside[0].name in line
    assert aside[0].read_text() == "written by somebody later\n"
    t.line("echo more >&3; echo done-$?")
    t.wait("done-0")
    assert data.read_text().endswith("more\n")


# A database of 300 rows, and one more for each line that is typed.
DATABASE = """\
import sqlite3, sys
db = sqlite3.connect("data.db")
with db:
    db.execute("create table t (n integer primary key, x)")
    db.executemany("insert into t values (?, ?)",
                   [(n, str(n) * 500) for n in range(300)])
print("open", flush=True)
for line in sys.stdin:
    with db:
        db.execute("insert into t (x) values ('more')")
    print("rows", db.execute("select count(*) from t").fetchone(), flush=True)
"""
# Another one changes it and dies before it commits.
CRASH = """\
import os, sqlite3
db = sqlite3.connect("data.db")
db.execute("insert into t (x) values ('later')")
db.commit()
db.execute("pragma cache_size = 10")
db.execute("update t set x = x || 'changed'")
os._exit(0)
"""
ASK = """\
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("pragma integrity_check").fetchall())
print(db.execute("select count(*), sum(x like '%changed') from t").fetchall())
"""


def test_a_database_and_the_journal_of_a_later_change(sess):
    """A journal left by a later change would be played back into what is put
    back; it goes aside with the database that it belongs to."""
    for name, text in (("db.py", DATABASE), ("crash.py", CRASH), ("ask.py", ASK)):
        (sess.work / name).write_text(text)
    t = attach(sess, "-c", "k", "python3", "db.py")
    t.wait("open")
    _away(sess, t)
    assert sess.command(["python3", "crash.py"]).status == 0
    assert (sess.work / "data.db-journal").stat().st_size > 0
    _, t = _back(sess)
    t.line("")
    t.wait("rows (301,)")
    (aside,) = sess.work.glob("data.db.sess-*[0-9]")
    for path, rows in ((sess.work / "data.db", 301), (aside, 301)):
        r = sess.command(["python3", "ask.py", path])
        assert r.out == f"[('ok',)]\n[({rows}, 0)]\n", (path, r)


def test_a_file_that_was_deleted_meanwhile(sess):
    data = _file(sess, "one\ntwo\n")
    t = _keeper(sess, "<>")
    _reads(t, "one")
    _away(sess, t)
    data.unlink()
    _, t = _back(sess)
    _reads(t, "two")


def test_a_file_whose_directory_is_gone(sess):
    """It is told what to do; -force goes on with /dev/null in its place."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as outer:
        sess.user.own(outer)
        place = pathlib.Path(outer) / "place"
        place.mkdir()
        data = place / "data"
        data.write_text("one\n")
        for p in (place, data):
            sess.user.own(p)
        t = _keeper(sess, "<>", data)
        _away(sess, t)
        shutil.rmtree(place)
        err = sess.fails("-revive", "k")
        assert f"directory of {data} is gone" in err, err
        sess.ok("-revive", "-force", "k")
        t = attach(sess, "-a", "k")
        t.line("read -u 3 a; echo got-$?")
        t.wait("got-1")
        assert not place.exists()


def test_a_log_that_has_grown(sess):
    """O_APPEND: nothing is put back, the program goes on at the end."""
    data = _file(sess, "begin\n")
    t = _keeper(sess, ">>")
    t.line("echo mine >&3")
    harness.wait_until(lambda: "mine" in data.read_text())
    _away(sess, t)
    with data.open("a") as f:
        f.write("of others\n")
    _, t = _back(sess)
    t.line("echo mine again >&3; echo done-$?")
    t.wait("done-0")
    assert data.read_text() == "begin\nmine\nof others\nmine again\n"


def test_a_file_that_is_only_read_and_was_replaced(sess):
    """As editors do it: a new file under the old name. The program reads on
    at its offset, or the revival is refused and names the file."""
    data = _file(sess, "one\ntwo\nthree\n")
    t = _keeper(sess, "<")
    _reads(t, "one")
    _away(sess, t)
    new = sess.work / "new"
    new.write_text("1\n2\n3\n4\n5\n")
    new.rename(data)
    r = sess.run("-revive", "k")
    if r.status != 0:
        assert "data" in r.err, r
        all_gone(sess)
        return
    t = attach(sess, "-a", "k")
    t.line("read -u 3 a; echo got-$a.")
    t.wait(lambda t: t.text.count("got-") >= 2)


def test_an_upgrade_does_not_prevent_a_revival(sess):
    """The program's file is replaced by another version: the kept copy runs,
    and the listing of what is different says so."""
    prog = sess.work / "prog"
    shutil.copy("/bin/dash", prog)
    prog.chmod(0o755)
    sess.user.own(prog)
    t = attach(sess, "-c", "k", prog, env={"PS1": "ok> "})
    t.wait("ok>")
    t.line("kept=plum")
    _away(sess, t)
    prog.unlink()
    prog.write_text("#!/bin/sh\nexit 9\n")
    prog.chmod(0o755)
    _, t = _back(sess)
    t.line("echo is-$kept")
    t.wait("is-plum")
    t.line("ls /usr >/dev/null && echo listed-$?")
    t.wait("listed-0")
    t.detach()
    revive_anew(sess, "k")
    t = attach(sess, "-a", "k")
    t.line("echo still-$kept")
    t.wait("still-plum")


def test_a_program_and_its_kept_copy_are_gone(sess):
    """The line names the file and the way out."""
    prog = sess.work / "prog"
    shutil.copy("/bin/dash", prog)
    prog.chmod(0o755)
    t = attach(sess, "-c", "k", prog, env={"PS1": "ok> "})
    t.wait("ok>")
    _away(sess, t)
    prog.write_text("#!/bin/sh\nexec sleep 1000\n")
    for kept in (sess.dir / "saved" / "objects").glob("*-*"):
        was = kept.read_bytes()
        kept.chmod(0o700)
        kept.write_bytes(was[:-1] + bytes([was[-1] ^ 1]))
        kept.chmod(0o500)
    err = sess.fails("-revive", "k")
    assert f"{prog} has changed" in err and "is damaged" in err, err
    shutil.rmtree(sess.dir / "saved" / "objects")
    err = sess.fails("-revive", "k")
    assert f"{prog} has changed" in err and "-relaunch" in err, err
    sess.ok("-revive", "-relaunch", "k")
    sess.ok("-k", "k")


def test_a_program_whose_file_is_gone(sess):
    prog = sess.work / "prog"
    shutil.copy("/bin/dash", prog)
    prog.chmod(0o755)
    sess.user.own(prog)
    t = attach(sess, "-c", "k", prog, env={"PS1": "ok> "})
    t.wait("ok>")
    prog.unlink()
    t.line("kept=plum")
    _away(sess, t)
    _, t = _back(sess)
    t.line("echo is-$kept")
    t.wait("is-plum")


def test_a_working_directory_that_is_gone(sess):
    """The program is revived all the same, as if it had been removed under
    its feet."""
    place = sess.work / "place"
    place.mkdir()
    sess.user.own(place)
    t = attach(sess, "-c", "k", "dash", env={"PS1": "ok> "}, cwd=place)
    t.wait("ok>")
    _away(sess, t)
    place.rmdir()
    _, t = _back(sess)
    t.line("cd /usr; pwd -P; echo done-$((1+1))")
    t.wait("/usr\ndone-2")


def test_a_file_without_a_name(sess):
    """Deleted before the save: its content comes back, no name does."""
    data = _file(sess, "".join(f"line {n}\n" for n in range(5000)))
    t = _keeper(sess, "<>")
    t.line("rm data; read -u 3 a; read -u 3 a; echo got-$a")
    t.wait("got-line 1")
    for n in range(2, 5):
        t.detach()
        revive_anew(sess, "k")
        t = attach(sess, "-a", "k")
        _reads(t, f"line {n}")
    assert sorted(os.listdir(sess.work)) == [], os.listdir(sess.work)


def test_a_large_file_that_is_only_read(sess):
    """Nothing of it goes into the image."""
    data = sess.work / "data"
    with data.open("wb") as f:
        f.truncate(300 << 20)
        f.seek(200 << 20)
        f.write(b"\nhere\n")
    sess.user.own(data)
    t = _keeper(sess, "<")
    _away(sess, t)
    image = sess.dir / "saved" / "k" / "1.sess"
    assert image.stat().st_size < 20 << 20
    _back(sess)


def test_a_program_that_may_not_be_executed_any_more(sess):
    program = sess.work / "prog"
    shutil.copy("/bin/sleep", program)
    sess.user.own(program)
    program.chmod(0o755)
    sess.ok("-n", "k", "./prog", "1000")
    program.chmod(0o644)
    for _ in range(2):
        revive_anew(sess, "k")
    assert sess.pid("k")


def test_a_watch_of_a_place_that_only_the_program_knows(sess):
    """No descriptor, argument or directory of its own leads there."""
    place = sess.work.parent / "elsewhere" / "below"
    place.mkdir(parents=True)
    sess.user.own(place)
    p = Asker(
        sess,
        "i = ctypes.CDLL(None).inotify_init()",
        f"where = b'{place}'; w = ctypes.CDLL(None).inotify_add_watch(i, where,"
        " 0x100)",
    )
    for n in range(2):
        p.again()
    (place / "file").touch()
    p.ask("b'file' in os.read(i, 4096), w", "True 1")
