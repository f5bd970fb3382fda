"""Real programs, saved with -stop, gone, revived and attached: three rounds
in a row each, as root and as an ordinary user."""

import re
import textwrap
import time

import harness
from rounds import (
    attach,
    revive_anew,
    three_rounds,
    wait_for_end,
    wait_for_process,
)

PROMPT = "ok> "
# yes | head -c 2G | sha256sum
HASH_OF_YES = "f9e4950967b1473d8234b652ee7a7480cadee7ce774476b827dfe89ce6bc94a3"


def _shell(sess, *command):
    """A session with a shell that prompts PROMPT."""
    t = attach(sess, "-c", "work", *command, env={"PS1": PROMPT})
    t.wait(PROMPT.strip())
    return t


def _clear(t):
    t.send("\x0c")
    t.wait(lambda t: t.lines[0].startswith(PROMPT.strip()))


def test_bash(sess):
    t = _shell(sess, "bash", "--norc", "--noprofile")
    t.line("kept=orange; cd /usr; trap 'echo trap-$((40+2))' USR1")
    t.line(f"mkfifo {sess.work}/go; (read x <{sess.work}/go; exit 7) &")
    t.line("waiting=$!")
    t.line("sleep 1000 &")
    t.line("sleep 2000")
    wait_for_process(sess, "sleep 2000")
    t.send("\x1a")
    t.wait("Stopped")

    def look(t, n):
        _clear(t)
        t.line("echo kept=$kept in $PWD; jobs; kill -USR1 $$")
        t.wait("kept=orange in /usr")
        t.wait(lambda t: re.search(r"Stopped +sleep 2000", t.text))
        t.wait(lambda t: re.search(r"Running +sleep 1000 &", t.text))
        t.wait("trap-42")
        _clear(t)
        t.send("\x1b[A")
        t.wait("kill -USR1")
        t.send("\x15")

    t = three_rounds(sess, "work", t, look)
    _clear(t)
    t.line(f"echo >{sess.work}/go; wait $waiting; echo status-$?")
    t.wait("status-7")
    t.line("history | grep -c 'sleep 2000'")
    t.wait("\n2")
    t.line("fg")
    t.wait("\nsleep 2000")
    t.send("\x03")
    t.line("kill %sleep; wait %sleep; echo ended-$?")
    t.wait("ended-143")
    t.line("exit 5")
    assert t.wait_exit() == 5


def test_dash(sess):
    t = _shell(sess, "dash", "-i")
    t.line("kept=lemon; cd /usr; set -- one two; f() { echo f-$1-$kept; }")
    t.line("sleep 1000 & sleep 2000")
    wait_for_process(sess, "sleep 2000")
    t.send("\x1a")
    t.wait("\nok>")

    def look(t, n):
        t.line(f"f $2 $PWD; echo in $PWD round {n}")
        t.wait(f"in /usr round {n}")
        assert "f-two-lemon" in t.text
        t.line("jobs")
        t.wait(lambda t: re.search(r"Stopped +sleep 2000", t.text))
        t.wait(lambda t: re.search(r"Running +sleep 1000", t.text))

    t = three_rounds(sess, "work", t, look)
    t.line("kill %1 %2; kill -CONT %2")
    wait_for_end(sess, "sleep 2000")
    t.line("")
    t.wait(lambda t: re.search(r"Terminated +sleep 2000", t.text))
    t.line("exit 5")
    assert t.wait_exit() == 5


def test_vim(sess):
    text = sess.work / "text"
    t = attach(sess, "-c", "work", "vim", "-N", "-u", "NONE", "-i", "NONE", text)
    t.wait("text")
    t.send("ifirst\rsecond\rthird\x1b")
    t.wait("third")
    t.send("ggdd")
    t.wait(lambda t: t.lines[0] == "second")

    def look(t, n):
        t.wait(lambda t: "second" in t.lines)
        t.send(f"Goround {n}\x1b")
        t.wait(f"round {n}")

    t = three_rounds(sess, "work", t, look)
    assert not text.exists()
    t.send("uuuu")
    t.wait(lambda t: t.lines[0] == "first" and "round" not in t.text)
    t.send(":wq\r")
    assert t.wait_exit() == 0
    assert text.read_text().startswith("first\nsecond\nthird\n")


