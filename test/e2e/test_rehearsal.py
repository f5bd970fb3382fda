"""Machines that do not let a session be revived say so when it is saved, not
only after the reboot. Every limit is set in namespaces of the test's own."""

import json

import pytest
from rounds import all_gone

# Without the capabilities that came with the namespace: as an ordinary user.
# (One who is root maps his id by CAP_SETFCAP.)
PLAIN = (
    "exec setpriv --bounding-set=-all,+setfcap --inh-caps=-all "
    "--ambient-caps=-all"
)
OWN = ["unshare", "--user", "--map-current-user", "--keep-caps"]
LIMIT = "echo 0 >/proc/sys/user/max_%s_namespaces && "

PLACES = {
    "no user namespaces": (
        [*OWN, "sh", "-c", LIMIT % "user" + PLAIN + ' "$@"', "sh"],
        "user.max_user_namespaces is 0",
    ),
    "no pid namespaces": (
        [*OWN, "sh", "-c", LIMIT % "pid" + PLAIN + ' "$@"', "sh"],
        "user.max_pid_namespaces is 0",
    ),
    "no time namespaces": (
        [*OWN, "sh", "-c", LIMIT % "time" + PLAIN + ' "$@"', "sh"],
        "user.max_time_namespaces is 0",
    ),
    "a covered proc": (
        [*OWN, "--mount", "sh", "-c"]
        + ["mount -t tmpfs none /proc/bus && " + PLAIN + ' "$@"', "sh"],
        "systempaths=unconfined",
    ),
    "an old kernel": (["setarch", "--uname-2.6"], "5.14 or later"),
}


@pytest.fixture(params=PLACES, ids=lambda p: p.replace(" ", "-"))
def place(sess, request):
    """How to run a command there, and the remedy it is to name."""
    prefix, remedy = PLACES[request.param]
    probe = sess.command([*prefix, "true"])
    if probe.status != 0:
        pytest.skip(f"{request.param} cannot be had: {probe.err.strip()}")
    return prefix, remedy


def test_said_before_it_is_too_late(sess, place):
    prefix, remedy = place

    def there(*args):
        return sess.command([*prefix, sess.binary, *args])

    r = there("-n", "v", "sleep", "1000")
    assert r.status == 0, r
    r = there("-check", "v")
    assert r.status == 0 and remedy in r.out, r
    r = there("-check", "-j", "v")
    report = json.loads(r.out)
    assert report["can_be_saved"] and not report["obstacles"]
    assert any(remedy in note for note in report["notes"])
    r = there("-save", "v")
    assert r.status == 0 and remedy in r.err and "saved as v@1" in r.out, r
    r = there("-save", "-stop", "v")
    assert r.status == 0 and remedy in r.err, r
    all_gone(sess)
    r = there("-revive", "v")
    assert r.status == 1 and remedy in r.err and r.err.count("\n") == 1, r
    all_gone(sess)
    # The snapshot is good where there is no such limit.
    sess.ok("-revive", "v")
    sess.ok("-k", "v")


def test_nothing_is_said_where_it_will_do(sess):
    sess.ok("-n", "v", "sleep", "1000")
    assert sess.ok("-check", "v") == ""
    assert json.loads(sess.ok("-check", "-j", "v")) == {
        "can_be_saved": True,
        "obstacles": [],
        "notes": [],
    }
    r = sess.run("-save", "v")
    assert r.err == ""
    pid = str(sess.pid("v"))
    assert sess.ok("-check", pid) == ""


def test_what_stands_in_the_way_as_json(sess):
    sess.ok("-n", "v", sess.bin / "victim" / "clone_vm")
    r = sess.run("-check", "-j", "v")
    assert r.status == 1
    report = json.loads(r.out)
    assert not report["can_be_saved"] and report["obstacles"]
