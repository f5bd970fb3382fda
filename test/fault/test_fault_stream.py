"""Every fault point that a stream passes (base/fault.h), on its way out and
in: sess is killed there, or the step fails. What is half has no name and goes
with the next one; what ends in the middle is refused where it arrives."""

import shutil

import harness
import pytest

OWN = ("stream.", "temp.")


def _points(log):
    """Names that a stream passes, in order, and how often."""
    counts = {}
    for name in log.read_text().split():
        if name.startswith(OWN):
            counts[name] = counts.get(name, 0) + 1
    return counts


def _cases(points):
    for name, n in points.items():
        yield from ((name, nth) for nth in sorted({1, n}))


@pytest.fixture
def sent(fault_sess):
    sess = fault_sess
    sess.ok("-n", "c", "sleep", "1000")
    sess.ok("-save", "-stop", "-o", sess.work / "good", "c")
    harness.wait_until(lambda: not sess.processes())
    return sess.work / "good"


def _kept(sess):
    return sorted(
        str(p.relative_to(sess.dir))
        for p in (sess.dir / "saved").rglob("*")
        if p.is_file() and p.name != "cache"
    )


@pytest.mark.parametrize("action", ["kill", "fail"])
def test_each_point_on_its_way_out(fault_sess, sent, action):
    sess = fault_sess
    log, out = sess.work / "log", sess.work / "out"
    before = _kept(sess)
    sess.ok("-save", "-o", out, "c", env={"SESS_FAULT_LOG": log})
    assert out.read_bytes() == sent.read_bytes()
    points = _points(log)
    assert "stream.put" in points, points
    for name, nth in _cases(points):
        out.unlink(missing_ok=True)
        what = f"{name}:{action}:{nth}"
        r = sess.run("-save", "-o", out, "c", env={"SESS_FAULT": what})
        assert r.status != 0, what
        assert not out.exists() or out.read_bytes() == sent.read_bytes(), what
        if action == "fail":
            assert r.err.count("\n") == 1 and not out.exists(), f"{what}: {r}"
            assert not list(sess.work.glob("tmp-*")), what
        assert _kept(sess) == before, what


@pytest.mark.parametrize("action", ["kill", "fail"])
def test_each_point_on_its_way_in(fault_sess, sent, action):
    sess = fault_sess
    far = sess.work / "far"

    def there(*args, **more):
        return sess.run(*args, env={"SESS_DIR": far, **more})

    def anew():
        shutil.rmtree(far, ignore_errors=True)
        far.mkdir(mode=0o700)
        sess.user.own(far)

    def files():
        saved = far / "saved"
        found = saved.rglob("*") if saved.exists() else []
        return [p for p in found if p.is_file() and p.name != "cache"]

    def end():
        assert there("-k", "w").status == 0
        harness.wait_until(lambda: not sess.processes())
        assert there("-rm", "w").status == 0
        assert not files(), files()

    log = sess.work / "log"
    anew()
    r = there("-revive", "-i", sent, "w", SESS_FAULT_LOG=log)
    assert r.status == 0, r
    end()
    points = _points(log)
    assert {"stream.get", "stream.keep", "stream.name"} <= set(points), points
    for name, nth in _cases(points):
        what = f"{name}:{action}:{nth}"
        anew()
        r = there("-revive", "-i", sent, "w", SESS_FAULT=what)
        assert r.status != 0, f"{what}: {r}"
        harness.wait_until(lambda: not sess.processes())
        if action == "fail":
            assert r.err.count("\n") == 1, f"{what}: {r}"
            assert not files(), f"{what}: {files()}"
        whole = (far / "saved" / "w" / "1.sess").exists()
        args = ("w",) if whole else ("-i", sent, "w")
        r = there("-revive", *args)
        assert r.status == 0, f"{what}, afterwards: {r}"
        assert not list(far.rglob("saved/w/tmp-*")), what
        end()
