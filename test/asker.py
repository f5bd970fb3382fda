"""A session whose first program does, line by line, what a test tells it in
Python: what is open in it is the test's to choose."""

import random
import socket
import textwrap

from rounds import attach, revive_anew

def free_port():
    """One that nobody is given by chance (ip_local_port_range)."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


# What it prints begins with a mark, which what is typed has not.
PROGRAM = """
import ctypes, errno, os, socket, sys, time
from socket import *
def say(*what): print(chr(61) * 2, *what, flush=True)
def failure(f, *args):
    try:
        return repr(f(*args))
    except OSError as e:
        return errno.errorcode[e.errno]
def begin(where, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            c = socket(AF_UNIX if isinstance(where, str) else AF_INET)
            c.connect(where)
            c.settimeout(seconds)
            return c
        except (ConnectionRefusedError, FileNotFoundError):
            if time.monotonic() > end: raise
            time.sleep(0.02)
def answer(c, text, end):
    c.sendall(text.encode())
    got = b''
    while not got.endswith(end.encode()):
        more = c.recv(4096)
        if not more: return repr(got) + ' and its end'
        got += more
    return got.decode()
say("begun")
for line in sys.stdin:
    try:
        exec(line)
    except Exception as e:
        say("failed", repr(e))
"""


class Asker:
    """It is attached to; after again() once more."""

    def __init__(self, sess, *lines, beside=None):
        """BESIDE: shell commands that start what runs in the background."""
        self.sess = sess
        (sess.work / "asker.py").write_text(textwrap.dedent(PROGRAM))
        argv = ["/usr/bin/python3", "asker.py"]
        if beside:
            argv = ["bash", "-c", beside + "\nexec " + " ".join(argv)]
        self.t = attach(sess, "-c", "p", *argv, cols=200)
        self.t.wait("== begun")
        for n, line in enumerate(lines):
            self.do(line, n)

    def do(self, line, n=0):
        self.t.line(f"{line}; say('done', {n}, {len(line)})")
        self.t.wait(f"== done {n} {len(line)}", 30)
        assert "== failed" not in self.t.text, self.t.text

    def ask(self, what, wanted):
        self.t.line(f"say({what})")
        self.t.wait(f"== {wanted}\n", 30)

    def detach(self):
        self.t.detach()

    def attach(self):
        self.t = attach(self.sess, "-a", "p", cols=200)

    def again(self):
        """Saved, gone, revived."""
        self.detach()
        revive_anew(self.sess, "p")
        self.attach()
