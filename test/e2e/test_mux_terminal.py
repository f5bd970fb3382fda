"""The terminal is given back as it was, on every way out."""

import os
import signal
import subprocess
import termios
import time

import pytest

import harness

# All that a program may leave on, and what must come for it in the end.
MODES = (
    b"\x1b[?1049h\x1b[?1002h\x1b[?1006h\x1b[?1004h\x1b[?2004h\x1b[?1h\x1b="
    b"\x1b[?25l\x1b[4 q\x1b[3;10r\x1b[?7l\x1b(0\x1b[>1u\x1b]2;title\x07"
    b"\x1b[>4;1m\x1b]11;#123456\x1b\\"
)
UNDONE = [
    b"\x1b[?1049l",
    b"\x1b[?1002l",
    b"\x1b[?1006l",
    b"\x1b[?1004l",
    b"\x1b[?2004l",
    b"\x1b[?1l",
    b"\x1b>",
    b"\x1b[?25h",
    b"\x1b[0 q",
    b"\x1b[r",
    b"\x1b[?7h",
    b"\x1b(B",
    b"\x1b[<1u",
    b"\x1b[23;0t",
    b"\x1b[>4m",
    b"\x1b]111",
]


def start(sess, work_dir, name="m", then="exec cat"):
    (work_dir / "modes").write_bytes(MODES)
    t = sess.terminal("-c", name, "sh", "-c", f"cat modes; echo on; {then}")
    t.wait_raw(b"\x1b]11;#123456")
    t.set_at = t.raw.rindex(b"\x1b]11;#123456")
    return t


def check_given_back(t):
    assert t.modes() == t.modes_before
    last = t.raw[t.set_at :]
    for seq in UNDONE:
        assert seq in last, (seq, last)
    assert b"\x1bc" not in t.raw  # never by a full reset


def test_after_detach(sess, work_dir):
    t = start(sess, work_dir)
    t.detach()
    check_given_back(t)


def test_after_the_programs_end(sess, work_dir):
    t = start(sess, work_dir, then="exit 4")
    assert t.wait_exit() == 4
    check_given_back(t)


def test_after_the_server_was_killed(sess, work_dir):
    t = start(sess, work_dir)
    server = harness.parent(sess.pid("m"))
    os.kill(server, signal.SIGKILL)
    assert t.wait_exit() == 1
    check_given_back(t)
    assert "died" in t.text


def test_after_the_server_was_told_to_end(sess, work_dir):
    t = start(sess, work_dir)
    os.kill(harness.parent(sess.pid("m")), signal.SIGTERM)
    assert t.wait_exit() == 1
    check_given_back(t)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_after_a_signal_to_the_client(sess, work_dir, sig):
    t = start(sess, work_dir)
    os.kill(t.pid, sig)
    assert t.wait_exit() == 0
    check_given_back(t)
    assert "detached" in sess.ok()


def test_modes_are_undone_after_the_client_was_killed(sess, work_dir):
    t = start(sess, work_dir)
    os.kill(t.pid, signal.SIGKILL)
    t.wait_exit()
    for seq in UNDONE:
        t.wait_raw(seq)
    harness.wait_until(lambda: "detached" in sess.ok())


def test_settings_of_a_killed_clients_terminal_come_back(sess):
    t = sess.terminal("-c", "m", "sh", "-c", "echo here; exec cat")
    t.wait("here")
    assert t.modes() != t.modes_before
    os.kill(t.pid, signal.SIGKILL)
    t.wait_exit()
    harness.wait_until(lambda: t.modes() == t.modes_before)


def test_settings_that_somebody_else_made_since_stay(sess):
    t = sess.terminal("-c", "m", "sh", "-c", "echo here; exec cat")
    t.wait("here")
    mine = t.modes()
    mine[3] |= termios.ECHO
    termios.tcsetattr(t._slave, termios.TCSANOW, mine)
    os.kill(t.pid, signal.SIGKILL)
    t.wait_exit()
    harness.wait_until(lambda: "detached" in sess.ok())
    assert t.modes() == mine


def test_a_hangup_detaches_and_the_server_keeps_nothing_open(sess, work_dir):
    t = start(sess, work_dir)
    server = harness.parent(sess.pid("m"))
    tty = t.tty
    t.close()
    harness.wait_until(lambda: "detached" in sess.ok())

    def open_ttys():
        d = f"/proc/{server}/fd"
        return [os.readlink(f"{d}/{n}") for n in os.listdir(d)]

    harness.wait_until(lambda: tty not in open_ttys())


