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
        if "import select" not in harness.command(pid):
            continue
        words = harness._read(pid, "syscall").split()
        if len(words) > 4 and words[0] in (b"232", b"281"):
            ms = int(words[4], 16)
            if ms < 0x80000000:  # the server waits for ever
                return ms
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
