"""sess -outside: a command run outside of a revived session's namespaces."""

import os

import harness
import pytest


@pytest.fixture
def inside(sess):
    """A terminal in a shell of a revived session."""
    t = sess.terminal("-c", "work", "bash", "--norc", cols=120)
    t.line("PS1='ok> '")
    t.wait("\nok>")
    sess.ok("-save", "-stop", "work")
    t.wait_exit()
    sess.ok("-revive", "work")
    t = sess.terminal("-a", "work", cols=120)
    t.wait("ok>")
    return t


def space(pid, kind="pid"):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def answer(t, line, what):
    """LINE is typed; WHAT stands on a line of its own."""
    t.line(f"clear; {line}")
    t.wait(lambda t: any(x == what for x in t.lines))


def test_it_runs_outside_with_our_directory_environment_and_status(inside, sess):
    t = inside
    (sess.work / "d").mkdir()
    sess.user.own(sess.work / "d")
    t.line(f"cd {sess.work}/d; clear; umask 027; readlink /proc/self/ns/pid >in")
    t.line("export word='two words'")
    t.line("sess -outside sh -c 'readlink /proc/self/ns/pid >out; pwd >>out; "
           'echo "$word" >>out; umask >>out; tty >>out; exit 7\'; echo "st"atus=$?')
    t.wait("status=7")
    out = (sess.work / "d/out").read_text().splitlines()
    assert out[0] == space("self")
    assert out[0] != (sess.work / "d/in").read_text().strip()
    assert out[1:4] == [str(sess.work / "d"), "two words", "0027"]
    assert out[4].startswith("/dev/pts/")
    answer(t, "sess -outside sh -c 'kill -9 $$'; echo status=$?", "status=137")
    answer(t, "sess -outside no-such-command; echo status=$?", "status=126")
    assert "no-such-command: command not found" in t.text
    answer(t, "sess -outside sh -c 'stty size'", "24 120")


def test_sudo_would_work(inside, sess, user):
    """No user namespace, and ids as before: what sudo asks for."""
    t = inside
    t.line("clear; sess -outside sh -c 'readlink /proc/self/ns/user; id -u;"
           " stat -c %u /etc; cat /proc/self/uid_map' >out; echo don''e")
    t.wait("done")
    ns, uid, owner, *uid_map = (sess.work / "out").read_text().split()
    assert ns == space("self", "user")
    assert (uid, owner) == (str(user.uid), "0")
    assert uid_map == ["0", "0", "4294967295"]


def row(t, text):
    t.wait(lambda t: any(x == text for x in t.lines))


def test_keys_sizes_and_stops(inside, sess):
    t = inside
    t.line("sess -outside sh -c 'echo on''e; exec cat'; echo status=$?")
    row(t, "one")
    t.line("typed")
    t.wait(lambda t: t.text.count("typed") == 2)
    t.send("\x03")
    t.wait("status=130")
    # A size that changes.
    t.line("sess -outside sh -c 'trap \"stty size; exit\" WINCH; echo tw''o;"
           " while :; do sleep 0.05; done'; echo siz''ed")
    row(t, "two")
    t.resize(30, 100)
    row(t, "30 100")
    row(t, "sized")
    # ^Z stops it, and this; fg goes on.
    t.line("sess -outside sh -c 'echo thre''e; exec cat'")
    row(t, "three")
    t.line("before")
    t.wait(lambda t: t.text.count("before") == 2)
    t.send("\x1a")
    t.wait("Stopped")
    t.line("fg; echo status=$?")
    t.line("after")
    t.wait(lambda t: t.text.count("after") >= 2)
    t.send("\x04")
    row(t, "status=0")


def test_pipes_are_passed_and_nothing_is_lost(inside, sess):
    t = inside
    data = os.urandom(300_000)
    (sess.work / "data").write_bytes(data)
    t.line("clear; cat data | sess -outside cat 2>err | tee copy | wc -c; "
           "sess -outside sh -c 'echo bad >&2; exit 3' 2>err; echo status=$?")
    t.wait(lambda t: any(x == "status=3" for x in t.lines))
    assert (sess.work / "copy").read_bytes() == data
    assert (sess.work / "err").read_text() == "bad\n"
    # Through the terminal: all lines, up to the last one.
    t.line("clear; sess -outside seq 20000; echo las''t")
    t.wait(lambda t: any(x == "last" for x in t.lines))
    assert "20000" in t.lines


