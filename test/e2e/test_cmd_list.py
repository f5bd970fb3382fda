"""-j: the list for programs."""

import json
import shutil

import harness


def listing(sess):
    return {row["name"]: row for row in json.loads(sess.ok("-j"))}


def test_an_empty_list(sess):
    assert sess.ok("-j") == "[]\n"


def test_every_state(sess):
    sess.ok("-n", "detached", "sleep", "1000")
    t = sess.terminal("-c", "attached", "cat", rows=30, cols=100)
    sess.ok("-n", "ended", "sh", "-c", "exit 5")
    sess.ok("-n", "saved", "sleep", "1000")
    sess.ok("-save", "-stop", "saved")
    harness.wait_until(lambda: listing(sess)["ended"]["status"] == 5)
    harness.wait_until(lambda: listing(sess)["attached"]["terminals"] == 1)
    rows = listing(sess)
    assert {n: r["state"] for n, r in rows.items()} == {
        n: n for n in ("detached", "attached", "ended", "saved")
    }
    assert all(list(r) == list(rows["saved"]) for r in rows.values())
    assert rows["attached"]["rows"] == 30 and rows["attached"]["cols"] == 100
    assert rows["detached"]["terminals"] == 0
    assert rows["detached"]["status"] is None
    assert rows["detached"]["saved"] is None
    assert rows["detached"]["since"] > 1_500_000_000
    assert rows["saved"]["saved"] >= rows["saved"]["since"]
    assert rows["saved"]["rows"] is None
    assert rows["saved"]["command"] == "sleep 1000"
    u = sess.terminal("-a", "attached")
    harness.wait_until(lambda: listing(sess)["attached"]["terminals"] == 2)
    assert listing(sess)["attached"]["state"] == "attached"
    t.detach()
    u.detach()


def test_odd_names_and_commands_are_escaped(sess):
    names = ['say "hi"', "back\\slash", "größe-日本", "\u2028", "{}[],:"]
    for name in names:
        sess.ok("-n", name, "sh", "-c", 'sleep 1000 # \t\n\x01\x7f"\\ é')
    # An argument that is no UTF-8.
    sess.ok("-n", "bytes", "sh", "-c", b"sleep 1000 # \xff\xc3(".decode(errors="surrogateescape"))
    rows = listing(sess)
    assert set(rows) == set(names) | {"bytes"}
    assert rows[names[0]]["command"] == 'sh -c sleep 1000 # \t\n\x01\x7f"\\ é'
    assert rows["bytes"]["command"] == "sh -c sleep 1000 # \ufffd\ufffd("


def test_what_cannot_be_seen_is_spelt_out(sess):
    """Nothing in a line of the list makes it look like another one."""
    sess.ok("-n", "a\u202eb\u200bc", "sh", "-c", "sleep 1000 # \x9b1m\u2066")
    out = sess.ok()
    assert "a\\u202eb\\u200bc  detached" in out
    assert "\\u2066" in out and "\x9b" not in out
    assert sess.ok("-q") == "a\u202eb\u200bc\n"  # as it is, for scripts


def test_the_list_makes_nothing(sess, sess_dir, work_dir):
    """It shows what is there; a place that is missing has nothing in it."""
    (sess.work / "abduco").symlink_to(sess.binary)
    state = work_dir / "deep" / "state"
    for env in ({"SESS_DIR": state / "sess"}, {"SESS_DIR": None, "XDG_STATE_HOME": state}):
        assert sess.ok(env=env).count("\n") == 1
        assert sess.ok("-q", env=env) == ""
        assert json.loads(sess.ok("-j", env=env)) == []
        r = sess.command([sess.work / "abduco"], env=env)
        assert r.status == 0 and r.out.count("\n") == 1
        assert not (work_dir / "deep").exists()
    # One of several.
    sess.ok("-n", "one", "cat")
    sess.ok("-save", "-stop", "one")
    for name in ("run", "ended", "env"):
        shutil.rmtree(sess_dir / name)
    assert sess.ok("-q") == "one\n"
    assert [p.name for p in sess_dir.iterdir()] == ["saved"]
    shutil.rmtree(sess_dir / "saved")
    assert sess.ok("-q") == "" and list(sess_dir.iterdir()) == []
    # What is there is looked at as closely as ever.
    (sess_dir / "saved").mkdir(mode=0o755)
    sess.user.own(sess_dir / "saved")
    assert "open to others" in sess.fails()
    (sess_dir / "saved").rmdir()
    sess.ok("-n", "two", "cat")
    assert sess.ok("-q") == "two\n"
