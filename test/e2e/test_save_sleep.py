"""Calls that wait for a time: a save, and a revival, take none of it away and
add none."""

import sys

import harness
from rounds import revive_anew

WAIT_MS = 1000000

WAITER = f"""
import select, os
ep = select.epoll()
r, w = os.pipe()
ep.register(r)
print("ready", flush=True)
ep.poll({WAIT_MS / 1000})
"""


def _waiting(sess):
    """The timeout of the waiter's epoll_wait in ms; None: it is not there."""
    for pid in sess.processes():
        if not harness.comm(pid).startswith("python"):
            continue
        words = harness._read(pid, "syscall").split()
        if len(words) > 4 and words[0] in (b"232", b"281"):
            return int(words[4], 16)
    return None


def test_epoll_wait_goes_on_with_what_is_left(sess):
    sess.ok("-n", "work", sys.executable, "-c", WAITER)
    whole = harness.wait_until(lambda: _waiting(sess))
    assert whole == WAIT_MS
    sess.ok("-save", "work")
    left = harness.wait_until(lambda: _waiting(sess))
    assert left < whole
    revive_anew(sess, "work")
    again = harness.wait_until(lambda: _waiting(sess))
    assert again <= left


LIMIT_S = 3

WAITS = f"""
import os, signal, socket, struct, threading
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
a, b = socket.socketpair()
a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", {LIMIT_S}, 0))
def receive():
    try:
        os.read(a.fileno(), 1)
    except BlockingIOError:
        print("received nothing", flush=True)
def signalled():
    if signal.sigtimedwait([signal.SIGUSR2], {LIMIT_S}) is None:
        print("signalled by nobody", flush=True)
for f in (receive, signalled):
    threading.Thread(target=f).start()
print("begun", flush=True)
input()
"""


def test_waits_that_are_saved_again_and_again_end(sess):
    """They begin anew with each save, which come sooner than their end."""
    script = sess.work / "waits.py"
    script.write_text(WAITS)
    t = sess.terminal("-c", "work", sys.executable, script)
    t.wait("begun")

    def over():
        sess.ok("-save", "work")
        t.pump(0.2)
        return "received nothing" in t.text and "by nobody" in t.text

    harness.wait_until(over, timeout=60)
    t.send("\r")
    assert t.wait_exit() == 0
