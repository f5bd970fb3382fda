"""The whole way once, in a minute: what a first user would try."""

import harness

COUNTER = "i=0; while :; do i=$((i+1)); echo $i >>count; sleep 0.05; done"


def _count(sess):
    try:
        return [int(n) for n in (sess.work / "count").read_text().split()]
    except FileNotFoundError:
        return []


def test_smoke_counter_counts_on_after_revival(sess):
    sess.ok("-n", "counter", "sh", "-c", COUNTER)
    harness.wait_until(lambda: len(_count(sess)) >= 5)
    sess.ok("-save", "-stop", "counter")
    harness.wait_until(lambda: not sess.processes())
    saved_at = len(_count(sess))
    sess.ok("-revive", "counter")
    harness.wait_until(lambda: len(_count(sess)) >= saved_at + 5)
    sess.ok("-k", "counter")
    numbers = _count(sess)
    assert numbers == list(range(1, len(numbers) + 1))


def test_smoke_shell_keeps_its_variable(sess):
    t = sess.terminal("-c", "work", "bash", "--norc")
    t.line("PS1='ok> '; kept=orange; cd /usr")
    t.wait("\nok>")
    t.detach()
    sess.ok("-save", "-stop", "work")
    harness.wait_until(lambda: not sess.processes())
    sess.ok("-revive", "work")
    t = sess.terminal("-a", "work")
    t.line("echo $kept $PWD | tr a-z A-Z")
    t.wait("ORANGE /USR")
    t.line("exit 3")
    assert t.wait_exit() == 3


def test_smoke_detach_and_attach(sess):
    t = sess.terminal("-c", "work", "cat")
    t.send("here\r")
    t.wait("here\nhere")
    t.detach()
    assert t.modes() == t.modes_before
    assert "work" in sess.ok()
    t = sess.terminal("-a", "work")
    t.wait("here\nhere")
    t.send(b"\x04")
    assert t.wait_exit() == 0
