"""tmux as the reference terminal: what it shows, cell by cell, with every
attribute, is what a terminal of the xterm family shows.

One tmux server shows one program; it ends with it.
"""

import re
import time

import harness

# What is compared besides the cells.
STATE = (
    "cursor #{cursor_x},#{cursor_y} shown #{cursor_flag} alternate "
    "#{alternate_on} insert #{insert_flag} wrap #{wrap_flag} origin "
    "#{origin_flag} margins #{scroll_region_upper}-#{scroll_region_lower} keypad "
    "#{keypad_flag} keys #{keypad_cursor_flag} mouse #{mouse_any_flag}"
    "#{mouse_button_flag}#{mouse_standard_flag}#{mouse_sgr_flag} tabs #{pane_tabs}"
)
QUIET_S = 0.05  # between two looks that must be the same


CODE = re.compile(r"\x1b\[([0-9;:]*)m|(\x0e)|(\x0f)|([^\x1b])", re.S)


def _apply(pen, codes):
    """SGR as capture-pane writes it."""
    codes = codes.split(";")
    while codes:
        code = codes.pop(0)
        if code in ("38", "48", "58"):
            n = 2 if codes[0] == "5" else 4
            pen[code] = codes[:n]
            del codes[:n]
        elif code in ("", "0"):
            pen.clear()
        elif code in ("39", "49", "59"):
            pen.pop(code[0] + "8", None)
        elif re.fullmatch("[39][0-7]", code):
            pen["38"] = code
        elif re.fullmatch("(4|10)[0-7]", code):
            pen["48"] = code
        else:
            pen[code[0] if ":" in code else code] = code


def cells(shown):
    """Rows of characters with their pens. Blanks at the end are left out: of
    those that were erased in a colour tmux does not tell."""
    rows, row, pen = [], [], {}
    for codes, out, back, char in CODE.findall(shown):
        if out or back:
            pen.pop("set", None)
            pen.update({"set": 0} if out else {})
        elif char == "\n":
            while row and row[-1][0] == " ":
                row.pop()
            rows.append(row)
            row = []
        elif char:
            row.append((char, str(sorted(pen.items()))))
        else:
            _apply(pen, codes)
    return rows


class Tmux:
    def __init__(self, sess, argv, rows=24, cols=80):
        self.sess = sess
        self.socket = sess.work / f"tmux{time.monotonic_ns()}"
        conf = sess.work / "tmux.conf"
        conf.write_text(
            "set -g status off\nset -g default-terminal tmux-256color\n"
            "set -s escape-time 0\nset -g history-limit 0\n"
            "set -g set-titles off\nset -g focus-events on\n"
        )
        sess.user.own(conf)
        r = sess.command(
            ["tmux", "-u", "-S", self.socket, "-f", conf, "new-session", "-d",
             "-x", cols, "-y", rows, "--", *argv]
        )
        assert r.status == 0, r

    def _tmux(self, *args):
        return self.sess.command(["tmux", "-u", "-S", self.socket, *args])

    def look(self):
        """The screen and its state; None when the program has ended."""
        r = self._tmux("capture-pane", "-ep", ";", "display-message", "-p", STATE)
        return cells(r.out) if r.status == 0 else None

    def text(self):
        return self._tmux("capture-pane", "-p").out

    def keys(self, *keys):
        r = self._tmux("send-keys", *keys)
        assert r.status == 0, r

    def wait(self, what, timeout=20):
        """Until a text is there, or what a function of this says is so."""
        wanted = what if callable(what) else lambda t: what in t.text()
        harness.wait_until(
            lambda: wanted(self), timeout,
            lambda: f"{what!r} on the screen:\n{self.text()}", 0.02
        )

    def settled(self, timeout=20):
        """What it shows when it has shown the same three times in a row."""
        seen = [0, object()]

        def quiet():
            now = self.look()
            seen[0] = seen[0] + 1 if now == seen[1] else 0
            seen[1] = now
            return seen[0] >= 2

        harness.wait_until(quiet, timeout, self.text, QUIET_S)
        return seen[1]

    def wait_end(self, timeout=20):
        harness.wait_until(lambda: self.look() is None, timeout, self.text)

    def detach(self):
        self.keys("C-\\")
        self.wait_end()

    def close(self):
        self._tmux("kill-server")


def difference(a, b):
    """The first row that is not the same."""
    for y, (old, new) in enumerate(zip(a, b)):
        if old != new:
            both = "\n".join("".join(c[0] for c in row) for row in (old, new))
            places = [x for x in zip(old, new) if x[0] != x[1]]
            return f"row {y}:\n{both}\n{places[:3]}"
    return f"{len(a)} and {len(b)} rows"


def same_again(sess, t, name, rows=24, cols=80, tries=1):
    """Detach and attach: the screen is the same. The terminal that shows it.

    TRIES: a program may still have been at work when it was looked at.
    """
    for n in range(tries):
        before = t.settled()
        t.detach()
        t = Tmux(sess, [sess.binary, "-a", name], rows, cols)
        try:
            harness.wait_until(lambda: t.look() == before, 5, every=0.05)
            return t
        except AssertionError:
            if n == tries - 1:
                raise AssertionError(difference(before, t.settled())) from None
