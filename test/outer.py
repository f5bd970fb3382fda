"""A terminal's modes, as somebody who looks at it from outside sees them.

Written from xterm's ctlseqs and the kitty keyboard protocol, not from sess:
it does not share its mistakes.
"""

import re

TOKEN = re.compile(
    rb"\x1b\[(?P<csi>[0-?]*)(?P<inter>[ -/]*)(?P<final>[@-~])"
    rb"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    rb"|\x1b(?P<string>[PX^_])(?s:.)*?\x1b\\"
    rb"|\x1b(?P<esc_inter>[ -/]*)(?P<esc>[0-~])"
    rb"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    rb"|(?P<text>[^\x00-\x1f\x7f]+)"
)

DEFAULT_ON = {7, 8, 25}
MICE = {9, 1000, 1001, 1002, 1003}
SCREENS = {47, 1047, 1049}


def tokens(data):
    """Every token of DATA; what is none is an error."""
    at = 0
    while at < len(data):
        m = TOKEN.match(data, at)
        assert m, f"no token: {data[at:at + 40]!r}"
        yield m
        at = m.end()


def numbers(params):
    return [int(p) if p else None for p in re.split(rb"[;:]", params)]


class Outer:
    """What is left behind in a terminal that began in its default state."""

    def __init__(self, rows=24):
        self.rows = rows
        self.modes = set(DEFAULT_ON)
        self.ansi, self.screen = set(), 0
        self.kitty = ([], [])
        self.modify, self.colors, self.titles = {}, {}, []
        self.title = self.icon = "outer"
        self.keypad, self.style, self.margins = False, 0, None
        self.sets, self.shift = ["B", "B", "B", "B"], 0
        self.saved = [(list("BBBB"), 0, False), (list("BBBB"), 0, False)]
        self.pen, self.link = [], ""

    def state(self):
        """Comparable; where the cursor is does not matter."""
        return {
            "modes": sorted(self.modes),
            "ansi": sorted(self.ansi),
            "screen": self.screen,
            "kitty": self.kitty,
            "modify": self.modify,
            "colors": self.colors,
            "titles": self.titles,
            "title": (self.title, self.icon),
            "keypad": self.keypad,
            "style": self.style,
            "margins": self.margins,
            "sets": self.sets,
            "shift": self.shift,
            "pen": self.pen,
            "link": self.link,
        }

    def feed(self, data):
        for m in tokens(data):
            if m["final"]:
                self._csi(m["csi"], m["inter"], m["final"].decode())
            elif m["osc"] is not None:
                self._osc(m["osc"].decode(errors="replace"))
            elif m["esc"]:
                self._esc(m["esc_inter"].decode(), m["esc"].decode())
            elif m["control"] in (b"\x0e", b"\x0f"):
                self.shift = 1 if m["control"] == b"\x0e" else 0
        return self

    def _save(self):
        self.saved[self.screen] = (list(self.sets), self.shift, 6 in self.modes)

    def _restore(self):
        sets, self.shift, origin = self.saved[self.screen]
        self.sets = list(sets)
        self.modes = self.modes | {6} if origin else self.modes - {6}

    def _mode(self, n, on):
        if n in SCREENS:
            if on and n == 1049:
                self._save()
            self.screen = int(on)
            if not on and n == 1049:
                self._restore()
            return
        if n in MICE:
            self.modes -= MICE
        self.modes = self.modes | {n} if on else self.modes - {n}

    def _csi(self, params, inter, final):
        prefix = params[:1].decode() if params[:1] in b"<=>?" else ""
        if not params:
            prefix = ""
        v = numbers(params[len(prefix) :])
        if final in "hl" and prefix == "?":
            for n in v:
                self._mode(n, final == "h")
        elif final in "hl" and not prefix:
            self.ansi = self.ansi | set(v) if final == "h" else self.ansi - set(v)
        elif final == "u" and prefix:
            self._kitty(prefix, v)
        elif final == "m" and prefix == ">":
            if len(v) > 1 and v[1] is not None:
                self.modify[v[0]] = v[1]
            else:
                self.modify.pop(v[0], None)
        elif final == "m":
            self.pen = [] if v[0] in (0, None) and len(v) == 1 else v
        elif final == "r" and not prefix:
            self.margins = None if v in ([None], [1, self.rows]) else v
        elif final == "q" and inter == b" ":
            self.style = v[0] or 0
        elif final == "t" and v[0] == 22:
            self.titles.append((self.title, self.icon))
        elif final == "t" and v[0] == 23 and self.titles:
            self.title, self.icon = self.titles.pop()

    def _kitty(self, prefix, v):
        stack = self.kitty[self.screen]
        if prefix == ">":
            stack.append(v[0] or 0)
        elif prefix == "<":
            del stack[max(0, len(stack) - (v[0] or 1)) :]
        elif prefix == "=":
            how = v[1] if len(v) > 1 else 1
            old, new = (stack or [0])[-1], v[0] or 0
            stack[-1:] = [{1: new, 2: old | new, 3: old & ~new}[how]]

    def _osc(self, text):
        n, _, rest = text.partition(";")
        if n in ("0", "1"):
            self.icon = rest
        if n in ("0", "2"):
            self.title = rest
        if n == "8":
            self.link = rest.partition(";")[2]
        if n == "4" and "?" not in rest:
            self.colors["4"] = rest
        elif n in ("10", "11", "12") and "?" not in rest:
            self.colors[n] = rest
        elif n in ("104", "110", "111", "112"):
            self.colors.pop(str(int(n) - 100), None)

    def _esc(self, inter, final):
        if inter and inter in "()*+":
            self.sets["()*+".index(inter)] = final
        elif inter:
            return
        elif final in "=>":
            self.keypad = final == "="
        elif final == "7":
            self._save()
        elif final == "8":
            self._restore()
        elif final in "no":
            self.shift = 2 if final == "n" else 3
        assert final != "c", "a full reset"
