"""Completions offer the names there are, and never run what is in one."""

import os
import shutil

import pytest

import harness

NAMES = ("plain", "two  words", "$(touch oops)", "`touch oops`", "a'b\"c",
         "*", "$HOME", "-a", "~", "x;touch oops", "ünï")
DIR = harness.ROOT / "completions"


@pytest.fixture
def names(sess):
    for name in NAMES:
        sess.ok("-n", "--", name, "cat")
    yield
    assert not (sess.work / "oops").exists()


def test_q_lists_names_alone(sess, names):
    assert sorted(sess.ok("-q").splitlines()) == sorted(NAMES)


def test_bash_offers_names(sess, names):
    script = (
        f'PATH={sess.work}:$PATH; . "{DIR}/sess.bash"; '
        'COMP_WORDS=(sess -a "$1") COMP_CWORD=2; _sess; '
        'for x in "${COMPREPLY[@]}"; do eval "printf \'%s\\n\' $x"; done'
    )
    (sess.work / "sess").symlink_to(sess.binary)
    (sess.work / "plain").mkdir()

    def offered(word):
        r = sess.command(["bash", "-c", script, "bash", word])
        assert r.status == 0 and r.err == "", r
        return sorted(r.out.splitlines())

    assert offered("") == sorted(NAMES)
    assert offered("pl") == ["plain"]
    assert offered("$(") == ["$(touch oops)"]
    assert offered("two\\ ") == ["two  words"]


def test_bash_completes_what_is_typed(sess):
    sess.ok("-n", "$(touch oops)", "sh", "-c", "echo here; cat")
    (sess.work / "sess").symlink_to(sess.binary)
    t = sess.program(
        ["bash", "--norc", "--noprofile"],
        env={"PATH": f"{sess.work}:{sess.env['PATH']}", "PS1": "ok> "},
    )
    t.wait("ok>")
    t.line(f"source {DIR}/sess.bash; echo $((6*7))")
    t.wait("42")
    t.send("sess -a \t")
    t.wait("oops")
    t.send("\r")
    t.wait("here")
    assert not (sess.work / "oops").exists()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_names_as_text(sess, names, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: only parsed where it is")
    (sess.work / "sess").symlink_to(sess.binary)
    script = {
        "fish": f"source {DIR}/sess.fish; complete -C 'sess -a '",
        "zsh": "compadd() { print -rl -- ${(P)2} }; _arguments() { }; "
        f"source {DIR}/_sess; _sess_names",
    }[shell]
    env = {"PATH": f"{sess.work}:{os.environ['PATH']}"}
    r = sess.command([shell, "-c", script], env=env)
    assert r.status == 0, r
    for name in ("plain", "two  words", "ünï"):
        assert name in r.out, r
