"""A save, a power-off, another boot, a revival: with Debian's kernels, in
QEMU (machine.py), as an ordinary user and as root."""

import re

import pytest

import harness
import machine

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("reboot")]

USERS = ("user", "root")
FILES = {
    # Lines of a number and the monotonic clock.
    "count.py": """\
import time
log = open("count.log", "a")
n = 0
while True:
    n += 1
    print(n, time.monotonic(), file=log, flush=True)
    time.sleep(0.1)
""",
    # How long a sleep of 20 seconds takes, as the sleeper sees it.
    "nap.py": """\
import subprocess
import time
begun = time.monotonic()
subprocess.run(["sleep", "20"])
print(time.monotonic() - begun, file=open("nap.log", "w"))
""",
    # A file in /tmp, which every boot empties, is open and written to.
    "scratch.py": """\
import time
f = open("/tmp/scratch-%s" % __import__("getpass").getuser(), "w+")
n = 0
while True:
    n += 1
    f.write("%d\\n" % n)
    f.flush()
    f.seek(0)
    numbers = f.read().split()
    assert numbers == [str(i) for i in range(1, n + 1)], numbers
    print(n, file=open("scratch.log", "w"), flush=True)
    time.sleep(0.2)
""",
}


@pytest.fixture
def box(tmp_path):
    m = machine.new(tmp_path, FILES)
    yield m
    m.close()


def _counts(m, user):
    """[(number, time)] of the counter's log, whole lines only."""
    text = m.status(user, "cat count.log")[1]
    lines = text[: text.rfind("\n") + 1].splitlines()
    return [(int(n), float(t)) for n, t in map(str.split, lines)]


def _wait_counts(m, user, more_than):
    def enough():
        counts = _counts(m, user) if m.status(user, "test -s count.log")[0] \
            == 0 else []
        return counts if len(counts) > more_than else None

    return harness.wait_until(enough, 60, every=0.2)


def _attach(m, user, name, expect):
    m.type(user, f"sess -a {name}")
    m.expect(expect)


def _detach(m):
    m.send("\x1c")
    assert m.typed() == 0


def _start(m, user):
    m.run(
        user,
        "mkdir lib && cp /usr/bin/python3 py && "
        "cp /lib/x86_64-linux-gnu/libc.so.6 lib && "
        "sess -n count python3 count.py && "
        "sess -n edit vim -u NONE -n notes && "
        "LD_LIBRARY_PATH=lib sess -n scratch ./py scratch.py && "
        "PS1=ok: sess -n shell bash --norc --noprofile",
    )
    _attach(m, user, "shell", "ok:")
    m.send("kept=orange; cd /usr/lib; true @@\r")
    m.expect("true @@")
    _detach(m)
    _attach(m, user, "edit", "~")
    m.send(f"iunsaved by {user}\x1b")
    m.expect(f"unsaved by {user}")
    _detach(m)
    _wait_counts(m, user, 5)


SESSIONS = ("count", "scratch", "shell", "edit")


def _each(m, user, command, names):
    m.run(
        user,
        f"for i in {' '.join(names)}; do {command} $i || exit; done",
    )


def _save(m, user, *names):
    _each(m, user, "sess -save -stop", names or SESSIONS)


def _revive(m, user, *names):
    _each(m, user, "sess -revive", names or SESSIONS)


def _upgrade(m, user):
    """A program and its libc are replaced by others, as packages do it."""
    m.run(
        user,
        "for f in py lib/libc.so.6; do cp $f new && echo changed >>new && "
        "mv new $f || exit; done",
    )


def _check_count(m, user, before):
    """It counts on: no number lost, and its clock stood still meanwhile."""
    after = _wait_counts(m, user, len(before) + 5)
    assert [n for n, _ in after] == list(range(1, len(after) + 1))
    gap = after[len(before)][1] - after[len(before) - 1][1]
    assert 0 < gap < 5 * harness.PATIENCE, after
    return after


def _check_shell(m, user):
    _attach(m, user, "shell", "ok:|[$#] ")
    m.send("echo =$kept=$PWD= | tr a-z A-Z\r")
    m.expect("=ORANGE=/USR/LIB=")
    _detach(m)


def _check_edit(m, user, line):
    _attach(m, user, "edit", f"unsaved by {user}")
    m.send(f"o{line}\x1b:w\r")
    m.expect("written")
    _detach(m)
    text = m.run(user, "cat notes")
    assert text.startswith(f"unsaved by {user}\n") and f"{line}\n" in text


def _check_scratch(m, user):
    def seen():
        return int(m.run(user, "cat scratch.log").strip() or 0)

    first = harness.wait_until(seen, 60, every=0.2)
    harness.wait_until(lambda: seen() > first + 2, 60, every=0.2)
    assert m.status(user, f"test -e /tmp/scratch-{user}")[0] == 0


def _check_nap(m, user):
    """The sleep took what it was to take, by the sleeper's clock."""

    def woken():
        return m.status(user, "cat nap.log")[1].strip()

    taken = harness.wait_until(
        lambda: re.fullmatch(r"[\d.]+", woken()), 90, every=0.5
    )
    assert 20 <= float(taken[0]) < 20 + 5 * harness.PATIENCE


@pytest.mark.parametrize("boots", ["6.1 6.1 6.12", "6.12 6.12 6.1 6.12"])
def test_sessions_outlive_reboots(box, boots):
    first, *others = boots.split()
    box.boot(first)
    for user in USERS:
        _start(box, user)
    for user in USERS:
        box.run(user, "sess -n nap python3 nap.py")
        _save(box, user, "nap")
    maps = "/proc/$(sess -pid scratch)/maps"
    counts = {}
    for n, series in enumerate(others):
        for user in USERS:
            _save(box, user)
            counts[user] = _counts(box, user)
        box.power_off()
        box.boot(series)
        for user in USERS:
            _upgrade(box, user)
            _revive(box, user, *SESSIONS, *([] if n else ["nap"]))
            box.run(user, f"grep /objects/ {maps}")
        for user in USERS:
            _check_count(box, user, counts[user])
            _check_shell(box, user)
            _check_scratch(box, user)
            _check_edit(box, user, f"boot {n}")
            if n == 0:
                _check_nap(box, user)


def test_power_loss_leaves_the_last_snapshot(box):
    box.boot("6.1")
    saved = {}
    for user in USERS:
        _start(box, user)
        _each(box, user, "sess -save", SESSIONS)
        saved[user] = len(_counts(box, user))
        _each(box, user, "sess -save", ["count"])
        _wait_counts(box, user, saved[user] + 10)
    box.power_loss()
    box.boot("6.1")
    for user in USERS:
        _revive(box, user)
        _check_shell(box, user)
        _check_edit(box, user, "later")
        _check_lost(box, user, saved[user])


def _check_lost(m, user, n_saved):
    """All that the log held at the save is there. What came later need not
    have reached the disk; the counter goes on behind it."""
    def lines():
        # A file system may leave zeros where it lost data.
        text = m.run(user, "tr -d \"\\\\0\" <count.log")
        return [line.split()[0] for line in text.splitlines() if line]

    before = lines()
    assert before[:n_saved] == [str(n) for n in range(1, n_saved + 1)]
    harness.wait_until(lambda: len(lines()) > len(before) + 3, 60, every=0.2)
