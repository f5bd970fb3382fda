"""-save -all and -revive -all: what is saved at shutdown, and which sessions
come back by themselves."""

import time

import harness


def states(sess):
    rows = sess.ok().splitlines()[1:]
    return {row.split()[0]: row.split()[1] for row in rows}


def start(sess, *names):
    for name in names:
        sess.ok("-n", name, "sh", "-c", "while :; do sleep 1000; done")


def lose_power(sess):
    """Servers first: none of them sees its program end."""
    found = sess.processes()
    for pid in found:
        if harness.comm(pid) == "sess-server":
            harness.signal_pid(pid, 9)
    harness.end_processes(sess.dir)
    harness.wait_until(lambda: all(harness.is_over(p) for p in found))


def test_all_are_saved_and_ended_and_come_back(sess):
    start(sess, "a", "b", "c")
    out = sess.ok("-save", "-stop", "-all")
    assert sorted(x.split(" (")[0] for x in out.splitlines()) == [
        "saved as a@1",
        "saved as b@1",
        "saved as c@1",
    ]
    assert states(sess) == {n: "saved" for n in "abc"}
    harness.wait_until(lambda: not sess.processes())
    out = sess.ok("-revive", "-all")
    assert [x.split(",")[0] for x in out.splitlines()] == [
        f"revived from {n}@1" for n in "abc"
    ]
    assert states(sess) == {n: "detached" for n in "abc"}
    # They run: nothing is left to be revived, all can be saved again.
    assert sess.ok("-revive", "-all") == ""
    assert sess.ok("-save", "-all", "-limit", "60").count("saved as ") == 3
    assert states(sess) == {n: "detached" for n in "abc"}


def test_what_ran_last_comes_back_and_what_ended_does_not(sess):
    start(sess, "lost", "killed", "stopped", "unsaved")
    sess.ok("-n", "ended", "sh", "-c", "sess -save; cat; exit 3")
    harness.wait_until(lambda: "ended@1" in sess.ok("-history", "ended"))
    sess.ok("-save", "lost")
    sess.ok("-save", "killed")
    sess.ok("-k", "killed")
    sess.ok("-send", "ended", input=b"\x04")
    harness.wait_until(lambda: states(sess)["ended"] == "ended")
    sess.ok("-save", "-stop", "stopped")
    lose_power(sess)
    assert states(sess) == {
        "lost": "saved",
        "stopped": "saved",
        "killed": "ended",
        "ended": "ended",
    }
    out = sess.ok("-revive", "-all")
    assert [x.split(",")[0] for x in out.splitlines()] == [
        "revived from lost@1",
        "revived from stopped@1",
    ]
    # By name the others do, and are as good as any from then on.
    sess.ok("-revive", "killed")
    lose_power(sess)
    assert "revived from killed@1" in sess.ok("-revive", "-all")
    sess.ok("-k", "killed")
    lose_power(sess)
    assert "killed" not in sess.ok("-revive", "-all")


def test_ended_killed_and_saved_in_turns(sess):
    """The last word counts, round after round."""
    start(sess, "x")
    for n in range(1, 4):
        sess.ok("-save", "x")
        sess.ok("-k", "x")
        assert sess.ok("-revive", "-all") == ""
        assert states(sess) == {"x": "ended"}
        assert f"x@{n}" in sess.ok("-revive", "x")
        lose_power(sess)
        assert f"x@{n}" in sess.ok("-revive", "-all")
    sess.ok("-k", "x")
    sess.ok("-rm", "x")
    assert sess.ok("-revive", "-all") == ""
    assert "there is no snapshot" in sess.fails("-revive", "x")


def test_one_that_cannot_come_back_does_not_keep_the_others(sess, sess_dir):
    start(sess, "a", "b", "c")
    sess.ok("-save", "-stop", "-all")
    image = sess_dir / "saved" / "b" / "1.sess"
    image.write_bytes(image.read_bytes()[:5000])
    r = sess.run("-revive", "-all")
    assert r.status == 1, r
    assert [x.split(",")[0] for x in r.out.splitlines()] == [
        "revived from a@1",
        "revived from c@1",
    ]
    lines = r.err.splitlines()
    assert lines[0].startswith("sess: session 'b': "), r
    assert lines[1] == "sess: 1 of 3 sessions were not revived"
    assert states(sess) == {"a": "detached", "b": "saved", "c": "detached"}


def test_one_that_does_not_answer_does_not_keep_the_others(sess):
    start(sess, "a", "stuck")
    server = harness.parent(sess.pid("stuck"))
    harness.signal_pid(server, 19)
    try:
        r = sess.run("-save", "-stop", "-all", "-limit", "12")
    finally:
        harness.signal_pid(server, 18)
    assert r.status == 1 and r.out.startswith("saved as a@1"), r
    assert r.err.splitlines() == [
        "sess: session 'stuck': it was not saved in time",
        "sess: 1 of 2 sessions were not saved",
    ]


def test_inside_a_session_its_own_comes_last(sess):
    start(sess, "other")
    t = sess.terminal("-c", "own", "bash", "--norc")
    t.line("PS1='ok> '; sess -save -stop -all; echo status=$?")
    assert t.wait_exit() == 0
    assert states(sess) == {"other": "saved", "own": "saved"}
    sess.ok("-revive", "-all")
    t = sess.terminal("-a", "own")
    t.wait("saved as other@1")
    t.wait("revived from own@1")
    t.wait("status=0")


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def test_snapshots_of_what_ended_long_ago_go(sess, sess_dir):
    start(sess, "x", "young")
    for name in ("young", "x"):
        sess.ok("-save", name)
        sess.ok("-k", name)
    records = {p.read_bytes(): p for p in (sess_dir / "ended").iterdir()}
    (old,) = [p for data, p in records.items() if b"young" not in data]
    year = int(time.time()) - 400 * 86400
    old.write_bytes(b"\x0a\x01x\x10\x00\x28" + varint(year) + b"\x38\x01")
    assert states(sess) == {"young": "ended"}
    assert not (sess_dir / "saved" / "x").exists()
    assert (sess_dir / "saved" / "young" / "1.sess").exists()


def test_a_name_and_all_is_a_mistake(sess):
    assert "leave 'x' out" in sess.fails("-save", "-all", "x")
    assert "leave 'x' out" in sess.fails("-revive", "-all", "x")
    assert "a name is needed" in sess.fails("-revive").lower()
    for bad in ("0", "-1", "x", "1s", "99999999"):
        assert sess.run("-save", "-all", "-limit", bad).status == 2
    assert sess.ok("-save", "-all") == sess.ok("-revive", "-all") == ""
