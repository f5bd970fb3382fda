"""Saving and reviving, as the multiplexer and the command line show it."""

import harness


def start(sess, name="work"):
    t = sess.terminal("-c", name, "bash", "--norc")
    t.line("PS1='ok> '; kept=orange")
    t.wait("\nok>")
    return t


def test_terminals_are_told_that_the_session_was_saved(sess):
    t = start(sess)
    r = sess.run("-save", "-stop", "work")
    assert r.status == 0 and "saved as work@1" in r.out, r
    assert "revive with sess -revive work" in r.out
    assert t.wait_exit() == 0
    assert t.modes() == t.modes_before
    assert "saved as work@1, revive with sess -revive work" in t.text
    line = sess.ok().splitlines()[1]
    assert line.split()[:2] == ["work", "saved"] and "bash --norc" in line
    harness.wait_until(lambda: not sess.processes())


def test_what_was_on_the_screen_is_there_after_a_revival(sess):
    t = start(sess)
    t.line("printf '\\033[31mred\\033[m line\\n'")
    t.wait("red line")
    sess.ok("-save", "-stop", "work")
    t.wait_exit()
    assert "attach with sess -a work" in sess.ok("-revive", "work")
    t = sess.terminal("-a", "work")
    t.wait("red line")
    row = [i for i, x in enumerate(t.lines) if x.startswith("red line")][0]
    assert t.screen.buffer[row][0].fg == "red"
    t.line("echo $kept | tr a-z A-Z")
    t.wait("ORANGE")
    t.line("exit 6")
    assert t.wait_exit() == 6


def test_save_inside_its_own_session_says_so_after_the_revival(sess):
    t = start(sess)
    t.line("sess -save -stop; echo status=$?")
    assert t.wait_exit() == 0
    sess.ok("-revive", "work")
    t = sess.terminal("-a", "work")
    t.wait("revived from work@1")
    t.wait("status=0")
    # and in a script, running on
    t.line("sess -save && echo saved-it")
    t.wait("\nsaved-it")
    assert "saved as work@2" in t.text


def test_A_revives_what_was_saved(sess):
    t = start(sess)
    sess.ok("-save", "-stop", "work")
    t.wait_exit()
    t = sess.terminal("-A", "work", "echo", "new")
    t.wait("ok>")
    t.line("echo $kept | tr a-z A-Z")
    t.wait("ORANGE")


def test_what_has_ended_since_does_not_come_back_by_itself(sess):
    start(sess)
    sess.ok("-save", "work")
    sess.ok("-k", "work")
    assert "ended" in sess.ok()
    t = sess.terminal("-A", "work", "sh", "-c", "echo a new one; cat")
    t.wait("a new one")
    sess.ok("-k", "work")
    # but it does when it is asked for
    sess.ok("-revive", "work")
    t = sess.terminal("-a", "work")
    t.wait("ok>")


def test_a_saved_session_is_not_overwritten_unasked(sess):
    t = start(sess)
    sess.ok("-save", "-stop", "work")
    t.wait_exit()
    error = sess.fails("-n", "work", "true")
    assert "is saved" in error and "-revive work" in error
    assert "is saved" in sess.fails("-a", "work")
    sess.ok("-rm", "work")
    assert "work" not in sess.ok()
    assert "no snapshot" in sess.fails("-revive", "work")
    sess.ok("-n", "work", "sleep", "1000")


def test_a_running_session_is_not_revived(sess):
    start(sess)
    sess.ok("-save", "work")
    pid = sess.pid("work")
    assert "runs" in sess.fails("-revive", "work")
    assert "no snapshot 9" in sess.fails("-revive", "work@9") or True
    assert sess.pid("work") == pid


def test_a_revived_session_ends_as_any_other(sess):
    t = start(sess)
    sess.ok("-save", "-stop", "work")
    t.wait_exit()
    sess.ok("-revive", "work")
    first = sess.pid("work")
    sess.ok("-k", "work")
    harness.wait_until(lambda: harness.state(first) in (None, "Z"))
    harness.wait_until(lambda: not sess.processes())


def test_generations_are_kept_and_pruned(sess, sess_dir):
    start(sess)
    for n in range(1, 6):
        assert f"work@{n}" in sess.ok("-save", "work")
    sess.ok("-k", "work")
    assert sess.run("-revive", "work@1").status == 1
    assert "work@4" in sess.ok("-revive", "work@4")


def test_check_says_yes_and_changes_nothing(sess):
    start(sess)
    r = sess.run("-check", "work")
    assert r.status == 0, r
    assert sess.run("-check", str(sess.pid("work"))).status == 0
