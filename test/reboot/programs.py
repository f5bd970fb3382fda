"""What runs in the machines: a table of programs, each with the way it is
brought into a state of its own, and used again after every revival."""

import re
import textwrap

import harness

WAIT_S = 240


class Session:
    """One program of one user in a machine; what its checks remember."""

    def __init__(self, m, user, program):
        self.m, self.user, self.program = m, user, program
        self.name = program.name

    def run(self, command):
        return self.m.run(self.user, command)

    def text(self, path):
        """What is in a file, nothing when it is not there."""
        status, out = self.m.status(self.user, f"cat {path}")
        return out if status == 0 else ""

    def until(self, condition):
        """Wait in the machine for a shell's CONDITION."""
        status, out = self.m.status(
            self.user,
            f"for i in $(seq {WAIT_S * 2}); do {condition} && exit 0; "
            "sleep 0.5; done; sess; exit 1",
        )
        assert status == 0, f"not in {WAIT_S} s: {condition}: {out}"

    def attach(self, expect):
        self.m.type(self.user, f"sess -a {self.name}")
        self.m.see(expect)

    def type(self, text, expect):
        self.m.send(text)
        self.m.see(expect)

    def detach(self):
        self.m.send("\x1c")
        assert self.m.typed() == 0


class Program:
    """Overridden by each; N counts the revivals, LAST says that no other
    follows, LOST that the power failed some time after the save."""

    name = command = None
    files = {}

    def ready(self, s):
        """It has been started and comes to its state."""

    def before(self, s, lost):
        """It is about to be saved; where LOST, it has been and runs on."""

    def use(self, s, n, last, lost):
        """It has been revived."""


class Shell(Program):
    """Variables, a directory, a job."""

    name = "shell"
    command = "PS1=ok: sess -n shell bash --norc --noprofile"

    def ready(self, s):
        s.attach("ok:")
        s.type("kept=orange; cd /usr/lib; true\r", "true")
        s.detach()

    def use(self, s, n, last, lost):
        s.attach("ok:|[$#] ")
        s.type("echo =$kept=$PWD= | tr a-z A-Z\r", "=ORANGE=/USR/LIB=")
        s.detach()


class Editor(Program):
    """Text that is in no file."""

    name = "edit"
    command = "sess -n edit vim -u NONE -n notes"

    def ready(self, s):
        s.attach("~")
        s.type(f"iunsaved by {s.user}\x1b", f"unsaved by {s.user}")
        s.detach()

    def use(self, s, n, last, lost):
        s.attach(f"unsaved by {s.user}")
        s.type(f"oboot {n}\x1b:w\r", "written")
        s.detach()
        text = s.text("notes")
        assert text.startswith(f"unsaved by {s.user}\n"), text
        assert f"boot {n}\n" in text


class Counter(Program):
    """Lines of a number and the monotonic clock, which stands still while
    nothing runs."""

    def counts(self, s):
        text = s.text(self.log)
        # Where power was lost a file system may leave zeros, and half a line.
        lines = text[: text.rfind("\n") + 1].replace("\0", "\n").splitlines()
        fields = [f for f in map(str.split, lines) if len(f) == 2]
        return [(int(n), float(t)) for n, t in fields]

    def more(self, s, than):
        s.until(f"test -s {self.log} && test $(wc -l <{self.log}) -gt {than}")
        return self.counts(s)

    def ready(self, s):
        s.seen = self.more(s, 5)
        assert s.seen[0][0] == 1

    def before(self, s, lost):
        if lost:  # what came after the save need not have reached the disk
            self.more(s, len(s.seen) + 5)
        else:
            s.seen = self.counts(s)

    def use(self, s, n, last, lost):
        before = s.seen
        after = s.seen = self.more(s, len(before) + 5)
        assert after[: len(before)] == before
        if not lost:  # where it stood the count goes on
            (first, then), *rest = after[len(before) - 1 :]
            numbers = [n for n, _ in rest]
            assert numbers == list(range(first + 1, first + 1 + len(rest)))
            assert 0 < rest[0][1] - then < 120 * harness.PATIENCE, after


