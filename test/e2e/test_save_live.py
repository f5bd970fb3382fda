"""A program that runs on through saves notices nothing; saves asked for from
inside the session itself, by hand and in a script."""

import re

import harness
import pytest
from rounds import all_gone, attach, stopped_processes, three_rounds

COUNTER = "i=0; while :; do i=$((i+1)); echo $i; done"


def _numbers(path):
    """Whole lines only."""
    text = path.read_text() if path.exists() else ""
    return [int(n) for n in text[: text.rfind("\n") + 1].split()]


def _counts(sess):
    path = sess.work / "numbers"

    def size():
        return path.stat().st_size if path.exists() else 0

    before = size()
    harness.wait_until(lambda: size() > before + 200)


def test_ten_saves_of_a_counter(sess):
    """Into a file, through a pipe: nothing lost, nothing twice."""
    sess.ok("-n", "c", "sh", "-c", f"({COUNTER}) | cat >numbers")
    for n in range(10):
        _counts(sess)
        assert f"c@{n + 1}" in sess.ok("-save", "c")
    _counts(sess)
    assert not stopped_processes(sess)
    sess.ok("-k", "c")
    got = _numbers(sess.work / "numbers")
    assert got == list(range(1, len(got) + 1))


def test_ten_saves_seen_on_the_terminal(sess):
    """The same while a terminal is attached and shows it."""
    loop = "i=0; while read x; do echo \"<$i>\"; i=$((i+1)); done"
    t = sess.terminal("-c", "c", "sh", "-c", loop)
    for n in range(40):
        t.send("\r")
        t.wait(f"<{n}>")
        if n % 4 == 0:
            sess.ok("-save", "c")
    seen = [int(x) for x in re.findall(rb"<(\d+)>", t.raw)]
    assert seen == list(range(40))


def test_saves_that_overlap(sess):
    """Two saves at once: each is carried out or says that one is under way,
    and the session is none the worse."""
    sess.ok("-n", "c", "sh", "-c", f"({COUNTER}) | cat >numbers")
    _counts(sess)
    results = sess.at_once(4, "-save", "c")
    assert any(r.status == 0 for r in results), results
    for r in results:
        assert r.status == 0 or r.err.count("\n") == 1, results
    _counts(sess)
    assert not stopped_processes(sess)
    sess.ok("-k", "c")
    got = _numbers(sess.work / "numbers")
    assert got == list(range(1, len(got) + 1))


def _let_go(sess):
    """The program waits at the FIFO `go` before it reads its terminal."""
    assert sess.command(["timeout", "10", "sh", "-c", "echo >go"]).status == 0


def test_typed_ahead_input_comes_back(sess):
    """What was typed and not read yet: whole lines and half of one."""
    sess.command(["mkfifo", "go"])
    t = attach(
        sess, "-c", "t", "sh", "-c", "echo on; read x <go; cat; echo end"
    )
    t.wait("on")
    t.send("one\rtwo\rthrx")
    t.wait("thrx")
    t = three_rounds(sess, "t", t, lambda t, n: t.wait("thrx"))
    _let_go(sess)
    t.wait(lambda t: t.text.count("one") == t.text.count("two") == 2)
    t.send("\x7fee\r")
    t.wait("three")
    t.send("\x04")
    t.wait("end")
    assert t.wait_exit() == 0


def test_typed_ahead_input_comes_back_raw(sess):
    sess.command(["mkfifo", "go"])
    t = attach(
        sess,
        "-c",
        "t",
        "sh",
        "-c",
        "stty raw -echo; echo on; read x <go;"
        " dd bs=1 count=6 2>/dev/null | od -An -c; stty sane; echo end",
    )
    t.wait("on")
    t.send(b"a\x03\x1a\x04\r\x7f")
    t = three_rounds(sess, "t", t, lambda t, n: None)
    _let_go(sess)
    t.wait("end")
    assert re.search(r"a +003 +032 +004 +\\r +177", t.text), t.text