def test_modes_are_set_again_on_attach(sess, work_dir):
    start(sess, work_dir).detach()
    t = sess.terminal("-a", "m")
    for seq in (
        b"\x1b[?1049h",
        b"\x1b[?1002h",
        b"\x1b[?1006h",
        b"\x1b[?1004h",
        b"\x1b[?2004h",
        b"\x1b[?1h",
        b"\x1b=",
        b"\x1b[4 q",
        b"\x1b[3;10r",
        b"\x1b[?7l",
        b"\x1b[>1u",
        b"\x1b]2;title\x1b\\",
        b"\x1b[>4;1m",
        b"\x1b]11;#123456\x1b\\",
        b"\x1b(0",
    ):
        t.wait_raw(seq)
    assert not t.raw.endswith(b"\x1b[?25h")


def test_modes_that_are_off_again_are_not_set(sess, work_dir):
    (work_dir / "off").write_bytes(b"".join(UNDONE) + b"\x1b\\")
    t = start(sess, work_dir, then="read x; cat off; echo done; exec cat")
    t.line("")
    t.wait("done")
    t.detach()
    t = sess.terminal("-a", "m")
    t.wait("done")
    for seq in (b"?1049h", b"?1002h", b"?2004h", b"[>1u", b"\x1b(0", b"11;#"):
        assert seq not in t.raw, seq


def test_the_shell_gets_its_prompt_below_the_screen(sess):
    t = sess.program(["bash", "--norc"])
    t.line(f"PS1='outer% '; {sess.binary} -c in sh -c 'echo o\"\"ne; echo t\"\"wo; cat'")
    t.wait("two")
    t.send(b"\x1c")
    t.wait(lambda t: t.text.rpartition("[in: detached]")[2].strip() == "outer%")
    lines = [line for line in t.lines if line]
    assert lines[-2] == "[in: detached]" and lines[-1].startswith("outer%")
    assert lines[-4:-2] == ["one", "two"], lines


def test_what_was_on_the_terminal_goes_into_its_scrollback(sess):
    t = sess.program(["bash", "--norc"], rows=10)
    t.line("PS1='outer% '; seq 1 7")
    t.wait("\n7\n")
    before = t.raw
    t.line(f"{sess.binary} -c in cat")
    t.wait(lambda t: "outer%" not in t.text)
    t.line("typed")
    t.wait("typed")
    t.detach_key = t.send(b"\x1c")
    t.wait("[in: detached]")
    # No erasing of the whole screen: nothing of the user's is lost.
    new = t.raw[len(before) :]
    assert b"\x1b[2J" not in new and b"\x1b[3J" not in new


def test_suspend_and_continue(sess, user):
    t = sess.program(["bash", "--norc", "-i"])
    t.line("PS1='outer% '")
    t.wait("outer%")
    t.line(f"{sess.binary} -c in bash --norc")
    t.wait(lambda t: "bash-" in t.lines[0])
    t.line("x=1; echo inside-$x")
    t.wait("inside-1")
    client = [
        p for p in harness.descendants(t.pid) if " -c in" in harness.command(p)
    ][0]
    os.kill(client, signal.SIGTSTP)
    t.wait("Stopped")
    assert harness.state(client) == "T"
    # What is typed now is the outer shell's, all of it.
    t.line("echo out''side")
    t.wait("outside")
    assert "inside-1" not in [line for line in t.lines if "outer" in line]
    t.line("fg")
    t.wait(lambda t: "outside" not in t.text and "inside-1" in t.text)
    t.line("echo again-$x")
    t.wait("again-1")


def test_input_is_not_taken_while_the_client_is_stopped(sess):
    t = sess.program(["bash", "--norc", "-i"])
    t.line(f"PS1='outer% '; {sess.binary} -c in cat")
    t.wait(lambda t: "outer" not in t.text)
    t.line("before")
    t.wait("before")
    client = [
        p for p in harness.descendants(t.pid) if " -c in" in harness.command(p)
    ][0]
    os.kill(client, signal.SIGSTOP)
    t.wait("Stopped")
    t.line("echo $((20 + 22))")
    t.wait("42")
    t.line("fg")
    t.wait(lambda t: "42" not in t.text and "before" in t.text)


def test_nothing_is_taken_from_the_moment_the_client_is_stopped(sess):
    t = sess.terminal("-c", "in", "sh", "-c", "stty -echo; echo go; exec cat")
    t.wait("go")
    for i in range(20):
        t.line(f"before-{i}")
        t.wait(f"before-{i}")
        os.kill(t.pid, signal.SIGSTOP)
        harness.wait_until(lambda: harness.state(t.pid) == "T", every=0)
        t.line("elsewhere")
        # Raw without echo: it waits to be read, and by nobody of ours.
        harness.wait_until(lambda: "attached" in sess.ok())
        assert os.read(t._slave, 100) == b"elsewhere\r"
        os.kill(t.pid, signal.SIGCONT)
        t.line(f"after-{i}")
        t.wait(f"after-{i}")
    assert b"elsewhere" not in t.raw


