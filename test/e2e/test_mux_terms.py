"""What sess writes of its own is what the terminal knows, by terminfo."""

import re
import subprocess

import pytest

from outer import tokens

# Everything that a program may have left on, and something to see.
PAGE = (
    "\x1b[31mred\x1b[0;94;102mbright\x1b[0;38;5;130;48;5;22mpalette"
    "\x1b[0;38;2;1;200;3;48;2;90;0;90mdirect\x1b[0m\r\n"
    "\x1b[1mB\x1b[0;2mD\x1b[0;3mI\x1b[0;4mU\x1b[0;5mK\x1b[0;7mR\x1b[0;8mC"
    "\x1b[0;9mS\x1b[0;21mV\x1b[0;4:3mW\x1b[0m\r\n"
    "\u250c\u2500\u2510\u2502\u2514\u2500\u2518 \u2554\u2550\u2557 caf\u00e9 "
    "\u6f22\u5b57 e\u0301\r\n"
    + "\x1b[10;1H" + "x" * 80
    + "\x1b[4;1Hlast"
    "\x1b[?1002;1006;1004;2004;1;2031;2048h\x1b=\x1b[>1u\x1b[>4;1m\x1b[5 q"
    "\x1b]2;title\a\x1b]11;#123456\a\x1b]4;1;red\a\x1b]8;;http://x\a"
    "\x1b]7;file:///\a\x1b]9;4;1;5\a\x1b[?69h\x1b[2;70s\x1b[2;9r\x1b[?7l"
    "\x1b[?6h\x1b[4h\x1b)0\x1b[?25l"
)
FRONT = "\x1b[?6l\x1b[?1049h\x1b[2;2Hfront"

# What xterm knows and terminfo has no word for.
XTERM_MODES = {
    1, 5, 6, 7, 12, 25, 45, 47, 69, 1000, 1002, 1003, 1004, 1006, 1047, 1049,
    2004, 2026, 2031, 2048,
}  # fmt: skip
XTERM_FINALS = {">u", "<u", ">m", "t", "s", " q"}

TERMS = [
    "xterm", "xterm-256color", "xterm-16color", "xterm-direct", "linux",
    "linux-16color", "vt100", "vt102", "vt220", "vt320", "ansi", "pcansi",
    "screen", "screen-256color", "tmux-256color", "rxvt", "rxvt-unicode",
    "putty", "st-256color", "alacritty", "konsole", "dvtm", "eterm-color",
    "sun", "cygwin", "hurd", "kitty", "vte", "mlterm", "qansi", "xterm-mono",
]  # fmt: skip
TEXT = ["dumb", "vt52", "adm3a", "wy50", "hp2392"]


class Known:
    """What infocmp(1) says that the terminal knows."""

    def __init__(self, term):
        out = subprocess.run(
            ["infocmp", "-1x", term], stdout=subprocess.PIPE, check=True
        ).stdout.decode("latin-1")
        self.flags, self.colors, self.strings = set(), 0, {}
        for line in out.splitlines()[2:]:
            line = line.strip().rstrip(",")
            if m := re.match(r"colors#(\w+)", line):
                self.colors = int(m[1], 0)
            elif m := re.match(r"([^=]+)=(.*)", line):
                text = re.sub(r"\$<[^>]*>", "", m[2]).replace("\\E", "\x1b")
                text = re.sub(r"\^([@-_])", lambda c: chr(ord(c[1]) - 64), text)
                self.strings[m[1]] = text
            elif "#" not in line:
                self.flags.add(line)
        all_of_it = "\0".join(self.strings.values())
        self.is_xterm = "XT" in self.flags or "\x1b[?1049h" in all_of_it
        self.modes, self.finals, self.pens = set(), set(), {0}
        csi = r"\x1b\[([<=>?]?)((?:%[^A-Za-z]*[a-z]?|[0-9;%])*)([ -/]*)([@-~])"
        for prefix, params, inter, final in re.findall(csi, all_of_it):
            if final in "hl" and "%" not in params:
                self.modes |= {prefix + n for n in params.split(";")}
            elif final == "m" and not prefix and "%" not in params:
                self.pens |= {int(n or 0) for n in params.split(";")}
            self.finals.add(prefix + inter + final)
        self.escapes = set(re.findall(r"\x1b([()][0-9A-B]|[=>78])", all_of_it))
        self.controls = {c for c in all_of_it if c in "\x0e\x0f"}
        # Modes that come with a mouse.
        if "kmous" in self.strings:
            self.modes.add("?1000")

    def knows(self, m, utf8):
        if m["text"] is not None:
            return utf8 or m["text"].isascii()
        if m["control"] is not None:
            known = {"\r", "\n"} | self.controls
            if self.is_xterm:
                known |= {"\x0e", "\x0f"}
            return m["control"].decode() in known
        if m["osc"] is not None:
            if m["osc"][:2] in (b"0;", b"1;", b"2;") and "tsl" in self.strings:
                return True
            return self.is_xterm
        if m["final"] is None:
            e = (m["esc_inter"] + m["esc"]).decode()
            return e in self.escapes or self.is_xterm or (
                # back to what everything begins with
                e[1:] == "B" and e[0] + "0" in self.escapes
            )
        return self._knows_csi(m)

    def _knows_csi(self, m):
        params, final = m["csi"].decode(), m["final"].decode()
        prefix = params[:1] if params[:1] in "<=>?" else ""
        values = params[len(prefix) :]
        if final in "hl":
            return all(
                prefix + n in self.modes
                or (self.is_xterm and prefix == "?" and int(n) in XTERM_MODES)
                for n in values.split(";")
            )
        if final == "m" and not prefix:
            return self._knows_pen(values)
        name = prefix + m["inter"].decode() + final
        return name in self.finals or (self.is_xterm and name in XTERM_FINALS)

    def _knows_pen(self, values):
        v = [int(n or 0) for n in re.split("[;:]", values)]
        while v:
            n = v.pop(0)
            if n in (38, 48):
                kind = v.pop(0)
                if kind == 5:
                    ok, v = self.colors >= 88, v[1:]
                else:
                    ok, v = True, v[3:]  # nobody with 256 minds
                ok = ok and self.colors >= 256
            elif 30 <= n <= 37 or 40 <= n <= 47:
                ok = self.colors >= 8
            elif 90 <= n <= 97 or 100 <= n <= 107:
                ok = self.colors >= 16
            elif n == 4 and ":" in values:
                ok, v = "Smulx" in self.strings or "XT" in self.flags, v[1:]
            else:
                ok = n in self.pens or "XT" in self.flags
            if not ok:
                return False
        return True


