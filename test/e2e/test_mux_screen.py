"""What was on the screen is there again: cells, colours, cursor, modes."""

import os
import time

import pytest

import harness


def picture(t):
    """All that the emulator knows of the screen."""
    while t.pump(0.05):
        pass
    s = t.screen
    cells = [
        [
            (c.data, c.fg, c.bg, c.bold, c.italics, c.underscore, c.reverse,
             c.strikethrough)
            for c in (s.buffer[y][x] for x in range(s.columns))
        ]
        for y in range(s.lines)
    ]
    # A blank is a blank, whatever its foreground.
    cells = [
        [(" ", "", c[2], 0, 0, c[5], c[6], 0) if c[0] == " " and not c[6] else c
         for c in row]
        for row in cells
    ]
    cursor = (s.cursor.y, min(s.cursor.x, s.columns - 1), s.cursor.hidden)
    return cells, cursor


def compare(a, b):
    assert a[1] == b[1], f"cursor {a[1]} became {b[1]}"
    for y, (old, new) in enumerate(zip(a[0], b[0])):
        assert old == new, (
            f"row {y}: {''.join(c[0] for c in old)!r} became "
            f"{''.join(c[0] for c in new)!r}: "
            f"{[(o, n) for o, n in zip(old, new) if o != n][:3]}"
        )


def again(sess, t, name, rows=24, cols=80):
    before = picture(t)
    t.detach()
    t = sess.terminal("-a", name, rows=rows, cols=cols)
    t.wait(lambda t: t.raw.endswith((b"\x1b[?25h", b"\x1b[0m")) or
           b"\x1b[24;1H" in t.raw)
    harness.wait_until(lambda: picture(t)[1] == before[1], 5,
                       lambda: (picture(t)[1], before[1]))
    compare(before, picture(t))
    return t


CARD = r"""
printf '\033[1mbold\033[m \033[3mitalic\033[m \033[4munder\033[m \033[7mrev\033[m \033[9mstrike\033[m\r\n'
for i in 0 1 2 3 4 5 6 7; do printf "\033[3${i}m f$i \033[4${i}m b$i \033[m\033[9${i}m F$i \033[10${i}m B$i \033[m"; done; printf '\r\n'
for i in 16 52 88 124 160 196 231 244 255; do printf "\033[38;5;${i}m#\033[48;5;${i}m \033[m"; done; printf '\r\n'
for i in 0 50 100 150 200 250; do printf "\033[38;2;$i;$i;100m*\033[48;2;100;$i;${i}m \033[m"; done; printf '\r\n'
printf '\033[44m\033[K blue line\033[m\r\n'
printf 'wide: \345\261\261\345\267\235 e\314\201 \342\202\254 \r\n'
printf '\033[10;20Hhere\033[20;1H\033[31mred pen'
"""


def test_a_colour_card(sess, work_dir):
    (work_dir / "card").write_text(CARD)
    t = sess.terminal("-c", "card", "sh", "-c", ". ./card; exec cat >/dev/null")
    t.wait("red pen")
    t = again(sess, t, "card")
    t.send("x")  # echoed with the pen that was left
    t.wait("red penx")
    y, x = t.screen.cursor.y, t.screen.cursor.x - 1
    assert t.screen.buffer[y][x].fg == "red"


def test_the_alternate_screen_and_the_one_behind_it(sess):
    script = (
        "printf 'main line\\r\\n\\033[32m'; printf '\\033[?1049h\\033[H\\033[2J"
        "alternate\\033[5;5Hx'; read l; printf '\\033[?1049lback'; read l"
    )
    t = sess.terminal("-c", "alt", "sh", "-c", script)
    t.wait(lambda t: t.raw.endswith(b"x") or "alternate" in t.text)
    before = picture(t)
    t.detach()
    t = sess.terminal("-a", "alt")
    t.wait_raw(b"\x1b[?1049h")
    t.wait("alternate")
    compare(before, picture(t))
    # pyte has one buffer only: look at the order of the bytes
    main, alt = t.raw.split(b"\x1b[?1049h")[-2:]
    assert b"main line" in main and b"main line" not in alt
    assert main.endswith(b"\x1b[2;1H\x1b[0;32m\x1b7")
    t.line("")
    t.wait_raw(b"\x1b[?1049lback")
    t.detach()
    t = sess.terminal("-a", "alt")
    t.wait("back")
    assert t.lines[:2] == ["main line", "back"]


def test_a_wrap_that_is_pending_stays_pending(sess):
    t = sess.terminal(
        "-c", "wrap", "sh", "-c",
        "printf '%080d' 7; stty -echo; read x; printf 'next'; cat",
    )
    t.wait("0007")
    t.detach()
    t = sess.terminal("-a", "wrap")
    t.wait("0007")
    t.line("")
    t.wait("next")
    assert t.lines[1] == "next"