PYTHON = """
    import signal, sys, threading, time
    data = open("data")
    data.readline()
    count, begin = 0, time.monotonic()

    def work():
        global count
        while True:
            count += 1
            time.sleep(0.01)

    def on_alarm(*_):
        print("alarm after %.1f" % (time.monotonic() - begin), flush=True)

    threading.Thread(target=work, daemon=True).start()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(6)
    print("begun", flush=True)
    for line in sys.stdin:
        if line == "next\\n":
            print("line", data.readline().strip(), flush=True)
        else:
            before = count
            while count == before:
                time.sleep(0.01)
            print("the thread counts", flush=True)
"""


def test_python(sess):
    (sess.work / "data").write_text("one\ntwo\nthree\nfour\nfive\n")
    (sess.work / "p.py").write_text(textwrap.dedent(PYTHON))
    t = attach(sess, "-c", "work", "/usr/bin/python3", "p.py")
    t.wait("begun")

    def look(t, n):
        t.line("next")
        t.wait("line " + ("two", "three", "four")[n])
        t.line(f"count {n}")
        t.wait(lambda t: t.text.count("the thread counts") == n + 1)

    t = three_rounds(sess, "work", t, look)
    t.wait("alarm after ")
    assert re.search(r"alarm after 6\.[0-4]", t.text), t.text
    t.send("\x04")
    assert t.wait_exit() == 0


def test_less(sess):
    (sess.work / "n").write_text("".join(f"<{n}>\n" for n in range(2000)))
    t = attach(sess, "-c", "work", "less", "n")
    t.wait("<0>")
    t.send("500g")
    t.wait(lambda t: t.lines[0] == "<499>")

    def look(t, n):
        t.wait(lambda t: t.lines[0] == f"<{499 + 3 * n}>")
        t.send("jjj")
        t.wait(lambda t: t.lines[0] == f"<{502 + 3 * n}>")

    t = three_rounds(sess, "work", t, look)
    t.send("/<1234>\r")
    t.wait(lambda t: t.lines[0] == "<1234>")
    t.send("q")
    assert t.wait_exit() == 0


def test_top(sess):
    t = attach(sess, "-c", "work", "top", "-d", "0.3")
    t.wait("load average")

    def look(t, n):
        t.wait("load average")
        t.screen.reset()  # what comes now is top's own
        t.wait(lambda t: re.search(r"\d top", t.text) or "top -" in t.text)

    t = three_rounds(sess, "work", t, look)
    t.send("q")
    assert t.wait_exit() == 0


def test_tail_and_grep(sess):
    log = sess.work / "log"
    log.write_text("keep 0\n")
    sess.user.own(log)

    def append(text):
        with log.open("a") as f:
            f.write(text)

    t = attach(
        sess,
        "-c", "work", "sh", "-c", "tail -f log | grep --line-buffered keep"
    )
    t.wait("keep 0")

    def look(t, n):
        append(f"drop\nkeep {n + 1}\n")
        t.wait(f"keep {n + 1}")

    t = three_rounds(sess, "work", t, look)
    assert [r for r in t.lines if r] == [f"keep {n}" for n in range(4)]
    t.send("\x03")
    assert t.wait_exit() == 130


def test_pipeline_in_flight(sess):
    t = attach(
        sess,
        "-c",
        "work",
        "sh",
        "-c",
        "yes | head -c 2G | sha256sum; echo over; read x",
    )
    t.wait(lambda t: len(sess.processes()) >= 5)
    t = three_rounds(sess, "work", t, lambda t, n: None)
    assert "over" not in t.text, "it was not in flight"
    t.wait("over", 60)
    assert HASH_OF_YES in t.text, t.text
    t.send("\r")
    assert t.wait_exit() == 0


