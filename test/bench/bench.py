"""make bench: what sess costs, as ratios of two sides measured in one run.

    bench.py [-n ROUNDS] [-m MIB] [ROW...]

Everything lies on /dev/shm. A row is the median of ROUNDS rounds (5), both
sides of it taking turns. Without sess's rival (dtach) its rows are left out.
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
sys.path.insert(0, str(ROOT / "test"))

import harness  # noqa: E402

BUILD = harness.BUILD
PTYRUN = BUILD / "test" / "bench" / "ptyrun"
HEARTBEAT = BUILD / "test" / "bench" / "heartbeat"
TOP = Path(tempfile.mkdtemp(prefix="sess-bench-", dir="/dev/shm"))
SESS = BUILD / "sess"
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


def output(args):
    plain = b"the quick brown fox jumps over the lazy dog, line by line by line\n"
    coloured = (
        "\x1b[1;32mok\x1b[0m \x1b[38;5;208mwörter\x1b[0m und 漢字 "
        "\x1b[4;34mhttps://example.org/ü\x1b[0m\n"
    ).encode()
    for what, line, size, limit in (
        ("output, plain: wall / bare pty", plain, 200 << 20, 1.10),
        ("output, coloured: wall / bare pty", coloured, 100 << 20, 1.15),
    ):
        path = text_file("text", line, size)
        sides = [
            lambda n: figures(run(PTYRUN, "cat", path)),
            lambda n: figures(
                run(PTYRUN, SESS, "-E", "-c", f"out{n}", "cat", path)
            ),
        ]
        if shutil.which("dtach"):
            sides.append(
                lambda n: figures(
                    run(PTYRUN, "dtach", "-c", f"out{n}.d", "-E", "cat", path)
                )
            )
        taken = [[] for _ in sides]
        for n in range(args.rounds):
            for side, values in zip(sides, taken):
                values.append(side(n))
        wall = [statistics.median(f["wall_us"] for f in v) for v in taken]
        cpu = [statistics.median(f["cpu_us"] for f in v) for v in taken]
        detail = " ".join(
            f"{name} {w / 1e6:.2f} s"
            for name, w in zip(("bare", "sess", "dtach"), wall)
        )
        row(what, wall[1] / wall[0], limit, detail)
        if len(cpu) == 3:
            row(
                "  its CPU beyond bare / dtach's",
                (cpu[1] - cpu[0]) / (cpu[2] - cpu[0]),
                0.65,
                f"sess {(cpu[1] - cpu[0]) / 1e6:.2f} s, "
                f"dtach {(cpu[2] - cpu[0]) / 1e6:.2f} s",
            )
        path.unlink()


def echo(args):
    if not shutil.which("dtach"):
        return

    def by_sess(n):
        got = figures(run(PTYRUN, "-e", "2000", SESS, "-c", f"echo{n}", "cat"))
        run(SESS, "-k", f"echo{n}")
        return got["echo_ns"]

    def by_dtach(n):
        sock = TOP / f"echo{n}.d"
        got = figures(run(PTYRUN, "-e", "2000", "dtach", "-c", sock, "cat"))
        end_holders(sock)
        return got["echo_ns"]

    ours, theirs = each(args.rounds, by_sess, by_dtach)
    row(
        "echo of one byte / dtach",
        ours / theirs,
        0.6,
        f"sess {ours / 1000:.0f} us, dtach {theirs / 1000:.0f} us",
    )


def end_holders(sock):
    """End the dtach that was started for SOCK."""
    for pid in (int(p) for p in os.listdir("/proc") if p.isdigit()):
        if str(sock) in harness.command(pid).split():
            os.kill(pid, signal.SIGTERM)


def idle(args):
    run(SESS, "-n", "idle", "cat")
    server = harness.parent(int(run(SESS, "-pid", "idle")))
    time.sleep(1)  # let it become idle: this is what is measured

    def switches():
        text = Path(f"/proc/{server}/status").read_text()
        return sum(
            int(line.split()[1])
            for line in text.splitlines()
            if "ctxt_switches" in line
        )

    before = switches()
    time.sleep(5)
    woken = switches() - before
    for line in Path(f"/proc/{server}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            pss = int(line.split()[1]) / 1024
    row("idle, detached: PSS of the server, MB", pss, 1.2, "")
    row("idle, detached: wake-ups in 5 s", woken, 0, "")
    run(SESS, "-k", "idle")


# --- save and revive ---------------------------------------------------------


class Beat:
    """heartbeat(1) in a session, and what it wrote down."""

    def __init__(self, name, mib, argv=None):
        self.name, self.file, self.seen = name, TOP / f"{name}.beat", 0
        argv = argv or [HEARTBEAT, mib, self.file]
        run(SESS, "-n", name, *argv)
        self.pid = int(self.next("ready"))

    def next(self, word, timeout=60):
        def found():
            if not self.file.exists():
                return None
            lines = self.file.read_text().splitlines()
            for i, line in enumerate(lines[self.seen :], self.seen + 1):
                if line.startswith(word + " "):
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


def standstill(args):
    beat = Beat("big", args.mib)
    forks, gaps, walls, copies = [], [], [], []
    source, target = TOP / "copied", TOP / "copy"
    with open(source, "wb") as f:
        for _ in range(args.mib):
            f.write(os.urandom(1 << 20))
    for _ in range(args.rounds):
        forks.append(beat.fork())
        beat.gap()
        walls.append(timed(SESS, "-save", "big"))
        gaps.append(beat.gap())
        run(SESS, "-rm", "big")
        copies.append(timed("cp", "--reflink=never", source, target))
        target.unlink()
    source.unlink()
    fork, gap = statistics.median(forks), statistics.median(gaps)
    row(
        f"standstill of {args.mib} MiB in a save, ms",
        gap,
        1.5 * fork + 5,
        f"its own fork() {fork:.1f} ms",
    )
    wall, copy = statistics.median(walls), statistics.median(copies)
    row(
        f"full save of {args.mib} MiB / cp",
        wall / copy,
        1.5,
        f"save {wall:.0f} ms, cp {copy:.0f} ms",
    )
    run(SESS, "-k", "big")


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
    "shell": shell,
    "tree": tree,
    "standstill": standstill,
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
    print(f"{'what':38} {'measured':>10} {'limit':>8}")
    for name in args.rows or ROWS:
        ROWS[name](args)


try:
    main()
finally:
    harness.end_processes(TOP / "s")
    shutil.rmtree(TOP, ignore_errors=True)
