"""Sockets whose other end, or whose name, is outside the session: cut off,
connected again, refused, put back. What is within it: test/victim/named.c,
inet.c and sockets.c."""

import os
import socket
import stat
import textwrap
from pathlib import Path

import pytest

import harness
from rounds import all_gone, attach, revive_anew

# Runs a line of its input after another; what it prints begins with a mark,
# which what is typed has not.
PROGRAM = """
import ctypes, errno, os, socket, sys
from socket import *
def say(*what): print(chr(61) * 2, *what, flush=True)
def failure(f, *args):
    try:
        return repr(f(*args))
    except OSError as e:
        return errno.errorcode[e.errno]
say("begun")
for line in sys.stdin:
    try:
        exec(line)
    except Exception as e:
        say("failed", repr(e))
"""


def _begin(sess, *lines):
    (sess.work / "program.py").write_text(textwrap.dedent(PROGRAM))
    t = attach(sess, "-c", "p", "/usr/bin/python3", "program.py", cols=200)
    t.wait("== begun")
    for n, line in enumerate(lines):
        _do(t, line, n)
    return t


def _do(t, line, n=0):
    t.line(f"{line}; say('done', {n}, {len(line)})")
    t.wait(f"== done {n} {len(line)}")
    assert "failed" not in t.text, t.text


def _ask(t, what, *wanted):
    t.line(f"say({what})")
    t.wait(lambda t: any(f"== {w}\n" in t.text for w in wanted))


def _again(sess, t):
    t.detach()
    revive_anew(sess, "p")
    return attach(sess, "-a", "p", cols=200)


@pytest.fixture
def outside():
    """A TCP server that does not belong to any session."""
    s = socket.socket()
    s.settimeout(20)
    s.bind(("127.0.0.1", 0))
    s.listen()
    yield s
    s.close()


def test_tcp_to_the_outside_is_cut_off(sess, outside):
    port = outside.getsockname()[1]
    t = _begin(sess, f"c = create_connection(('127.0.0.1', {port}))")
    peer, _ = outside.accept()
    peer.sendall(b"read by nobody")
    t.line("c.settimeout(5); say(c.recv(5))")
    t.wait("== b'read '")
    r = sess.run("-check", "p")
    assert r.status == 0 and f"127.0.0.1 port {port}" in r.out, r
    t.detach()
    r = sess.run("-save", "-stop", "p")
    assert f"127.0.0.1 port {port}" in r.out + r.err, r
    all_gone(sess)
    sess.ok("-revive", "p")
    t = attach(sess, "-a", "p", cols=200)
    _ask(t, "c.recv(50)", "b'by nobody'")
    _ask(t, "failure(c.recv, 5)", "ECONNRESET")
    _ask(t, "failure(c.send, b'x')", "EPIPE")
    t = _again(sess, t)
    _ask(t, "failure(c.recv, 5)", "b''")
    _do(t, f"c = create_connection(('127.0.0.1', {port}))")


def test_unix_to_the_outside_is_cut_off(sess):
    path = sess.work / "server"
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.bind(str(path))
    path.chmod(0o777)
    s.listen()
    t = _begin(sess, "c = socket(AF_UNIX)", f"c.connect('{path}')")
    peer, _ = s.accept()
    peer.sendall(b"last")
    t.detach()
    r = sess.run("-save", "-stop", "p")
    assert "connected to the outside" in r.out + r.err, r
    all_gone(sess)
    sess.ok("-revive", "p")
    t = attach(sess, "-a", "p", cols=200)
    _ask(t, "c.recv(50)", "b'last'")
    _ask(t, "c.recv(50)", "b''")
    _ask(t, "failure(c.send, b'x')", "EPIPE")


def test_datagrams_to_the_outside_go_on(sess):
    path = sess.work / "log"
    u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    u.settimeout(20)
    u.bind(str(path))
    path.chmod(0o777)
    i = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    i.settimeout(20)
    i.bind(("127.0.0.1", 0))
    t = _begin(
        sess,
        "a = socket(AF_UNIX, SOCK_DGRAM)",
        f"a.connect('{path}')",
        "b = socket(AF_INET, SOCK_DGRAM)",
        f"b.connect(('127.0.0.1', {i.getsockname()[1]}))",
    )
    t = _again(sess, t)
    t = _again(sess, t)
    _do(t, "a.send(b'to a name'); b.send(b'to a port')")
    assert u.recv(50) == b"to a name"
    assert i.recv(50) == b"to a port"


