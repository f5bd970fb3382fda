"""The program's questions to its terminal are answered once: by the terminal,
by one of several, by sess while there is none."""

import fcntl
import os
import struct
import sys
import termios

import harness

# Asks what is in the file "ask", and writes what it was sent before "end".
ASK = (
    "import os, tty; tty.setraw(0); os.write(1, open('ask', 'rb').read())\n"
    "got = b''\n"
    "while not got.endswith(END): got += os.read(0, 1000)\n"
    "open('got.new', 'wb').write(got); os.rename('got.new', 'got')\n"
)


def script(end):
    return [sys.executable, "-c", ASK.replace("END", repr(end))]


def got(work_dir):
    f = work_dir / "got"
    harness.wait_until(f.exists, what="the program had no answer")
    return f.read_bytes()


def test_while_no_terminal_is_attached(sess, work_dir):
    questions = {
        b"\x1b[c": b"\x1b[?62;22c",
        b"\x1b[>c": b"\x1b[>1;10;0c",
        b"\x1b[=c": b"\x1bP!|00000000\x1b\\",
        b"\x1b[5n": b"\x1b[0n",
        b"\x1b[3;7H\x1b[6n": b"\x1b[3;7R",
        b"\x1b[?2004h\x1b[?2004$p": b"\x1b[?2004;1$y",
        b"\x1b[?2004l\x1b[?2004$p\x1b[?2004h": b"\x1b[?2004;2$y",
        b"\x1b[?2026$p": b"\x1b[?2026;2$y",
        b"\x1b[4$p": b"\x1b[4;2$y",
        b"\x1b[?4242$p": b"\x1b[?4242;0$y",
        b"\x1b[>q": b"\x1bP>|sess\x1b\\",
        b"\x1b[?u": b"\x1b[?0u",
        b"\x1b[>5u\x1b[?u": b"\x1b[?5u",
        b"\x1b]11;?\x07": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]10;#102030\x07\x1b]10;?\x1b\\": b"\x1b]10;rgb:1010/2020/3030\x1b\\",
        b"\x1b]4;196;?\x07": b"\x1b]4;196;rgb:ffff/0000/0000\x1b\\",
        b"\x1b[18t": b"\x1b[8;24;80t",
        b"\x1b[14t": b"",  # nobody knows
        b"\x1b[0c": b"\x1b[?62;22c",
        b"\x1b[9;9H\x1b[6n": b"\x1b[9;9R",
    }
    (work_dir / "ask").write_bytes(b"".join(questions))
    want = b"".join(questions.values())
    sess.ok("-n", "q", *script(b"\x1b[9;9R"))
    assert got(work_dir) == want


def test_the_first_question_is_the_terminals_to_answer(sess, work_dir):
    """A program that asks for the background as it starts is not told sess's."""
    (work_dir / "ask").write_bytes(b"\x1b]11;?\x07\x1b[c")
    t = sess.terminal("-c", "bg", *script(b"done"))
    t.screen.reply = None
    t.wait_raw(b"\x1b]11;?\x07\x1b[c")
    t.send(b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?1cdone")
    assert got(work_dir) == b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?1cdone"


def test_pixels_are_kept_when_the_terminal_has_gone(sess, work_dir):
    (work_dir / "ask").write_bytes(b"\x1b[14t\x1b[16t\x1b[5n")
    t = sess.terminal(
        "-c", "px", "sh", "-c", 'echo go; read x; exec "$@"', "sh",
        *script(b"\x1b[0n"),
    )  # fmt: skip
    t.wait("go")
    size = struct.pack("HHHH", 24, 80, 800, 480)
    fcntl.ioctl(t.master, termios.TIOCSWINSZ, size)
    child = sess.pid("px")

    def pixels():
        tty = os.open(f"/proc/{child}/fd/0", os.O_RDONLY | os.O_NOCTTY)
        try:
            return fcntl.ioctl(tty, termios.TIOCGWINSZ, b"\0" * 8)
        finally:
            os.close(tty)

    harness.wait_until(lambda: pixels() == size)
    t.detach()
    sess.ok("-send", "px", input=b"\n")
    assert got(work_dir) == b"\x1b[4;480;800t\x1b[6;20;10t\x1b[0n"


def test_one_of_several_terminals_answers(sess, work_dir):
    (work_dir / "ask").write_bytes(b"\x1b[c\x1b[5n" * 5)
    # As pyte has it.
    answers = (b"\x1b[?6c", b"\x1b[0n")
    a = sess.terminal("-c", "two", "sh", "-c", 'echo go; read x; exec "$@"', "sh",
                      *script(b"ab"))  # fmt: skip
    a.wait("go")
    others = [sess.terminal("-a", "two"), sess.terminal("-r", "-a", "two")]
    for t in others:
        t.wait("go")
    said = {t: b"" for t in [a] + others}

    def reply(t, data):
        said[t] += data
        t.send(data)

    for t in said:
        t.screen.reply = lambda data, t=t: reply(t, data)
    a.line("")
    for t in said:
        t.wait(lambda t: said[t] == b"".join(answers) * 5)
    # Typed behind the answers: they have been seen when these arrive.
    others[0].send(b"a")
    harness.wait_until(lambda: "attached" in sess.ok())
    a.send(b"b")
    assert got(work_dir) == b"".join(answers) * 5 + b"ab"


def test_an_answer_makes_no_leader(sess, work_dir):
    a = sess.terminal("-c", "l", "sh", "-c", "echo go; exec cat")
    a.wait("go")
    b = sess.terminal("-a", "l", rows=20, cols=70)
    b.wait("go")
    harness.wait_until(lambda: "70x20" in sess.ok())
    a.send(b"\x1b[?62c\x1b[0n\x1b[I")
    b.line("still")
    b.wait("still")
    assert "70x20" in sess.ok()
    a.line("mine")
    harness.wait_until(lambda: "80x24" in sess.ok())


def test_a_late_answer_does_not_reach_the_shell(sess, work_dir):
    t = sess.terminal("-c", "late", "bash", "--norc", env={"PS1": "% "})
    t.screen.reply = None
    t.line("PS1='% '; unset PROMPT_COMMAND")
    t.line(f"{sys.executable} -c \"print(chr(27) + '[c' + chr(27) + '[>q')\"")
    t.wait_raw(b"\x1b[>q")
    t.line("echo re''ady")
    t.wait("ready")
    # The key has been typed: what comes now is taken as it is.
    t.send(b"\x15")
    t.line(f"{sys.executable} -c \"print(chr(27) + '[c' + chr(27) + '[>q')\"; echo d''one")
    t.wait("done")
    t.send(b"\x1b[?62;22c\x1bP>|XTerm(379)\x1b\\")
    t.line("echo af''ter")
    t.wait("after")
    assert "62" not in t.text and "XTerm" not in t.text, t.text
