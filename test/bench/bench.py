"""make bench: what sess costs, as ratios of two sides measured in one run.

    bench.py [-n ROUNDS] [-m MIB] [ROW...]

Everything lies on /dev/shm. A row is the median of ROUNDS rounds (5), all
sides of it taking turns: a bare pty, a bare relay between two (relay.c: the
least that can stand there), sess, dtach, screen and tmux, as far as they are
installed. Beside each figure stands its ratio to that of sess. Mind that screen
and tmux drop output that a slow terminal would not show anyway.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "test" / "bench")]

import harness  # noqa: E402
from rivals import rivals  # noqa: E402

BUILD = harness.BUILD
PTYRUN = BUILD / "test" / "bench" / "ptyrun"
RELAY = BUILD / "test" / "bench" / "relay"
HEARTBEAT = BUILD / "test" / "bench" / "heartbeat"
TOP = Path(tempfile.mkdtemp(prefix="sess-bench-", dir="/dev/shm"))
SESS = BUILD / "sess"
COLUMNS = ("bare", "relay", "sess", "dtach", "screen", "tmux")
ENV = {
    "PATH": os.environ["PATH"],
    "HOME": str(TOP),
    "SHELL": "/bin/sh",
    "TERM": "xterm-256color",
    "LANG": "C.UTF-8",
    "SESS_DIR": str(TOP / "s"),
}


def run(*argv):
    p = subprocess.run(
        [str(a) for a in argv],
        env=ENV,
        cwd=TOP,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if p.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, argv))}: {p.stderr or p.stdout}")
    return p.stdout


def timed(*argv):
    start = time.monotonic()
    run(*argv)
    return (time.monotonic() - start) * 1000


def figures(text):
    words = text.split()
    return {k: int(v) for k, v in zip(words[::2], words[1::2])}


def each(rounds, *sides):
    """Medians of the sides, which take turns."""
    taken = [[] for _ in sides]
    for n in range(rounds):
        for side, values in zip(sides, taken):
            values.append(side(n))
    return [statistics.median(v) for v in taken]


def row(what, measured, limit, detail):
    verdict = "ok" if measured <= limit else "OVER"
    print(f"{what:38} {measured:10.2f} {limit:8.2f}  {verdict:4}  {detail}")
    sys.stdout.flush()


# --- the multiplexer ---------------------------------------------------------


def text_file(name, line, size):
    path = TOP / name
    block = line * (1 << 20 >> 4)
    with open(path, "wb") as f:
        while f.tell() < size:
            f.write(block)
        f.truncate(size)
    return path


def compare(what, unit, values, limit=None, of="bare"):
    """A row of the table: VALUES by name, and each as a ratio to sess's. With
    LIMIT: what sess's own ratio to that of OF is to be."""
    ours = values["sess"]
    cells = [
        f"{values[n]:9.2f} {values[n] / ours if ours else 0:5.2f}"
        if n in values else " " * 12 + "  -"
        for n in COLUMNS
    ]
    verdict = ""
    if limit is not None and of in values:
        ratio = ours / values[of]
        verdict = f"  {ratio:.2f} of {of}, {limit:.2f}: "
        verdict += "ok" if ratio <= limit else "OVER"
    print(f"{what + ', ' + unit:28}", *cells, verdict)
    sys.stdout.flush()


def each_rival(args, measure, among=None):
    """Medians by name of what MEASURE(rival, n) gives, taking turns."""
    among = among or args.rivals
    medians = each(
        args.rounds, *[lambda n, r=r: measure(r, n) for r in among]
    )
    return {r.name: m for r, m in zip(among, medians)}


def pty_run(rival, *argv):
    return figures(rival.run(PTYRUN, *argv))


def output(args):
    plain = b"the quick brown fox jumps over the lazy dog, line by line by line\n"
    coloured = (
        "\x1b[1;32mok\x1b[0m \x1b[38;5;208mwörter\x1b[0m und 漢字 "
        "\x1b[4;34mhttps://example.org/ü\x1b[0m\n"
    ).encode()
    for what, line, size, limit in (
        ("200 MB plain", plain, 200 << 20, 1.10),
        ("100 MB coloured UTF-8", coloured, 100 << 20, 1.15),
    ):
        path = text_file("text", line, size)
        taken = {"bare": [], "relay": []}
        for n in range(args.rounds):
            for name, argv in (("bare", []), ("relay", [RELAY])):
                got = pty_run(args.rivals[0], *argv, "cat", path)
                taken[name].append(got)
            for r in args.rivals:
                got = pty_run(r, *r.start(f"out{n}", "cat", path))
                taken.setdefault(r.name, []).append(got)
        for key, word in (
            ("wall_us", "time"),
            ("busy_us", "machine CPU"),
            ("cpu_us", "own CPU"),
        ):
            values = {
                name: statistics.median(f[key] for f in v) / 1e6
                for name, v in taken.items()
            }
            if key == "wall_us":
                compare(what, "s", values, limit)
                continue
            beyond = {n: v - values["bare"] for n, v in values.items() if n != "bare"}
            compare(f"  {word} beyond bare", "s", beyond, 0.65, "dtach")
        path.unlink()