@pytest.mark.parametrize("stop", [False, True], ids=["save", "stop"])
def test_typed_inside(sess, stop):
    """`sess -save [-stop]` without a name, at the session's own prompt."""
    t = attach(sess, "-c", "work", "bash", "--norc", env={"PS1": "ok> "})
    t.wait("ok>")
    t.line("kept=orange")
    t.line(f"sess -save{' -stop' if stop else ''}; echo status-$? $kept")
    if stop:
        t.wait_exit()
    else:
        t.wait("status-0 orange")
        assert "saved as work@1" in t.text
        t.line("kept=changed")
        t.detach()
        sess.ok("-k", "work")
    all_gone(sess)
    sess.ok("-revive", "work")
    t = attach(sess, "-a", "work")
    t.wait("revived from work@1")
    t.wait("status-0 orange")
    t.line("echo now-$kept")
    t.wait("now-orange")
    t.line("exit 4")
    assert t.wait_exit() == 4


def test_saves_itself_in_a_script(sess):
    """Before its dangerous step; in the revived copy the script goes on."""
    script = (
        "echo begun >>log; sess -save -stop || exit 9; echo step >>log;"
        " sess -save || exit 8; echo again >>log; read x"
    )
    sess.ok("-n", "work", "sh", "-c", script)
    log = sess.work / "log"
    harness.wait_until(lambda: log.exists() and not sess.processes())
    assert log.read_text() == "begun\n"
    for _ in range(2):
        sess.ok("-revive", "work@1")
        harness.wait_until(lambda: log.read_text().endswith("again\n"))
        sess.ok("-k", "work")
        all_gone(sess)
        assert log.read_text() == "begun\nstep\nagain\n"
        log.write_text("begun\n")
    sess.ok("-revive", "work")  # the second save, after the step
    harness.wait_until(lambda: log.read_text() == "begun\nagain\n")


def test_older_generations(sess):
    """Each generation is as it was; the latest is the default."""
    t = attach(sess, "-c", "work", "sh", env={"PS1": "ok> "})
    t.wait("ok>")
    for n in (1, 2, 3):
        t.line(f"kept=v{n}; echo set-$kept")
        t.wait(f"set-v{n}")
        sess.ok("-save", "work")
    t.detach()
    sess.ok("-k", "work")
    all_gone(sess)
    for name, kept in (("work@1", "v1"), ("work@2", "v2"), ("work", "v3")):
        sess.ok("-revive", name)
        t = attach(sess, "-a", "work")
        t.line("echo is-$kept")
        t.wait(f"is-{kept}")
        t.line("exit 0")
        assert t.wait_exit() == 0
        all_gone(sess)
    sess.ok("-rm", "work@2")
    assert "2" in sess.fails("-revive", "work@2")
    for none in ("work@0", "work@00"):  # not: all of them, nor the latest
        for command in ("-rm", "-revive", "-inspect"):
            assert "@0" in sess.fails(command, none)
    sess.ok("-inspect", "work@3")
    sess.ok("-rm", "work")
    sess.fails("-revive", "work")
    assert "work" not in sess.ok()


def test_status_of_a_revived_program(sess):
    """The first process is no child of the new server; its status is told
    all the same: an exit, and a signal."""
    t = attach(sess, "-c", "a", "sh", "-c", "read x; exit $x")
    t = three_rounds(sess, "a", t, lambda t, n: None)
    t.line("37")
    assert t.wait_exit() == 37
    t = attach(sess, "-c", "b", "sh", "-c", "read x; kill -$x $$")
    t = three_rounds(sess, "b", t, lambda t, n: None)
    t.line("USR1")
    assert t.wait_exit() == 128 + 10


def test_save_back_to_back(sess):
    """-save -stop answers when all is gone: -revive may follow at once."""
    sess.ok("-n", "work", "sleep", "1000")
    for _ in range(5):
        r = sess.command(
            [
                "sh",
                "-c",
                "sess -save -stop work && sess -revive work",
            ]
        )
        assert r.status == 0, r
    sess.ok("-k", "work")


def test_size_while_away(sess):
    """A revived session has the size it had, and takes a new one."""
    t = sess.terminal("-c", "s", "sh", "-c", "trap 'stty size' WINCH;"
                      " echo on; while :; do sleep 0.1; done", rows=20, cols=70)
    t.wait("on")
    t.detach()
    sess.ok("-save", "-stop", "s")
    all_gone(sess)
    sess.ok("-revive", "s")
    t = sess.terminal("-a", "s", rows=30, cols=100)
    t.wait("30 100")
    assert "20 70" not in t.text