def prompt(t):
    """The shell reads again: what is typed before goes to what runs."""
    t.wait(lambda t: t.text.rstrip().endswith("\nok>"))


def test_keys_are_read_where_the_input_is_something_else(inside, sess):
    """They are the program's, as from /dev/tty; and ^C is one of them."""
    t = inside
    t.line("clear; echo piped | sess -outside sh -c "
           "'read a; echo rea''dy; read b </dev/tty; echo $a-$b'")
    row(t, "ready")
    t.line("typed")
    row(t, "piped-typed")
    prompt(t)
    t.line("sess -outside sh -c 'echo go''es; exec sleep 1000' </dev/null; "
           "printf '\\nis-%s\\n' $?")
    row(t, "goes")
    t.send("\x03")
    row(t, "is-130")
    prompt(t)
    # None of it is a terminal's but the errors: keys are left to others.
    t.line("sess -outside sh -c 'echo no''w >&2; exec sleep 1000' </dev/null | "
           "(trap '' INT; cat); printf '\\nwas-%s\\n' ${PIPESTATUS[0]}")
    row(t, "now")
    t.send("\x03")
    row(t, "was-130")


def test_signals_and_the_end_of_the_client(inside, sess, user):
    t = inside
    t.line("clear; sess -outside sh -c 'echo $$ >pid; trap \"echo hu''p\" USR1;"
           " while :; do sleep 0.05; done' & echo $! >client")
    harness.wait_until(lambda: (sess.work / "pid").exists()
                       and (sess.work / "pid").read_text().strip())
    pid = int((sess.work / "pid").read_text())
    assert harness.state(pid)
    t.line("kill -USR1 $(cat client)")
    t.wait(lambda t: any(x == "hup" for x in t.lines))
    t.line("kill -9 $(cat client)")
    harness.wait_until(lambda: harness.state(pid) in (None, "Z"))


def test_a_save_meanwhile(inside, sess):
    """The session is saved, ended and revived while something runs outside:
    that is lost, and said; nothing of it is left."""
    t = inside
    t.line("clear; sess -outside sh -c 'echo $$ >pid; exec sleep 1000'; echo status=$?")
    harness.wait_until(lambda: (sess.work / "pid").exists()
                       and (sess.work / "pid").read_text().strip())
    pid = int((sess.work / "pid").read_text())
    r = sess.run("-save", "-stop", "work")
    if r.status != 0:
        assert "sess" in r.err  # refused in words: the session goes on
        t.send("\x03")
        t.wait("status=130")
        return
    harness.wait_until(lambda: harness.state(pid) in (None, "Z"))
    sess.ok("-revive", "work")
    t = sess.terminal("-a", "work", cols=120)
    t.wait("what ran outside is gone")
    t.wait("status=1")
    t.line("echo still''-here")
    t.wait("still-here")


def test_where_there_is_no_inside(sess):
    assert "this is outside" in sess.fails("-outside", "true")
    t = sess.terminal("-c", "new", "bash", "--norc")
    t.line("sess -outside sh -c 'exit 9'; echo status=$?")
    t.wait("status=9")
    t.line("sess -outside nothing-such; echo status=$?")
    t.wait("status=127")
    assert sess.run("-outside").status == 2


def test_what_differs_is_said_by_revive_and_by_the_first_attach(sess, user):
    t = sess.terminal("-c", "work", "bash", "--norc")
    t.line("PS1='ok> '")
    t.wait("\nok>")
    sess.ok("-save", "-stop", "work")
    t.wait_exit()
    t = sess.terminal("-revive", "work", cols=150)
    assert t.wait_exit() == 0
    told = "sudo, su and ping do not work in it, but sess -outside sudo CMD does"
    assert (told in t.text) == (not user.is_root)
    for first in (True, False):
        t = sess.terminal("-a", "work", cols=150)
        t.wait("ok>")
        assert (told.encode() in t.raw) == (first and not user.is_root)
        t.detach()
    # Not where nobody reads it.
    sess.ok("-save", "-stop", "work")
    r = sess.run("-revive", "work")
    assert r.status == 0 and r.err == "", r
