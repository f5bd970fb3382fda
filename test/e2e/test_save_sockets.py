"""Sockets whose other end, or whose name, is outside the session: cut off,
connected again, refused, put back. What is within it: test/victim/named.c,
inet.c and sockets.c."""

import os
import socket
import stat
from pathlib import Path

import pytest

from asker import Asker, free_port
from rounds import all_gone


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
    p = Asker(sess, f"c = create_connection(('127.0.0.1', {port}))")
    peer, _ = outside.accept()
    peer.sendall(b"read by nobody")
    p.ask("c.recv(5)", "b'read '")
    r = sess.run("-check", "p")
    assert r.status == 0 and f"127.0.0.1 port {port}" in r.out, r
    p.detach()
    r = sess.run("-save", "-stop", "p")
    assert f"127.0.0.1 port {port}" in r.out + r.err, r
    all_gone(sess)
    sess.ok("-revive", "p")
    p.attach()
    p.ask("c.recv(50)", "b'by nobody'")
    p.ask("failure(c.recv, 5)", "ECONNRESET")
    p.ask("failure(c.send, b'x')", "EPIPE")
    p.again()
    p.ask("failure(c.recv, 5)", "b''")
    p.do(f"c = create_connection(('127.0.0.1', {port}))")


def test_unix_to_the_outside_is_cut_off(sess):
    path = sess.work / "server"
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.bind(str(path))
    path.chmod(0o777)
    s.listen()
    p = Asker(sess, "c = socket(AF_UNIX)", f"c.connect('{path}')")
    peer, _ = s.accept()
    peer.sendall(b"last")
    p.detach()
    r = sess.run("-save", "-stop", "p")
    assert "connected to the outside" in r.out + r.err, r
    all_gone(sess)
    sess.ok("-revive", "p")
    p.attach()
    p.ask("c.recv(50)", "b'last'")
    p.ask("c.recv(50)", "b''")
    p.ask("failure(c.send, b'x')", "EPIPE")


def test_datagrams_to_the_outside_go_on(sess):
    path = sess.work / "log"
    u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    u.settimeout(20)
    u.bind(str(path))
    path.chmod(0o777)
    i = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    i.settimeout(20)
    i.bind(("127.0.0.1", 0))
    p = Asker(
        sess,
        "a = socket(AF_UNIX, SOCK_DGRAM)",
        f"a.connect('{path}')",
        "b = socket(AF_INET, SOCK_DGRAM)",
        f"b.connect(('127.0.0.1', {i.getsockname()[1]}))",
    )
    p.again()
    p.again()
    p.do("a.send(b'to a name'); b.send(b'to a port')")
    assert u.recv(50) == b"to a name"
    assert i.recv(50) == b"to a port"


def test_port_in_use(sess):
    """One sentence; nothing is left; with the port free it comes back."""
    port = free_port()
    p = Asker(
        sess, "s = socket()", f"s.bind(('127.0.0.1', {port}))", "s.listen()"
    )
    p.detach()
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
        p.attach()
        p.do("c = s.accept()")


def _bound(sess, path):
    p = Asker(sess, "s = socket(AF_UNIX)", f"s.bind('{path}')", "s.listen()")
    os.chmod(path, 0o700)
    p.detach()
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
    p = Asker(
        sess,
        "s = socket(AF_UNIX); r = socket(AF_UNIX)",
        f"s.bind('{a}'); r.bind('{b}'); s.listen()",
    )
    p.detach()
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
    p = Asker(sess, "n = socket(AF_NETLINK, SOCK_RAW, 0); n.bind((0, 1))")
    p.again()
    p.again()
    # A request for the list of links, answered.
    p.do(
        "n.send(b'\\x20\\0\\0\\0\\x12\\0\\1\\3' + bytes(8) + bytes(16));"
        "r = n.recv(99999)",
    )
    p.ask("len(r) > 100, n.getsockname()[1]", "True 1")


def test_an_empty_message_survives_several_saves(sess):
    """The kernel shows it to one look of its kind only."""
    p = Asker(
        sess,
        "a, b = socketpair(AF_UNIX, SOCK_DGRAM)",
        "c, d = socketpair(AF_UNIX, SOCK_SEQPACKET)",
        "a.send(b''); a.send(b'x'); c.send(b'')",
        "[s.setblocking(False) for s in (b, d)]",
    )
    p.detach()
    for _ in range(2):
        sess.ok("-save", "p")
    p.attach()
    p.again()
    p.ask("b.recv(9), b.recv(9), failure(b.recv, 9)", "b'' b'x' EAGAIN")
    p.ask("d.recv(9), failure(d.recv, 9)", "b'' EAGAIN")


def test_many_pairs(sess):
    """The time of a save does not grow by a question for each socket; and
    all is right."""
    p = Asker(
        sess,
        "import resource; R = resource.RLIMIT_NOFILE",
        "resource.setrlimit(R, (resource.getrlimit(R)[1],) * 2)",
        "v = [socketpair() for i in range(300)]",
        "for i, (a, b) in enumerate(v): a.send(b'%d' % i); b.send(b'-')",
    )
    p.again()
    p.do(
        "w = [(b.recv(9), a.recv(9)) for a, b in v];"
        "x = [b'%d' % i for i in range(300)]",
    )
    p.ask("[a for a, b in w] == x, {b for a, b in w}", "True {b'-'}")


def test_what_is_cut_before_it_is_accepted(sess):
    p = Asker(
        sess,
        f"s = socket(); s.bind(('127.0.0.1', {free_port()})); s.listen()",
        "c = create_connection(s.getsockname()); c.send(b'early')",
        "d = create_connection(s.getsockname())",
    )
    p.detach()
    r = sess.run("-save", "-stop", "p")
    assert r.out + r.err != "" and "before it was accepted" in r.out + r.err, r
    all_gone(sess)
    sess.ok("-revive", "p")
    p.attach()
    p.ask("failure(c.recv, 5)", "ECONNRESET")
    p.do("e = s.accept()[0]; d.send(b'late')")
    p.ask("e.recv(9)", "b'late'")