def test_a_pasted_key_is_no_key(sess, work_dir):
    (work_dir / "on").write_bytes(b"\x1b[?2004h")
    t = sess.terminal(
        "-c", "p", "sh", "-c", "stty raw -echo; cat on; echo go; exec cat -v"
    )
    t.wait("go")
    t.send(b"\x1b[200~a\x1cb\x1b[201~")
    t.wait("a^\\b^[[201~")
    t.detach()


def test_a_slow_terminal_gets_all_after_the_programs_end(sess, user):
    """Longer than a terminal that takes nothing is waited for."""
    if user.is_root:
        pytest.skip("the ordinary user is enough for what takes its time")
    t = sess.terminal("-c", "end", "sh", "-c", "read x; seq 60000; exit 7")
    t.wait_raw(b"\x1b[?25h")
    t.line("")
    while b"\n59000\r" not in t.raw:
        time.sleep(0.1)
        try:
            t.raw += os.read(t.master, 4096)
        except BlockingIOError:
            pass
    assert t.wait_exit() == 7
    numbers = b"\r\n".join(b"%d" % n for n in range(1, 60001))
    assert numbers in t.raw


def test_a_pipe_is_relayed(sess):
    r = sess.run("-c", "p", "bash", "--norc", input=b"echo $((6 * 7))\nexit 5\n")
    assert r.status == 5 and "42" in r.out and r.err == ""


@pytest.mark.parametrize("fed", ["</dev/null", "0<&-", "<file", "echo typed |"])
def test_a_terminal_that_nobody_types_on_is_refused(sess, work_dir, fed):
    """It would be raw, and nothing typed on it could ever detach it."""
    (work_dir / "file").write_text("typed\n")
    sess.ok("-n", "runs", "cat")

    def run(args):
        line = f"{sess.binary} {args}"
        line = f"{fed} {line}" if fed.endswith("|") else f"{line} {fed}"
        t = sess.program(["sh", "-c", f"stty -echo; {line}"], cols=120)
        now = t.modes
        assert t.wait_exit() == 1
        assert "standard input is no terminal" in t.text
        assert "</dev/tty" in t.text and "sess -send" in t.text
        assert b"\x1b" not in t.raw
        assert now()[3] & termios.ICANON and now()[1] & termios.OPOST

    run("-a runs")
    run("-A runs")
    run("-r -a runs")
    for command in ("-c", "-A"):
        run(f"{command} new cat")
    assert "new" not in sess.ok() and "detached" in sess.ok()
    assert "typed" not in sess.ok("-history", "runs")
    # What only asks goes on as before.
    t = sess.program(["sh", "-c", f"{sess.binary} -n other cat </dev/null"])
    assert t.wait_exit() == 0


def test_the_way_that_the_refusal_names(sess):
    sess.ok("-n", "runs", "sh", "-c", "echo here; exec cat")
    line = f"echo runs | xargs sh -c '{sess.binary} -a $0 </dev/tty'"
    t = sess.program(["sh", "-c", line], rows=20)
    t.wait("here")
    t.line("typed")
    t.wait("typed\ntyped")
    assert "80x20" in sess.ok()
    t.detach()
    assert t.modes() == t.modes_before


def test_large_input_through_a_pipe_arrives(sess, work_dir):
    text = "".join(f"line {i}\n" for i in range(60000))
    sess.ok("-n", "sink", "sh", "-c", "stty raw -echo; echo go; cat > sink")
    harness.wait_until(lambda: (work_dir / "sink").exists())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    p = sess.begin("-E", "-a", "sink", **pipes)
    p.stdin.write(text.encode())
    p.stdin.flush()
    harness.wait_until(
        lambda: (work_dir / "sink").stat().st_size >= len(text), 30
    )
    assert (work_dir / "sink").read_text() == text
    sess.ok("-d", "sink")
    p.stdin.close()
    assert p.wait(10) == 0


