"""By chance: whatever is attached, detached and resized when, a lone terminal
gets exactly the program's bytes, and the screen is the one that nobody had
disturbed. SESS_SEEDS=1000 tries that many (make check-property)."""

import os
import random

import pytest

import harness

pytestmark = pytest.mark.one_user

SEEDS = int(os.environ.get("SESS_SEEDS", "20"))
ROWS, COLS = 24, 80

# Prints the files it is told to, in order, and says when it has.
PROGRAM = (
    "stty raw -echo; : >begun; while read n; do [ ! -e part$n ] || cat part$n; : >said$n; "
    "printf '\\033]777;%d %s\\033\\\\' $n \"$(stty size)\"; done"
)


WORDS = (
    ["text ", "\t", "\r\n", "\n", "\b", "\x1b[K", "\x1b[1J", "\x1b[31m", "\x1b[m"]
    + ["\x1b[1;4m", "\x1b[48;5;99m", "\x1b[38;2;1;2;3m", "山川", "e\u0301", "😀"]
    + ["\x1b[5;9H", "\x1b[2;6r", "\x1b[r", "\x1b7", "\x1b8", "\x1bM", "\x1b[3L"]
    + ["\x1b[2M", "\x1b[4P", "\x1b[7@", "\x1b[?6h", "\x1b[?6l", "\x1b[?7l"]
    + ["\x1b[?7h", "\x1b[4h", "\x1b[4l", "\x1b(0lqk\x1b(B", "\x1b[?1049h"]
    + ["\x1b[?1049l", "\x1b[?25l", "\x1b[?25h", "\x1b]2;title\a", "\x1b[9X"]
    + ["\x1b[2S", "\x1b[T", "\x1bH", "\x1b[3g", "\x0e", "\x0f", "words " * 30]
)


def part(rng):
    """What the program prints at once; now and then a flood of lines."""
    words = [rng.choice(WORDS) for _ in range(rng.randrange(1, 60))]
    if rng.random() < 0.2:
        words += ["\x1b[32mline %d\x1b[m\r\n" % i for i in range(rng.randrange(5000))]
    return "".join(words).encode()


class Session:
    def __init__(self, sess, name):
        self.sess, self.name, self.n_asked = sess, name, 1000
        self.terminal = None
        sess.ok("-n", name, "sh", "-c", PROGRAM)
        begun = sess.work / "begun"
        harness.wait_until(begun.exists, 60)  # what is sent is not echoed
        begun.unlink()

    def say(self, n):
        self.sess.ok("-send", self.name, input=b"%d\n" % n)
        said = self.sess.work / f"said{n}"

        def done():
            # A terminal that takes nothing is left behind after a while.
            while self.terminal is not None and self.terminal.pump():
                pass
            return said.exists()

        harness.wait_until(done, 60)
        said.unlink()

    def asked(self, rows, cols):
        """Until the terminal gets what the program writes, at that size: what
        it writes before that may be covered by a painting."""
        t = self.terminal
        t.resize(rows, cols)

        def answered():
            self.n_asked += 1
            self.say(self.n_asked)
            answer = b"\x1b]777;%d %d %d\x1b\\" % (self.n_asked, rows, cols)
            for _ in range(10):
                t.pump(0.02)
                if answer in t.raw:
                    return True
            return False

        harness.wait_until(answered, 30)

    def attach(self, rows=ROWS, cols=COLS):
        self.terminal = self.sess.terminal(
            "-E", "-q", "-a", self.name, rows=rows, cols=cols
        )
        # Only the bytes are looked at, and taken without delay.
        self.terminal._stream.feed = lambda data: None
        self.asked(rows, cols)

    def detach(self):
        self.sess.ok("-d", self.name)
        assert self.terminal.wait_exit() == 0
        raw, self.terminal = self.terminal.raw, None
        return raw

    def painting(self):
        """What one gets who attaches now."""
        self.attach()
        return self.detach().partition(b"\x1b]777;")[0]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nobody_has_disturbed_it(sess, work_dir, seed):
    rng = random.Random(seed)
    parts = [part(rng) for _ in range(rng.randrange(2, 6))]
    resizes = rng.random() < 0.4
    if resizes:  # then the program draws all of it again
        parts.append(b"\x1bc" + part(rng))
    for n, data in enumerate(parts):
        (work_dir / f"part{n}").write_bytes(data)
        sess.user.own(work_dir / f"part{n}")
    s = Session(sess, "disturbed")
    for n, data in enumerate(parts):
        last = n == len(parts) - 1
        if s.terminal is None and (rng.random() < 0.7 or (resizes and last)):
            s.attach()
        if s.terminal is not None and resizes:
            back = last or rng.random() < 0.5
            s.asked(*((ROWS, COLS) if back else
                      (rng.randrange(2, 60), rng.randrange(4, 200))))
        begun = len(s.terminal.raw) if s.terminal else 0
        s.say(n)
        if s.terminal is not None:
            s.terminal.wait_raw(b"\x1b]777;%d " % n, 60)
            got = s.terminal.raw[begun:].partition(b"\x1b]777;%d " % n)[0]
            assert got == data, "not the program's bytes"
            if rng.random() < 0.6:
                s.detach()
    if s.terminal is not None:
        s.detach()
    alone = Session(sess, "alone")
    for n in range(len(parts)):
        alone.say(n)
    assert s.painting() == alone.painting()