def attach(sess, term, lang):
    """All that sess writes to a terminal of this kind, to its end."""
    t = sess.terminal(
        "-q", "-a", "p", rows=10, env={"TERM": term, "LANG": lang}
    )
    t.wait(lambda t: b"last" in t.raw or b"front" in t.raw)
    # The program's answer, which changes nothing, comes behind the painting.
    t.line("")
    t.wait_raw(b"\0")
    sess.ok("-d", "p")
    assert t.wait_exit() == 0
    t.close()
    return t.raw.replace(b"\0", b"")


def begin(sess, work_dir, page):
    (work_dir / "page").write_text(page)
    t = sess.terminal(
        "-c",
        "p",
        "sh",
        "-c",
        "stty -echo; cat page; while read x; do printf '\\000'; done",
        rows=10,
    )
    t.wait_raw(b"\x1b[?25l")
    t.wait(lambda t: b"front" in t.raw or page == PAGE)
    t.detach()


@pytest.mark.parametrize("page", [PAGE, PAGE + FRONT], ids=["main", "front"])
@pytest.mark.parametrize("lang", ["C.UTF-8", "C"])
def test_every_byte_is_known_to_the_terminal(sess, user, work_dir, page, lang):
    if user.is_root:
        pytest.skip("terminfo is the same for everybody")
    begin(sess, work_dir, page)
    for term in TERMS:
        known = Known(term)
        raw = attach(sess, term, lang)
        for m in tokens(raw):
            assert known.knows(m, lang != "C"), (term, m[0], raw)


@pytest.mark.parametrize("page", [PAGE, PAGE + FRONT], ids=["main", "front"])
def test_terminals_that_cannot_be_painted_get_text(sess, work_dir, page):
    begin(sess, work_dir, page)
    for term in TEXT + [""]:
        raw = attach(sess, term or None, "C")
        for m in tokens(raw):
            assert m["text"] and m["text"].isascii() or m[0] in b"\r\n", (term, m)
        want = b"  front" if FRONT in page else b"redbrightpalettedirect\r\nBDIUKR"
        assert raw.lstrip(b"\r\n ").startswith(want.strip()), (term, raw)


def test_what_is_odd_about_the_terminal_is_said(sess):
    sess.ok("-n", "o", "cat")
    for term, what in (
        ("dumb", "'dumb' is too simple"),
        ("no-such-terminal", "terminfo does not know 'no-such-terminal'"),
        (None, "TERM is not set"),
    ):
        t = sess.terminal("-a", "o", env={"TERM": term})
        t.wait_raw(what.encode())
        t.line("echo")
        t.wait_raw(b"echo\r\necho")
        t.detach()


def test_one_screen_shows_what_was_behind(sess, work_dir):
    """A terminal without an alternate screen, while the program uses it."""
    (work_dir / "on").write_text("\x1b[?1049h\x1b[H\x1b[2Jfront\r\n")
    (work_dir / "off").write_text("\x1b[?1049l")
    t = sess.terminal(
        "-c", "one", "sh", "-c",
        "echo behind; cat on; read x; cat off; read x",
        env={"TERM": "vt100"},
    )  # fmt: skip
    t.wait(lambda t: "front" in t.text and "behind" not in t.text)
    t.line("")
    t.wait(lambda t: "behind" in t.text and "front" not in t.text)


def test_a_pipe_gets_the_programs_bytes_and_no_more(sess):
    r = sess.run("-c", "p", "sh", "-c", "stty raw -echo; read x; seq 3", input=b"\n")
    assert r.status == 0 and r.out.lstrip().startswith("1\n2\n3\n"), r
    assert "\x1b" not in r.out, r
