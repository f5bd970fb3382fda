"""Every fault point that a save and a revival pass (base/fault.h): sess is
killed there, or the step fails. The program runs on with its output complete,
nothing is left stopped or half made, and older snapshots are as they were.
"""

import os
import shutil

import harness
import pytest

# Deaf to the hangup that follows when its server is killed; three processes
# and a pipe, whose numbers arrive each once and in order; it sleeps between
# two of them, for many of it run on one machine.
PROGRAM = """
trap '' HUP
[ -p fifo ] || mkfifo fifo
(exec 3<>fifo; i=0
while :; do i=$((i+1)); echo $i; read -t 0.004 -u 3; done) | cat >>numbers
"""
# As often as this a point may be passed before the fault: the first time,
# and in the middle of its passings.
TIMES = (lambda n: 1, lambda n: n // 2 + 1)


def _numbers(sess):
    path = sess.work / "numbers"
    text = path.read_bytes() if path.exists() else b""
    return [int(n) for n in text[: text.rfind(b"\n") + 1].split()]


def _size(sess):
    path = sess.work / "numbers"
    return path.stat().st_size if path.exists() else 0


def _counts(sess, what):
    before = _size(sess)
    harness.wait_until(
        lambda: _size(sess) > before + 20,
        what=lambda: f"{what}: it stands still: "
        + str([(p, harness.state(p), harness.command(p))
               for p in sess.processes()]),
    )


def _expect_complete(sess, what):
    got = _numbers(sess)
    assert got == list(range(1, len(got) + 1)), f"{what}: output is not whole"


def _tree(sess):
    """The program's own processes: neither server nor client."""
    exe = str(sess.binary)
    return {
        p for p in sess.processes() if not _runs(p, exe)
    }


def _runs(pid, exe):
    try:
        return os.readlink(f"/proc/{pid}/exe") == exe
    except OSError:
        return False


def _points(log):
    """Names of the points passed, with how often."""
    count = {}
    for name in log.read_text().split():
        count[name] = count.get(name, 0) + 1
    return count


def _cases(points):
    for name, n in points.items():
        for nth in sorted({t(n) for t in TIMES}):
            yield name, nth


def _start(sess, env):
    (sess.work / "numbers").unlink(missing_ok=True)
    sess.ok("-n", "c", "bash", "-c", PROGRAM, env=env)
    _counts(sess, "at first")


def _end(sess):
    harness.end_processes(sess.dir)
    shutil.rmtree(sess.dir / "run", ignore_errors=True)
    shutil.rmtree(sess.dir / "ended", ignore_errors=True)


def _images(sess):
    saved = sess.dir / "saved" / "c"
    return {
        p.name: p.read_bytes() for p in saved.iterdir() if p.suffix == ".sess"
    }


def _save_points(sess):
    log = sess.work / "log"
    env = {"SESS_FAULT_LOG": log}
    _start(sess, env)
    before = _points(log) if log.exists() else {}
    sess.ok("-save", "-stop", "c", env=env)
    harness.wait_until(lambda: not sess.processes())
    after = _points(log)
    return {
        name: n - before.get(name, 0)
        for name, n in after.items()
        if n > before.get(name, 0)
    }, before


def _no_stranger(sess, tree, what):
    """After a while only the program's processes are left, none stopped; the
    killed server's helpers go with it."""

    def wrong():
        return [
            (p, harness.state(p), harness.command(p))
            for p in sess.processes()
            if (p not in tree and not _runs(p, str(sess.binary)))
            or harness.state(p) in ("t", "T")
        ]

    harness.wait_until(lambda: not wrong(), what=lambda: f"{what}: {wrong()}")


def _one_save(sess, action, name, nth, older):
    """OLDER: the content of a snapshot that is there before."""
    what = f"{name}:{action}:{nth}"
    saved = sess.dir / "saved" / "c"
    shutil.rmtree(saved, ignore_errors=True)
    _start(sess, {"SESS_FAULT": what})
    saved.mkdir(mode=0o700)
    (saved / "1.sess").write_bytes(older)
    (saved / "1.sess").chmod(0o600)
    sess.user.own(saved)
    sess.user.own(saved / "1.sess")
    tree = _tree(sess)
    r = sess.run("-save", "c")
    _counts(sess, what)
    _no_stranger(sess, tree, what)
    assert _tree(sess) == tree, f"{what}: {tree} became {_tree(sess)}"
    _expect_complete(sess, what)
    assert r.err.count("\n") == (r.status != 0), f"{what}: {r}"
    now = _images(sess)
    assert now["1.sess"] == older, f"{what}: the older snapshot has changed"
    assert r.status != 0 or "2.sess" in now, f"{what}: {r}"
    _end(sess)
    if action == "fail":
        left = list((sess.dir / "saved").rglob("tmp-*"))
        assert not left, f"{what}: {left}"
    if "2.sess" in now:  # it is whole
        sess.ok("-revive", "c@2")
        _counts(sess, f"{what}, revived")
        _end(sess)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("action", ["kill", "fail"])
def test_each_point_of_a_save(fault_sess, action):
    sess = fault_sess
    points, before = _save_points(sess)
    assert len(points) > 15, points
    older = _images(sess)["1.sess"]
    failures = []
    for name, nth in _cases(points):
        try:
            _one_save(sess, action, name, nth + before.get(name, 0), older)
        except AssertionError as e:
            failures.append(str(e))
            _end(sess)
    assert not failures, "\n".join(failures)


def _one_revival(sess, action, name, nth):
    what = f"{name}:{action}:{nth}"
    image = _images(sess)
    size = _size(sess)
    r = sess.run("-revive", "c", env={"SESS_FAULT": what})
    if r.status == 0:
        _counts(sess, what)  # it did not matter, or was never passed
    else:
        assert r.err.count("\n") == 1, f"{what}: {r}"
        harness.wait_until(
            lambda: not sess.processes(),
            what=lambda: f"{what}: left: "
            + str([(p, harness.state(p), harness.command(p))
                   for p in sess.processes()]),
        )
        late = name in ("revive.report", "revive.let-go")
        assert late or _size(sess) == size, f"{what}: it ran"
    assert _images(sess) == image, f"{what}: the snapshot has changed"
    _end(sess)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("action", ["kill", "fail"])
def test_each_point_of_a_revival(fault_sess, action):
    sess = fault_sess
    _start(sess, None)
    sess.ok("-save", "-stop", "c")
    harness.wait_until(lambda: not sess.processes())
    numbers = (sess.work / "numbers").read_bytes()
    log = sess.work / "log"
    sess.ok("-revive", "c", env={"SESS_FAULT_LOG": log})
    _counts(sess, "revived")
    _end(sess)
    points = _points(log)
    assert len(points) > 8, points
    failures = []
    for name, nth in _cases(points):
        (sess.work / "numbers").write_bytes(numbers)
        try:
            _one_revival(sess, action, name, nth)
        except AssertionError as e:
            failures.append(str(e))
            _end(sess)
    assert not failures, "\n".join(failures)
    (sess.work / "numbers").write_bytes(numbers)
    sess.ok("-revive", "c")
    _counts(sess, "in the end")
    _expect_complete(sess, "in the end")
