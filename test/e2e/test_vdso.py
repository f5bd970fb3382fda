"""A kernel whose vdso is another one, simulated: the build with fault points
takes this kernel's for foreign when told to. Real ones are in test/reboot."""

import re
import signal

import pytest

import harness

FOREIGN = {"SESS_FOREIGN_VDSO": "1"}


def _vdso(pid):
    """Where the kernel's own is mapped."""
    maps = open(f"/proc/{pid}/maps").read()
    return int(re.search(r"^(\w+)-.* \[vdso\]$", maps, re.M)[1], 16)


@pytest.mark.parametrize("kind", ["clocks", "threads", "handlers", "family"])
def test_programs_go_on_under_foreign_kernels(fault_sess, kind):
    sess = fault_sess
    t = sess.terminal("-c", "v", sess.bin / "victim" / kind)
    t.wait("ready")
    t.detach()
    places = {_vdso(sess.pid("v"))}
    # The third time back under a kernel that is the one of the second save.
    for env in (FOREIGN, FOREIGN, {}, FOREIGN):
        sess.ok("-save", "-stop", "v")
        harness.wait_until(lambda: not sess.processes())
        sess.ok("-revive", "v", env=env)
        places.add(_vdso(sess.pid("v")))
    assert len(places) == 4  # where it was, and a new place each time
    pid = sess.pid("v")
    t = sess.terminal("-a", "v")
    t.wait("ready")
    harness.signal_pid(pid, signal.SIGTERM)
    assert t.wait_exit(30) == 0, t.text


def test_programs_started_later_have_the_kernels_own(fault_sess):
    sess = fault_sess
    t = sess.terminal("-c", "v", "bash", "--norc")
    t.line("PS1='ok> '")
    t.wait("\nok>")
    t.detach()
    sess.ok("-save", "-stop", "v")
    harness.wait_until(lambda: not sess.processes())
    sess.ok("-revive", "v", env=FOREIGN)
    t = sess.terminal("-a", "v")
    t.line("printf '%(%Y)T\\n' -1; date +=%Y=")
    t.wait(lambda t: re.search(r"^(20\d\d)$\n=\1=$", t.text, re.M))
    t.line("exit 5")
    assert t.wait_exit() == 5