def _project(top):
    """A C project that takes make some seconds."""
    n = 12
    body = "".join(
        f"x = x * {k} + (x >> {k % 13}) * v[{k} % 8];" for k in range(1, 900)
    )
    for i in range(n):
        (top / f"f{i}.c").write_text(
            f"unsigned f{i}(unsigned x, unsigned *v) {{ {body} return x; }}\n"
        )
    calls = "".join(f"x = f{i}(x, v);" for i in range(n))
    protos = "".join(
        f"unsigned f{i}(unsigned, unsigned *);" for i in range(n)
    )
    (top / "main.c").write_text(
        f"#include <stdio.h>\n{protos} int main(void) {{ unsigned x = 1, "
        f'v[8] = {{1}}; {calls} printf("built %u\\n", x); return 0; }}\n'
    )
    objects = " ".join(f"f{i}.o" for i in range(n))
    (top / "Makefile").write_text(
        f"prog: main.o {objects}\n\tcc -o $@ $^\n"
        "%.o: %.c\n\tcc -O2 -c -o $@ $<\n"
    )
    return n + 2


def test_make(sess):
    """Nothing is compiled twice, nothing is left out."""
    n_steps = _project(sess.work)
    t = attach(
        sess,
        "-c", "work", "sh", "-c", "make -j2 >out 2>&1; echo made $?; read x"
    )
    out = sess.work / "out"
    for n in range(3):
        harness.wait_until(
            lambda: out.exists() and out.read_text().count("\n") > n
        )
        t.detach()
        revive_anew(sess, "work")
        t = attach(sess, "-a", "work")
    assert "made" not in t.text, "it was not in flight"
    t.wait("made 0", 60)
    assert len(out.read_text().splitlines()) == n_steps, out.read_text()
    assert "built " in sess.command([sess.work / "prog"]).out


def test_sleep_ends_on_time(sess):
    """On the session's own clock, which stands still while it is saved."""
    script = (
        "now() { read up idle </proc/uptime; echo $up; }; "
        "a=$(now); sleep 5; echo slept $a $(now); read x"
    )
    t = attach(sess, "-c", "work", "bash", "-c", script)
    wait_for_process(sess, "sleep 5")
    # Begun anew after three seconds it would take eight.
    half = time.monotonic() + 3
    harness.wait_until(lambda: time.monotonic() > half)
    t = three_rounds(sess, "work", t, lambda t, n: None)
    t.wait("slept ")
    a, b = map(float, re.search(r"slept (\S+) (\S+)", t.text).groups())
    assert 4.98 <= b - a < 7.9, f"slept {b - a} s"
    t.send("\r")
    assert t.wait_exit() == 0


def test_dvtm(sess):
    """A multiplexer inside: ptys, sessions and shells of its own."""
    env = {"PS1": PROMPT, "SHELL": "/bin/dash", "ENV": ""}
    t = attach(sess, "-c", "work", "dvtm", env=env)
    t.wait(PROMPT.strip())
    t.line("kept=left")
    t.send("\x07c")
    t.wait(lambda t: t.text.count(PROMPT.strip()) >= 3)
    t.line("kept=right")

    def look(t, n):
        t.wait(PROMPT.strip())
        t.line(f"echo now-$kept-{n}")
        t.wait(f"now-right-{n}")
        t.send("\x07j")
        t.line(f"echo now-$kept-{n}")
        t.wait(f"now-left-{n}")
        t.send("\x07j")

    t = three_rounds(sess, "work", t, look)
    t.line("exit")
    t.wait(lambda t: "now-right" not in t.text)
    t.line("exit")
    assert t.wait_exit() == 0


def test_loop_that_appends(sess):
    """Each number is in the log once, in its order."""
    sess.ok(
        "-n",
        "work",
        "sh",
        "-c",
        "i=0; while [ ! -e over ]; do i=$((i+1)); echo $i >>log; done",
    )
    log = sess.work / "log"

    def numbers():
        return log.read_text().split() if log.exists() else []

    for _ in range(3):
        n = len(numbers())
        harness.wait_until(lambda: len(numbers()) > n + 100)
        revive_anew(sess, "work")
    n = len(numbers())
    harness.wait_until(lambda: len(numbers()) > n + 100)
    (sess.work / "over").touch()
    harness.wait_until(lambda: not sess.processes())
    got = numbers()
    assert got == [str(i + 1) for i in range(len(got))]
