"""-wait: the exit status of a session, for many and more than once."""

import os
import signal
import subprocess

import harness


def waiter(sess, name):
    pipes = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return sess.begin("-wait", name, **pipes)


POLL = "7 "  # /proc/PID/syscall of one that waits for its answer


def asked(sess, name, n=1):
    """N waiters that have asked the session's server."""
    ps = [waiter(sess, name) for _ in range(n)]
    for p in ps:
        harness.wait_until(
            lambda: harness._read(p.pid, "syscall").decode().startswith(POLL)
        )
    return ps


def test_from_several_places(sess, work_dir):
    os.mkfifo(work_dir / "go")
    os.chmod(work_dir / "go", 0o666)
    sess.ok("-n", "job", "sh", "-c", "read x <go; exit $x")
    ps = asked(sess, "job", 4)
    (work_dir / "go").write_text("7\n")
    assert [p.wait(15) for p in ps] == [7] * 4
    for p in ps:
        assert p.stderr.read() == b""
        p.stderr.close()
    # Told is told: it is in no list, but who asks later is answered.
    harness.wait_until(lambda: "job" not in sess.ok())
    assert sess.run("-wait", "job").status == 7
    assert sess.run("-wait", "job").status == 7


def test_of_one_that_has_ended_already(sess):
    sess.ok("-n", "done", "sh", "-c", "exit 9")
    harness.wait_until(lambda: "ended 9" in sess.ok())
    assert sess.run("-wait", "done").status == 9
    assert "done" not in sess.ok()
    assert sess.run("-wait", "done").status == 9
    assert "no session 'done'" in sess.fails("-a", "done")


def test_a_signal_is_128_and_its_number(sess):
    sess.ok("-n", "sig", "sleep", "1000")
    (p,) = asked(sess, "sig")
    os.kill(sess.pid("sig"), signal.SIGUSR2)
    assert p.wait(15) == 128 + signal.SIGUSR2
    p.stderr.close()


def test_a_new_session_of_the_name_is_waited_for_anew(sess):
    sess.ok("-n", "again", "sh", "-c", "exit 3")
    assert sess.run("-wait", "again").status == 3
    sess.ok("-n", "again", "sh", "-c", "exit 4")
    assert sess.run("-wait", "again").status == 4


def test_one_that_is_saved_and_ended_has_no_status(sess):
    sess.ok("-n", "s", "sleep", "1000")
    (p,) = asked(sess, "s")
    sess.ok("-save", "-stop", "s")
    assert p.wait(15) == 1
    assert b"no exit status" in p.stderr.read()
    p.stderr.close()
    assert "sess -revive s" in sess.fails("-wait", "s")


def test_none_and_a_killed_server(sess):
    assert "no session 'none'" in sess.fails("-wait", "none")
    sess.ok("-n", "dead", "sleep", "1000")
    (p,) = asked(sess, "dead")
    os.kill(harness.parent(sess.pid("dead")), signal.SIGKILL)
    assert p.wait(15) == 1
    assert b"gone away" in p.stderr.read()
    p.stderr.close()


def test_one_that_gets_another_name_is_told_under_that(sess, work_dir):
    os.mkfifo(work_dir / "go")
    os.chmod(work_dir / "go", 0o666)
    sess.ok("-n", "old", "sh", "-c", "read x <go; exit $x")
    (p,) = asked(sess, "old")
    sess.ok("-mv", "old", "new")
    (work_dir / "go").write_text("6\n")
    assert p.wait(15) == 6
    p.stderr.close()
    harness.wait_until(lambda: "new" not in sess.ok())
    assert sess.run("-wait", "new").status == 6