def test_the_cursor_that_was_saved_is_saved(sess):
    t = sess.terminal(
        "-c", "saved", "sh", "-c",
        "printf '\\033[5;9H\\0337\\033[H''top'; stty -echo; read x;"
        "printf '\\0338restored'; cat",
    )
    t.wait("top")
    t.detach()
    t = sess.terminal("-a", "saved")
    t.wait("top")
    t.line("")
    t.wait("restored")
    assert t.lines[4] == "        restored"


def test_margins_and_origin(sess):
    t = sess.terminal(
        "-c", "margins", "sh", "-c",
        "printf 'head\\033[2;5r\\033[?6h\\033[4;1Hlast'; stty -echo; read x;"
        "printf '\\r\\nscrolled'; cat",
    )
    t.wait("last")
    before = picture(t)
    t.detach()
    t = sess.terminal("-a", "margins")
    t.wait("last")
    compare(before, picture(t))
    t.line("")
    t.wait("scrolled")
    assert t.lines[0] == "head"
    assert t.lines[3:5] == ["last", "scrolled"]


@pytest.mark.parametrize("torn_at", range(1, 9))
def test_a_sequence_that_is_torn_by_an_attach(sess, work_dir, torn_at):
    """Attach while the program is in the middle of a sequence."""
    text = "\u5c71\x1b[31m".encode()
    (work_dir / "a").write_bytes(b"begin " + text[:torn_at])
    (work_dir / "b").write_bytes(text[torn_at:] + b"end")
    t = sess.terminal(
        "-c", "torn", "sh", "-c", "cat a; stty -echo; read x; cat b; cat"
    )
    t.wait("begin")
    t.detach()
    t = sess.terminal("-a", "torn")
    os.write(t.master, b"\r")
    t.wait("end")
    assert t.lines[0].replace(" ", "") == "begin\u5c71end"


@pytest.mark.parametrize(
    "command, see",
    [
        (["bash", "--norc"], "bash-"),
        (["less", "/etc/services"], "/etc/services"),
        # pyte takes CSI > 4;2 m, which is t_TI, for an underline
        (["vim", "-u", "NONE", "--cmd", "set t_TI= t_TE=",
          "-c", "syntax on|set nu", "/etc/passwd"], "root:"),
    ],
    ids=lambda v: v[0] if isinstance(v, list) else "",
)
def test_programs(sess, command, see):
    t = sess.terminal("-c", "prog", *command)
    t.wait(see)
    time.sleep(0.3)  # until it has drawn all it wants to: there is no event
    again(sess, t, "prog")


def test_attach_in_a_flood(sess):
    script = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo line $i; done; echo THE END; cat"
    sess.ok("-n", "flood", "sh", "-c", script)
    for _ in range(5):
        t = sess.terminal("-a", "flood")
        t.wait("line ")
        t.detach()
        assert t.modes() == t.modes_before
    t = sess.terminal("-a", "flood")
    t.wait("THE END", 60)
    assert t.lines[:22] == [f"line {i}" for i in range(59979, 60001)][:22] or (
        "line 60000" in t.text
    )
    before = picture(t)
    t.detach()
    t = sess.terminal("-a", "flood")
    t.wait("THE END")
    compare(before, picture(t))


def test_a_lone_terminal_gets_every_byte(sess):
    t = sess.terminal("-c", "all", "sh", "-c", "seq 1 200000; echo THE END; cat")
    t.wait("THE END", 60)
    raw = t.raw.replace(b"\r\n", b"\n")
    # Whatever came before the attach was painted; all the rest is there.
    first = raw.rindex(b"\x1b[?25h") if b"\x1b[?25h" in raw else 0
    numbers = [int(n) for n in raw[first:].split(b"\n")[1:] if n.isdigit()]
    assert numbers == list(range(numbers[0], 200001))
    assert len(numbers) > 1000


def test_questions_are_answered_while_nobody_is_attached(sess, work_dir):
    script = (
        "stty raw -echo; printf '\\033[5;7H\\033[6n'; "
        "dd bs=1 count=6 of=answer 2>/dev/null; exec sleep 1000"
    )
    sess.ok("-n", "ask", "sh", "-c", script)
    harness.wait_until(
        lambda: (work_dir / "answer").exists()
        and (work_dir / "answer").read_bytes() == b"\x1b[5;7R"
    )


def test_the_title_comes_back(sess):
    t = sess.terminal(
        "-c", "title", "sh", "-c", "printf '\\033]0;my title\\007ok'; cat"
    )
    t.wait("ok")
    t.detach()
    t = sess.terminal("-a", "title")
    t.wait("ok")
    assert t.screen.title == "my title"
