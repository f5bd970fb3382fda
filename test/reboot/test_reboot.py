"""A save, a power-off or a power loss, another boot, a revival: with Debian's
kernels, in QEMU (machine.py), as an ordinary user and as root. Each machine
carries all of programs.py at once, and the ordinary user's sessions are revived
by himself and by root in turns."""

import pytest

import machine
from programs import FILES, PROGRAMS, Session

pytestmark = [pytest.mark.timeout(1200), pytest.mark.xdist_group("reboot")]

USERS = ("user", "root")


@pytest.fixture
def box(tmp_path):
    m = machine.new(tmp_path, FILES)
    yield m
    m.close()


def _start(m):
    sessions = [Session(m, user, p) for user in USERS for p in PROGRAMS]
    for s in sessions:
        s.run(s.program.command)
    for s in sessions:
        s.program.ready(s)
    return sessions


def _save(m, sessions, lost):
    """All at once; then the machine goes off, in order or not."""
    how = "" if lost else " -stop"
    if lost:  # what the programs wrote before the save is not what is lost
        m.run("root", "sync")
    for user in USERS:
        m.run(user, "sess -save -all" + how)
    for s in sessions:
        s.program.before(s, lost)
    if lost:
        m.power_loss()
    else:
        m.power_off()


def _upgrade(m, user):
    """A program and its libc are replaced by others, as packages do it."""
    m.run(
        user,
        "for f in py lib/libc.so.6; do cp $f new && echo changed >>new && "
        "mv new $f || exit; done",
    )


def _revive(m, user, by_root):
    _upgrade(m, user)
    if by_root and user != "root":
        m.run("root", f"sess -revive -user {user} -all")
    else:
        m.run(user, "sess -revive -all")
    m.run(user, "grep /objects/ /proc/$(sess -pid scratch)/maps")


@pytest.mark.parametrize(
    "boots", ["6.1 off 6.1 off 6.12", "6.12 off 6.12 loss 6.1 off 6.12"]
)
def test_sessions_outlive_reboots(box, boots):
    series, *rest = boots.split()
    box.boot(series)
    sessions = _start(box)
    for n in range(1, len(rest) // 2 + 1):
        how, series = rest[2 * n - 2 : 2 * n]
        lost, last = how == "loss", 2 * n == len(rest)
        _save(box, sessions, lost)
        box.boot(series)
        for user in USERS:
            _revive(box, user, by_root=n % 2 == 0)
        for s in sessions:
            s.program.use(s, n, last, lost)
