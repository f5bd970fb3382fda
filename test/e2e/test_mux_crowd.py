"""Too much of everything at a session's socket: each is answered, and the
session goes on."""

import os
import sys

import harness

# What programs begin with that talk to a session's socket.
CONNECT = """
import array, os, socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    return s
"""

# Run as the session's user: connections that are kept, and what is said to
# those that are not.
CROWD = """
import select
n, say = int(sys.argv[2]), bytes.fromhex(sys.argv[3])
kept = []
for i in range(n):
    s = connect()
    if say:
        s.send(say)
    kept.append(s)
print("connected", flush=True)
sys.stdin.readline()
p = select.poll()
for s in kept:
    p.register(s, select.POLLIN)
told = closed = 0
for fd, what in p.poll(0):
    data = os.read(fd, 4096)
    told += b"too many connections" in data
    closed += data == b""
print("told", told, "closed", closed, flush=True)
sys.stdin.readline()
"""


def caller(sess, name, code, *args):
    """The command that runs CODE with the socket of session NAME."""
    path = sess.dir / "run" / f"{name}.sock"
    return [sys.executable, "-c", CONNECT + code, str(path), *map(str, args)]


class Crowd:
    def __init__(self, sess, name, n, say=b""):
        self.t = sess.program(caller(sess, name, CROWD, n, say.hex()))
        self.t.wait("connected", 60)

    def told(self):
        self.t.line("")
        self.t.wait("told")
        line = [x for x in self.t.lines if x.startswith("told")][0]
        return int(line.split()[1])


def works(sess, name):
    """All that a session is asked for."""
    assert f"\n{name} " in sess.ok()
    pid = sess.pid(name)
    t = sess.terminal("-a", name)
    t.wait("ready")
    t.line("echo $((6*7))")
    t.wait("42")
    t.detach()
    sess.ok("-send", name, input=b"clear; echo ready\r")
    sess.ok("-save", name)
    return pid


def shell(sess, name):
    sess.ok("-n", name, "bash", "--norc", "-c", "echo ready; exec bash --norc")
    harness.wait_until(lambda: "ready" in sess.ok("-history", name))
    return harness.parent(sess.pid(name))


def limit_descriptors(sess, pid, n):
    """Of a process of the same user, as who is no superuser here may do it."""
    code = (
        "import resource as r; hard = r.prlimit({0}, r.RLIMIT_NOFILE)[1]; "
        "r.prlimit({0}, r.RLIMIT_NOFILE, ({1}, hard))"
    )
    r = sess.command([sys.executable, "-c", code.format(pid, n)])
    assert r.status == 0, r


def test_a_thousand_connections(sess):
    server = shell(sess, "s")
    limit_descriptors(sess, server, 1024)  # whatever this machine allows
    crowd = Crowd(sess, "s", 1000)
    works(sess, "s")
    # The oldest of them made room, and were told so.
    assert 480 < crowd.told() < 520
    crowd.t.close()
    works(sess, "s")


def test_a_server_with_few_descriptors(sess):
    server = shell(sess, "s")
    limit_descriptors(sess, server, 100)
    crowd = Crowd(sess, "s", 200)
    works(sess, "s")
    crowd.t.close()
    works(sess, "s")
    # None at all are left, but the one that is kept to say so
    fds = {int(fd) for fd in os.listdir(f"/proc/{server}/fd")}
    null = [f for f in fds if os.readlink(f"/proc/{server}/fd/{f}") == "/dev/null"]
    free = set(range(max(null))) - fds
    limit_descriptors(sess, server, max(null) + 1)
    crowd = Crowd(sess, "s", len(free))
    for _ in range(3):
        said = sess.fails("-pid", "s")
        assert "too many connections" in said or "no descriptor left" in said
    limit_descriptors(sess, server, 100)
    works(sess, "s")
    crowd.t.close()
    works(sess, "s")


def test_a_flood_that_is_not_read(sess):
    shell(sess, "s")
    flood = (
        "s = connect()\n"
        "s.settimeout(20)\n"
        "try:\n"
        "    for n in range(1000000):\n"
        "        s.send(b'\\x08\\x06')\n"
        "except (BrokenPipeError, ConnectionResetError):\n"
        "    print('cut off', flush=True)\n"
    )
    t = sess.program(caller(sess, "s", flood))
    t.wait("cut off", 30)
    works(sess, "s")


def test_a_flood_that_is_read_holds_nobody_up(sess):
    shell(sess, "s")
    flood = (
        "s = connect()\n"
        "print('begun', flush=True)\n"
        "while True:\n"
        "    s.send(b'\\x08\\x06')\n"
        "    s.recv(65536)\n"
    )
    t = sess.program(caller(sess, "s", flood))
    t.wait("begun", 30)
    works(sess, "s")


def test_every_wrong_message_is_answered(sess):
    shell(sess, "s")
    talk = (
        "n = 0\n"
        "for what in (b'x', b'\\x08', b'\\x08\\x06\\x12\\xff', os.urandom(1000),\n"
        "             b'\\x12' * 60000, b'\\x08\\x06' * 30000 + b'\\x08', b'y' * 70000,\n"
        "             b'\\x08\\xe7\\x07', b'\\x08\\x00', b'\\x08\\xff\\xff\\xff\\xff\\x0f',\n"
        "             b'\\x08\\x01', b'\\x08\\x09', b'\\x08\\x0e', b'\\x08\\x40', None):\n"
        "    s = connect()\n"
        "    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)\n"
        "    s.settimeout(20)\n"
        "    if what is None:  # too many descriptors\n"
        "        s.sendmsg([b'\\x08\\x06'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,\n"
        "                  array.array('i', [0] * 50))])\n"
        "    else:\n"
        "        s.send(what)\n"
        "    data = s.recv(65536)\n"
        "    assert data[:2] == b'\\x08\\x41', (what and what[:9], data)\n"
        "    n += 1\n"
        "print(n, 'answered')\n"
    )
    r = sess.command(caller(sess, "s", talk))
    assert r.status == 0 and "15 answered" in r.out, r
    works(sess, "s")


def test_fifty_creations_of_one_name(sess):
    script = (
        "for i in $(seq 50); do $0 -n one sh -c 'echo x >>ran; exec sleep 1000' "
        "2>>said && echo won >>won & done; wait"
    )
    r = sess.command(["sh", "-c", script, sess.binary], timeout=120)
    assert r.status == 0, r
    ran = sess.work / "ran"
    harness.wait_until(lambda: ran.exists() and ran.read_text())
    assert (sess.work / "won").read_text() == "won\n"
    said = (sess.work / "said").read_text().splitlines()
    assert len(said) == 49 and all("runs already" in x for x in said)
    assert ran.read_text() == "x\n"
