"""-history: what a session has shown, as text."""

import harness


def test_scrollback_and_screen_in_order(sess, work_dir):
    script = "seq 1 500; printf '\\033[1;31mred\\033[m wide-日本 end   \\n'; touch on; exec cat"
    sess.ok("-n", "h", "sh", "-c", script)
    harness.wait_until((work_dir / "on").exists)
    wanted = [str(n) for n in range(1, 501)] + ["red wide-日本 end"]
    harness.wait_until(lambda: sess.ok("-history", "h").splitlines() == wanted)


def test_colours_of_lines_that_left_are_not_printed(sess, work_dir):
    script = (
        "for i in $(seq 60); do printf '\\033[38;5;%dm\\033]8;;http://x\\033\\\\"
        "line %d\\033]8;;\\033\\\\\\033[m\\n' $i $i; done; touch on; exec cat"
    )
    sess.ok("-n", "h", "sh", "-c", script)
    harness.wait_until((work_dir / "on").exists)
    wanted = "".join(f"line {n}\n" for n in range(1, 61))
    harness.wait_until(lambda: sess.ok("-history", "h") == wanted)


def test_it_comes_back_with_a_revival(sess, work_dir):
    sess.ok("-n", "h", "sh", "-c", "seq 1 100; touch on; exec cat")
    harness.wait_until((work_dir / "on").exists)
    before = "".join(f"{n}\n" for n in range(1, 101))
    harness.wait_until(lambda: sess.ok("-history", "h") == before)
    sess.ok("-save", "-stop", "h")
    sess.ok("-revive", "h")
    assert sess.ok("-history", "h") == before


def test_an_empty_one_and_none(sess):
    sess.ok("-n", "h", "sleep", "1000")
    assert sess.ok("-history", "h") == ""
    assert "no session 'none'" in sess.fails("-history", "none")