class PythonCounter(Counter):
    name, log = "count", "count.log"
    command = "sess -n count python3 count.py"
    files = {
        "count.py": """\
            import time
            log = open("count.log", "a")
            n = 0
            while True:
                n += 1
                print(n, time.monotonic(), file=log, flush=True)
                time.sleep(0.2)
        """
    }


class Scratch(Program):
    """A file in /tmp, which every boot empties, is open and written to; the
    program and its libc are replaced by others at each boot."""

    name = "scratch"
    command = (
        "mkdir lib && cp /usr/bin/python3 py && "
        "cp /lib/x86_64-linux-gnu/libc.so.6 lib && "
        "LD_LIBRARY_PATH=lib sess -n scratch ./py scratch.py"
    )
    files = {
        "scratch.py": """\
            import time
            f = open("/tmp/scratch-%s" % __import__("os").getuid(), "w+")
            n = 0
            while True:
                n += 1
                f.write("%d\\n" % n)
                f.flush()
                f.seek(0)
                numbers = f.read().split()
                assert numbers == [str(i) for i in range(1, n + 1)], numbers
                print(n, file=open("scratch.log", "w"), flush=True)
                time.sleep(0.3)
        """
    }

    def ready(self, s):
        s.until("test -s scratch.log")

    def use(self, s, n, last, lost):
        self.ready(s)
        first = int(s.text("scratch.log").strip() or 0)
        s.until(f"test $(cat scratch.log)0 -gt {first + 2}0")
        s.run("test -e /tmp/scratch-$(id -u)")


class Nap(Program):
    """A sleep takes what it was to take, by the sleeper's clock; the time
    for which the machine was off is not slept."""

    name = "nap"
    command = "sess -n nap python3 nap.py"
    files = {
        "nap.py": """\
            import os
            import subprocess
            import time
            begun = time.monotonic()
            print("begun", file=open("nap.log", "w"), flush=True)
            subprocess.run(["sleep", "60"])
            with open("nap.log", "w") as f:
                print(time.monotonic() - begun, file=f, flush=True)
                os.fsync(f.fileno())
            time.sleep(100000)  # for every save there is a session
        """
    }

    def ready(self, s):
        s.until("grep -q begun nap.log")

    def use(self, s, n, last, lost):
        if last:
            s.until("grep -q ^[0-9] nap.log")
        taken = re.fullmatch(r"([\d.]+)\n", s.text("nap.log"))
        if taken:
            assert 60 <= float(taken[1]) < 60 + 120 * harness.PATIENCE


class Windows(Program):
    """A multiplexer with two windows: terminals and shells of its own."""

    name = "windows"
    command = "PS1=dv: SHELL=/bin/dash ENV= sess -n windows dvtm"

    def ready(self, s):
        s.attach("dv:")
        s.m.send("kept=left\r")
        s.type("\x07c", "dv:")
        s.type("kept=right; echo now-$kept\r", "now-right")
        s.detach()

    def use(self, s, n, last, lost):
        s.attach("dv:")
        s.type(f"echo {n}-$kept\r", f"{n}-right")
        s.m.send("\x07j")
        s.type(f"echo {n}-$kept\r", f"{n}-left")
        s.m.send("\x07j")
        s.detach()


class Tmux(Program):
    """Its client, its server and the socket between them, in /tmp."""

    name = "mux"
    command = "PS1=tm: SHELL=/bin/dash sess -n mux tmux -f /dev/null"

    def ready(self, s):
        s.attach("tm:")
        s.type("kept=plum; echo now-$kept\r", "now-plum")
        s.detach()

    def use(self, s, n, last, lost):
        s.attach("tm:")
        s.type(f"echo {n}-$kept\r", f"{n}-plum")
        s.detach()
        assert "1 windows" in s.run("tmux ls")