def test_an_exclusive_terminal_is_relayed(sess, user):
    script = (
        "import fcntl, os, sys, termios\n"
        "fcntl.ioctl(0, termios.TIOCEXCL)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    import sys

    t = sess.program(
        [sys.executable, "-c", script, sess.binary, "-c", "ex", "sh", "-c",
         "echo here; read x; echo got-$x; exit 6"]
    )
    t.wait("here")
    t.line("word")
    t.wait("got-word")
    assert t.wait_exit() == 6
    assert t.modes()[:4] == t.modes_before[:4]


def test_a_terminal_of_another_user_is_relayed(sess, user):
    if user.is_root:
        pytest.skip("root may open any terminal")
    if os.geteuid() != 0:
        pytest.skip("needs root to lend it")
    t = sess.program(
        ["sh", "-c", f"exec {sess.binary} -c su sh -c 'echo here; read x; exit 8'"]
    )
    t.wait("here")
    t.line("")
    assert t.wait_exit() == 8


def test_output_processing_is_the_programs(sess):
    t = sess.terminal("-c", "raw", "sh", "-c", "stty raw; printf 'a\\nb'; cat")
    t.wait(lambda t: t.lines[:2] == ["a", " b"])


def test_the_detach_key(sess):
    # chosen, in the middle of other input
    t = sess.terminal("-e", "^A", "-c", "k", "cat")
    t.send(b"abc\x01xyz\r")
    assert t.wait_exit() == 0
    # none
    t = sess.terminal("-E", "-a", "k")
    t.wait("abc")
    t.send(b"\x1c")  # SIGQUIT to cat
    assert t.wait_exit() == 128 + signal.SIGQUIT


def test_the_detach_key_pressed_twice_is_the_programs(sess):
    t = sess.terminal("-c", "two", "sh", "-c", "stty raw -echo; echo go; cat -v")
    t.wait("go")
    t.send(b"a\x1c\x1cb")
    t.wait("a^\\b")
    t.send(b"\x1c")
    t.send(b"\x1c")
    t.wait("a^\\b^\\")
    t.send(b"\x1cx")
    assert t.wait_exit() == 0


def test_the_detach_key_in_its_long_forms(sess, work_dir):
    for key in (b"\x1b[92;5u", b"\x1b[92;133:1u", b"\x1b[27;5;92~"):
        (work_dir / "kitty").write_bytes(b"\x1b[>1u")
        t = sess.terminal("-A", "kitty", "sh", "-c", "cat kitty; echo on; cat")
        t.wait("on")
        t.send(b"x" + key[:4])
        t.send(key[4:])
        assert t.wait_exit() == 0
        t.close()


def test_no_O_NONBLOCK_on_what_the_shell_has(sess):
    t = sess.terminal("-c", "nb", "sh", "-c", "echo here; cat")
    t.wait("here")
    flags = int(
        [
            line.split()[1]
            for line in open(f"/proc/{t.pid}/fdinfo/0")
            if line.startswith("flags")
        ][0],
        8,
    )
    assert flags & os.O_NONBLOCK == 0


def test_terminal_settings_are_handed_to_the_session(sess):
    t = sess.program(["sh", "-c", f"stty erase ^H; exec {sess.binary} -c e sh"])
    t.line("stty -a | grep -o 'erase = ..'")
    t.wait("erase = ^H")
    assert termios.tcgetattr(t._slave)[6][termios.VERASE] == b"\x08"


def memory(pid):
    """What PID has in memory of its own, in bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        sizes = dict(x.split(":", 1) for x in f.read().splitlines()[1:])
    return sum(int(sizes[k].split()[0]) for k in ("Private_Clean", "Private_Dirty")) * 1024


@pytest.mark.parametrize("size", [(1, 1), (1000, 1000)], ids=["least", "most"])
def test_a_session_that_was_on_a_terminal_of_an_odd_size(sess, size):
    """Filled there, detached, and at work on one of another size."""
    script = (
        "stty -echo; while read x; do "
        "case $x in fill) seq -s ' ' 300000; seq 3000;; esac; stty size; echo =$x; done"
    )
    sess.ok("-n", "odd", "sh", "-c", script)
    rows, cols = size
    t = sess.terminal("-a", "odd", rows=rows, cols=cols)
    got = bytearray()

    def came(what):
        try:
            got.extend(os.read(t.master, 65536))
        except BlockingIOError:
            pass
        # What is painted may be cut into lines and wrapped.
        return what in got[-20000:].replace(b"\r", b"").replace(b"\n", b"")

    harness.wait_until(lambda: f"{cols}x{rows}" in sess.ok())
    for word in (b"fill", b"more"):
        t.send(word + b"\r")
        harness.wait_until(lambda: came(b"=" + word), 60, lambda: bytes(got[-200:]), 0)
    assert b"2999" in got
    server = harness.parent(sess.pid("odd"))
    most = memory(server)
    t.send(b"\x1c")
    harness.wait_until(lambda: came(b"[odd: detached]"), every=0)
    assert t.proc.wait(15) == 0
    other = sess.terminal("-a", "odd")
    other.line("other")
    other.wait("24 80\n=other")
    assert "2999" in sess.ok("-history", "odd").replace("\n", "")
    # A million cells take 20 MB, as long as the size is that.
    assert most < 40 << 20, most
    harness.wait_until(lambda: memory(server) < 4 << 20, 15, lambda: memory(server))