def test_port_in_use(sess):
    """One sentence; nothing is left; with the port free it comes back."""
    t = _begin(sess, "s = socket()", "s.bind(('127.0.0.1', 0))", "s.listen()")
    t.line("say('port', s.getsockname()[1])")
    t.wait("== port ")
    port = int(t.text.split("== port ")[1].split()[0])
    t.detach()
    sess.ok("-save", "-stop", "p")
    all_gone(sess)
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("127.0.0.1", port))
    other.listen()
    err = sess.fails("-revive", "p")
    assert f"127.0.0.1 port {port} is in use by another program" in err, err
    all_gone(sess)
    other.close()
    sess.ok("-revive", "p")
    with socket.create_connection(("127.0.0.1", port), 20):
        t = attach(sess, "-a", "p", cols=200)
        _do(t, "c = s.accept()")


def _bound(sess, path):
    t = _begin(sess, "s = socket(AF_UNIX)", f"s.bind('{path}')", "s.listen()")
    os.chmod(path, 0o700)
    t.detach()
    sess.ok("-save", "-stop", "p")
    all_gone(sess)


def test_stale_socket_is_replaced(sess):
    path = sess.work / "name"
    _bound(sess, path)
    assert stat.S_ISSOCK(path.stat().st_mode)
    sess.ok("-revive", "p")
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_removed_socket_is_put_back(sess):
    top = Path(sess.work / "below")
    top.mkdir()
    sess.user.own(top)
    path = top / "name"
    _bound(sess, path)
    path.unlink()
    top.rmdir()
    sess.ok("-revive", "p")
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(str(path))


def test_what_is_in_the_way_stays(sess):
    path = sess.work / "name"
    _bound(sess, path)
    path.unlink()
    path.write_text("a file")
    err = sess.fails("-revive", "p")
    assert f"{path} is no longer a socket" in err, err
    assert path.read_text() == "a file"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        path.chmod(0o777)
        sess.user.own(path)
        err = sess.fails("-revive", "p")
        assert f"{path} is in use by another program" in err, err
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(str(path))
    all_gone(sess)
    sess.ok("-revive", "p")


def test_failed_revival_takes_names_away(sess):
    """Names that it has made go when a later one cannot be had."""
    a, b = sess.work / "a", sess.work / "b"
    t = _begin(
        sess,
        "s = socket(AF_UNIX); r = socket(AF_UNIX)",
        f"s.bind('{a}'); r.bind('{b}'); s.listen()",
    )
    t.detach()
    sess.ok("-save", "-stop", "p")
    all_gone(sess)
    a.unlink()
    b.unlink()
    b.write_text("a file")
    sess.fails("-revive", "p")
    assert not a.exists() and b.read_text() == "a file"
    b.unlink()
    sess.ok("-revive", "p")
    assert a.exists() and b.exists()


def test_netlink_comes_back(sess):
    t = _begin(sess, "n = socket(AF_NETLINK, SOCK_RAW, 0); n.bind((0, 1))")
    t = _again(sess, t)
    t = _again(sess, t)
    # A request for the list of links, answered.
    _do(
        t,
        "n.send(b'\\x20\\0\\0\\0\\x12\\0\\1\\3' + bytes(8) + bytes(16));"
        "r = n.recv(99999)",
    )
    _ask(t, "len(r) > 100, n.getsockname()[1]", "True 1")


def test_many_pairs(sess):
    """The time of a save does not grow by a question for each socket; and
    all is right."""
    t = _begin(
        sess,
        "import resource; R = resource.RLIMIT_NOFILE",
        "resource.setrlimit(R, (resource.getrlimit(R)[1],) * 2)",
        "v = [socketpair() for i in range(300)]",
        "for i, (a, b) in enumerate(v): a.send(b'%d' % i); b.send(b'-')",
    )
    t = _again(sess, t)
    _do(
        t,
        "w = [(b.recv(9), a.recv(9)) for a, b in v];"
        "x = [b'%d' % i for i in range(300)]",
    )
    _ask(t, "[a for a, b in w] == x, {b for a, b in w}", "True {b'-'}")


def test_what_is_cut_before_it_is_accepted(sess):
    t = _begin(
        sess,
        "s = socket(); s.bind(('127.0.0.1', 0)); s.listen()",
        "c = create_connection(s.getsockname()); c.send(b'early')",
        "d = create_connection(s.getsockname())",
    )
    t.detach()
    r = sess.run("-save", "-stop", "p")
    assert r.out + r.err != "" and "before it was accepted" in r.out + r.err, r
    all_gone(sess)
    sess.ok("-revive", "p")
    t = attach(sess, "-a", "p", cols=200)
    _ask(t, "failure(c.recv, 5)", "ECONNRESET")
    _do(t, "e = s.accept()[0]; d.send(b'late')")
    _ask(t, "e.recv(9)", "b'late'")