class Build(Program):
    """make -j2, in flight at each save; each step is done once."""

    name = "build"
    command = "sess -n build make -s -j2 -f steps.mk"
    files = {
        "steps.mk": """\
            STEPS = 1 2 3 4 5 6 7 8
            all: $(STEPS)
            $(STEPS):
            \t@while ! test -e go.$@; do sleep 1; done; echo $@ >>steps
        """
    }

    def ready(self, s):
        s.run("sess -pid build")

    def use(self, s, n, last, lost):
        steps = range(1, 9) if last else (2 * n - 1, 2 * n)
        s.run(f"touch {' '.join(f'go.{i}' for i in steps)}")
        if last:
            s.run("sess -wait build")
        s.until(f"test $(wc -l <steps) -ge {steps[-1]}")
        done = sorted(map(int, s.text("steps").split()))
        assert done == list(range(1, steps[-1] + 1))


class Find(Program):
    """A program of another kind: threads and a runtime of its own (Go)."""

    name = "find"
    command = "sess -n find bash -c \"seq 1000 | fzf >picked\""

    def ready(self, s):
        s.attach("1000/1000")
        s.detach()

    def use(self, s, n, last, lost):
        s.attach("/1000")
        if n == 1:
            s.type("7", "271/1000")
        if last:
            s.type("77", "1/1000")
            s.m.send("\r")
            s.m.typed()
            assert s.text("picked") == "777\n"
        else:
            s.detach()


class Events(Counter):
    """A static program that lives by descriptors of events."""

    name, log = "events", "events.log"
    command = "sess -n events /disk/bin/events events.log"

    def before(self, s, lost):
        why = s.text("events.why")
        assert not why, why
        super().before(s, lost)

    def use(self, s, n, last, lost):
        super().use(s, n, last, lost)
        s.run("rm -f usr1; kill -USR1 $(sess -pid events)")
        s.until("test -s usr1")


class Database(Program):
    """A database that went on changing after the last save: what is there is
    set aside, what was saved is put back, neither is damaged."""

    name = "data"
    command = "sess -n data python3 data.py"
    files = {
        "data.py": """\
            import sqlite3, time
            db = sqlite3.connect("data.db")
            db.execute("create table t (n integer primary key, x)")
            n = 0
            while True:
                n += 1
                with db:
                    db.execute("insert into t values (?, randomblob(900))",
                               (n,))
                    db.execute("delete from t where n <= ?", (n - 50,))
                print(n, file=open("data.log", "w"), flush=True)
                time.sleep(0.3)
        """,
        "ask.py": """\
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1], timeout=60)
            ok = db.execute("pragma integrity_check").fetchall()
            assert ok == [("ok",)], ok
            print(db.execute("select max(n) from t").fetchone()[0])
        """,
    }

    def seen(self, s, path="data.db"):
        return int(s.run(f"python3 ask.py {path}"))

    def ready(self, s):
        s.until("test -s data.log")

    def before(self, s, lost):
        if lost:
            s.saved = self.seen(s)
            s.until(f"test $(cat data.log)0 -gt {s.saved + 5}0")

    def use(self, s, n, last, lost):
        first = self.seen(s)
        s.until(f"test $(python3 ask.py data.db) -gt {first + 2}")
        if lost:
            aside = s.run("ls -d data.db.sess-*[0-9]").split()
            assert len(aside) == 1, aside
            assert self.seen(s, aside[0]) > s.saved


PROGRAMS = [
    kind()
    for kind in (
        Shell,
        Editor,
        PythonCounter,
        Scratch,
        Windows,
        Tmux,
        Build,
        Find,
        Events,
        Database,
        Nap,
    )
]
FILES = {
    name: textwrap.dedent(text)
    for p in PROGRAMS
    for name, text in p.files.items()
}
