"""Called as abduco, sess takes abduco's command lines and answers as it does
(abduco is not in Debian 12: what it does is known from its manual)."""

import os
import re
import signal
import stat

import pytest

import harness


@pytest.fixture
def abduco(sess):
    path = sess.work / "bin" / "abduco"
    path.parent.mkdir()
    path.symlink_to(sess.binary)
    return path


def fails(sess, abduco, *args):
    r = sess.command([abduco, *args])
    assert r.status == 1 and r.err.count("\n") == 1, r
    return r.err


def names(sess, abduco):
    """Mark and name of each session."""
    r = sess.command([abduco])
    head, *lines = r.out.splitlines()
    assert head == f"Active sessions (on host {os.uname().nodename})"
    form = r"([ *+]) \w+\t \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t\d+\t(.*)"
    return [re.fullmatch(form, line).groups() for line in lines]


def test_create_detach_list_attach_end(sess, abduco):
    t = sess.program(
        [abduco, "-c", "demo", "sh", "-c",
         "echo $ABDUCO_SESSION; test -S $ABDUCO_SOCKET; echo st=$?; read x; exit 5"]
    )
    t.wait("demo\nst=0")
    assert names(sess, abduco) == [("*", "demo")]
    t.detach()
    assert "abduco: demo: detached" in t.text
    assert names(sess, abduco) == [(" ", "demo")]
    t = sess.program([abduco, "-a", "-e", "^q", "demo"])
    t.wait("st=0")
    t.detach(b"\x11")
    t = sess.program([abduco, "-A", "demo", "false"])
    t.wait("st=0")
    t.line("")
    assert t.wait_exit() == 5
    assert "abduco: demo: session terminated with exit status 5" in t.text
    assert names(sess, abduco) == []


def test_a_status_waits_until_it_is_seen(sess, abduco):
    assert sess.command([abduco, "-n", "x", "sh", "-c", "exit 3"]).status == 0
    harness.wait_until(lambda: names(sess, abduco) == [("+", "x")])
    for flag in ("-n", "-c"):
        said = fails(sess, abduco, flag, "x", "true")
        assert said == "abduco: create-session: Address already in use\n"
    r = sess.command([abduco, "-a", "x"])
    assert r.status == 3 and "exit status 3" in r.err
    assert names(sess, abduco) == []
    said = fails(sess, abduco, "-a", "x")
    assert said == "abduco: attach-session: No such file or directory\n"


def test_force(sess, abduco):
    sess.command([abduco, "-n", "x", "sh", "-c", "exit 3"])
    harness.wait_until(lambda: names(sess, abduco) == [("+", "x")])
    r = sess.command([abduco, "-f", "-n", "x", "cat"])
    assert r.status == 0 and "exit status 3" in r.err
    assert names(sess, abduco) == [(" ", "x")]
    assert "has not yet terminated" in fails(sess, abduco, "-fn", "x", "cat")
    assert "already in use" in fails(sess, abduco, "-n", "x", "cat")


def test_quiet_read_only_and_low(sess, abduco):
    t = sess.program([abduco, "-q", "-c", "q", "cat"], rows=20)
    t.line("typed")
    t.wait("typed\ntyped")
    u = sess.program([abduco, "-rl", "-a", "q"], rows=10)
    u.wait("typed")
    u.line("lost")
    t.line("kept")
    u.wait("kept")
    assert "lost" not in t.text
    u.detach()
    t.detach()
    assert "detached" not in t.text


def test_pass_through(sess, abduco):
    sess.command([abduco, "-n", "p", "sh", "-c", "cat; sleep 1000"])
    r = sess.command([abduco, "-p", "p"], input=b"hello\n")
    assert (r.status, r.out, r.err) == (0, "", "")
    harness.wait_until(lambda: sess.ok("-history", "p").count("hello") == 2)


def test_a_name_that_is_a_path(sess, abduco):
    path = sess.work / "dir" / "sock"
    path.parent.mkdir()
    sess.user.own(path.parent)
    assert sess.command([abduco, "-n", "./dir/sock", "cat"]).status == 0
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    t = sess.program([abduco, "-a", path])
    t.line("hi")
    t.wait("hi\nhi")
    t.detach()
    assert "No such file" in fails(sess, abduco, "-n", "/nodir/x", "cat")
    path.with_name("file").touch()
    assert "in use" in fails(sess, abduco, "-n", "./dir/file", "cat")


def test_the_default_command(sess, abduco):
    env = {"ABDUCO_CMD": "echo default $ABDUCO_SESSION; cat"}
    t = sess.program([abduco, "-c", "d"], env=env)
    t.wait("default d")


def test_a_directory_of_its_own(sess, abduco):
    other = sess.work / "other"
    other.mkdir()
    sess.user.own(other)
    env = {"ABDUCO_SOCKET_DIR": other, "SESS_DIR": None}
    r = sess.command([abduco, "-n", "far", "cat"], env=env)
    assert r.status == 0, r
    try:
        assert "far" in sess.command([abduco], env=env).out
        assert names(sess, abduco) == []
    finally:
        moved = next(other.iterdir())
        sess.ok("-k", "far", env={"SESS_DIR": moved})


def test_wrong_command_lines(sess, abduco):
    for args in (["-x"], ["-a"], ["word"], ["-e", "^^^", "-a", "x"], ["-c"]):
        assert fails(sess, abduco, *args).startswith("usage: abduco") or \
            "usage: abduco" in fails(sess, abduco, *args)
    assert "slash" in fails(sess, abduco, "-n", "a/b", "cat")
    said = fails(sess, abduco, "-n", "x", "no-such-command")
    assert said == "abduco: server-execvp: no-such-command: No such file or directory\n"
    r = sess.command([abduco, "-v"])
    assert r.status == 0 and r.out.startswith("abduco-0.6")


def test_sigusr1_makes_the_socket_again(sess, abduco):
    sess.command([abduco, "-n", "./sock", "cat"])
    server = int(sess.command([abduco]).out.splitlines()[1].split("\t")[2])
    os.unlink(sess.work / "sock")
    os.kill(server, signal.SIGUSR1)
    harness.wait_until((sess.work / "sock").is_socket)