def echo(args):
    def measure(r, n):
        got = pty_run(r, "-e", "2000", *r.start(f"echo{n}", "sh", "-c", "echo up; exec cat"))
        r.end()
        return got["echo_ns"] / 1000

    compare("echo of a byte", "us", each_rival(args, measure), 0.6, "dtach")


def switches(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return sum(
        int(line.split()[1])
        for line in text.splitlines()
        if "ctxt_switches" in line
    )


def pss_mb(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024


def idle(args):
    pss, woken = {}, {}
    for r in args.rivals:
        r.run(*r.create("idle", "cat"))
        time.sleep(1)  # let it become idle: this is what is measured
        pids = r.servers()
        before = sum(switches(p) for p in pids)
        pss[r.name] = sum(pss_mb(p) for p in pids)
        time.sleep(5)
        woken[r.name] = sum(switches(p) for p in pids) - before
        r.end()
    compare("idle session: PSS", "MB", pss)
    compare("idle session: wake-ups", "in 5 s", woken)
    row("  PSS of sess's server, MB", pss["sess"], 1.2, "")
    row("  wake-ups of sess's server in 5 s", woken["sess"], 0, "")


def create(args):
    def measure(r, n):
        start = time.monotonic()
        r.run(*r.create(f"new{n}", "/bin/sleep", "1000"))
        return (time.monotonic() - start) * 1000

    times = argparse.Namespace(rounds=args.rounds * 4, rivals=args.rivals)
    compare("to create, detached", "ms", each_rival(times, measure))
    for r in args.rivals:
        r.end()


def attach(args):
    """Until the program's text is there; dtach brings none: until it clears."""
    for r in args.rivals:
        r.run(*r.create("at", "sh", "-c", "echo here it is; exec cat"))

    def measure(r, n):
        text = "\x1b[J" if r.name == "dtach" else "here it is"
        got = pty_run(r, "-a", text, *r.attach("at"))
        time.sleep(0.05)  # for screen, which is attached until it notices
        return got["attach_us"] / 1000

    time.sleep(0.5)
    times = argparse.Namespace(rounds=args.rounds * 4, rivals=args.rivals)
    compare("to attach, to its screen", "ms", each_rival(times, measure))
    for r in args.rivals:
        r.end()


def many(args):
    among = [r for r in args.rivals if r.listing()]
    for r in among:
        for n in range(200):
            r.run(*r.create(f"m{n}", "/bin/sleep", "1000"))

    def measure(r, n):
        start = time.monotonic()
        text = r.run(*r.listing())
        took = (time.monotonic() - start) * 1000
        assert "m199" in text
        return took

    values = each_rival(args, measure, among)
    compare("list of 200", "ms", values)
    row("  list of 200, ms", values["sess"], 50, "")
    compare("200 sessions: PSS", "MB", {
        r.name: sum(pss_mb(p) for p in r.servers()) for r in among
    })
    for r in among:
        r.end()


# --- save and revive ---------------------------------------------------------


class Beat:
    """heartbeat(1) in a session, and what it wrote down."""

    def __init__(self, name, mib, argv=None):
        self.name, self.file, self.seen = name, TOP / f"{name}.beat", 0
        argv = argv or [HEARTBEAT, mib, self.file]
        run(SESS, "-n", name, *argv)
        self.pid = int(self.next("ready"))

    def next(self, word, timeout=60, after=0):
        """The next line of WORD whose number is larger than AFTER."""
        def found():
            if not self.file.exists():
                return None
            lines = self.file.read_text().splitlines()
            for i, line in enumerate(lines[self.seen :], self.seen + 1):
                if line.startswith(word + " ") and int(line.split()[1]) > after:
                    self.seen = i
                    return line.split()[1]
            return None

        return int(harness.wait_until(found, timeout, f"no {word}", 0.002))

    def ask(self, sig, word):
        os.kill(self.pid, sig)
        return self.next(word) / 1000

    def gap(self):
        return self.ask(signal.SIGUSR1, "gap")

    def fork(self):
        return self.ask(signal.SIGUSR2, "fork")


class Copies:
    """cp of MIB mebibytes of noise, which is what saving is measured by."""

    def __init__(self, mib):
        self.walls = []
        self.source, self.target = TOP / "copied", TOP / "copy"
        with open(self.source, "wb") as f:
            for _ in range(mib):
                f.write(os.urandom(1 << 20))

    def warm(self):
        """A virtual machine may have to fetch memory from its host first,
        which costs more than the copying: what comes next finds as much as it
        needs just freed, and that again before the copy itself."""
        wall = timed("cp", "--reflink=never", self.source, self.target)
        self.target.unlink()
        return wall

    def measure(self):
        self.warm()
        self.walls.append(self.warm())

    def median(self):
        self.source.unlink()
        return statistics.median(self.walls)


def standstill(args):
    beat = Beat("big", args.mib)
    forks, gaps, walls, copies = [], [], [], Copies(args.mib)
    for _ in range(args.rounds):
        copies.warm()
        forks.append(beat.fork())
        beat.gap()
        walls.append(timed(SESS, "-save", "big"))
        gaps.append(beat.gap())
        run(SESS, "-rm", "big")
        copies.measure()
    fork, gap = statistics.median(forks), statistics.median(gaps)
    row(
        f"standstill of {args.mib} MiB in a save, ms",
        gap,
        1.5 * fork + 5,
        f"its own fork() {fork:.1f} ms",
    )
    wall, copy = statistics.median(walls), copies.median()
    row(
        f"full save of {args.mib} MiB / cp",
        wall / copy,
        1.5,
        f"save {wall:.0f} ms, cp {copy:.0f} ms",
    )
    run(SESS, "-k", "big")


def revive(args):
    beat = Beat("back", args.mib)
    walls, copies = [], Copies(args.mib)
    for _ in range(args.rounds):
        run(SESS, "-save", "-stop", "back")
        copies.measure()
        start = time.time()
        run(SESS, "-revive", "back")
        walls.append(beat.next("back", after=start * 1e6) / 1e3 - start * 1e3)
    wall, copy = statistics.median(walls), copies.median()
    row(
        f"revive of {args.mib} MiB, to its next beat / cp",
        wall / copy,
        2,
        f"revive {wall:.0f} ms, cp {copy:.0f} ms",
    )
    run(SESS, "-k", "back")


def shell(args):
    beat = Beat(
        "bash",
        1,
        ["bash", "--norc", "-c", f"{HEARTBEAT} 1 {TOP}/bash.beat; :"],
    )
    gaps = []
    for _ in range(args.rounds):
        beat.gap()
        run(SESS, "-save", "bash")
        gaps.append(beat.gap())
    row("standstill of a bash session, ms", statistics.median(gaps), 30, "")
    run(SESS, "-k", "bash")


def tree(args):
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; exec bash --norc"
    user = harness.User("root" if os.geteuid() == 0 else os.environ["USER"])
    run(SESS, "-n", "tree", "bash", "--norc", "-c", script)
    first = int(run(SESS, "-pid", "tree"))
    harness.wait_until(
        lambda: len(harness.descendants(first)) == 9
        and "-c" not in harness.command(first).split(),
        what="the tree of ten is not complete",
    )
    walls, prompts = [], []
    for _ in range(args.rounds):
        run(SESS, "-save", "-stop", "tree")
        start = time.monotonic()
        run(SESS, "-revive", "tree")
        walls.append((time.monotonic() - start) * 1000)
        t = harness.Terminal([SESS, "-a", "tree"], ENV, user)
        t.wait("bash-")
        prompts.append((time.monotonic() - start) * 1000)
        t.detach()
        t.close()
    row(
        "revive of ten processes, ms",
        statistics.median(walls),
        100,
        f"with attach, to the prompt {statistics.median(prompts):.0f} ms",
    )
    run(SESS, "-k", "-f", "tree")


ROWS = {
    "output": output,
    "echo": echo,
    "idle": idle,
    "create": create,
    "attach": attach,
    "many": many,
    "shell": shell,
    "tree": tree,
    "standstill": standstill,
    "revive": revive,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", dest="rounds", type=int, default=5)
    parser.add_argument("-m", dest="mib", type=int, default=1024)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=" ".join(ROWS))
    args = parser.parse_args()
    for name in args.rows:
        if name not in ROWS:
            parser.error(f"{name} is none of: {' '.join(ROWS)}")
    (TOP / "s").mkdir(mode=0o700)
    args.rivals = rivals(TOP, ENV, SESS)
    print(f"{'what':28}", *[f"{name:>9} /sess" for name in COLUMNS])
    for name in args.rows or ROWS:
        ROWS[name](args)


try:
    main()
finally:
    harness.end_processes(TOP / "s")
    harness.end_processes(TOP / "sess")
    shutil.rmtree(TOP, ignore_errors=True)
