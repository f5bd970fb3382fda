"""Create, attach, detach, list, end: what the multiplexer is for."""

import os
import signal

import harness


def rows(sess):
    """The listing: name -> the rest of its line."""
    lines = sess.ok().splitlines()
    assert lines[0].split()[0] == "NAME"
    return {line.split()[0]: line for line in lines[1:]}


def ended(sess, name):
    return lambda: "ended" in rows(sess).get(name, "")


def test_a_session_is_created_detached_and_attached_again(sess):
    t = sess.terminal("-c", "work", "bash", "--norc")
    t.line("x=42; echo ready-$SESS_SESSION")
    t.wait("ready-work")
    assert "attached" in rows(sess)["work"]
    t.detach()
    assert "[work: detached]" in t.text
    assert "detached" in rows(sess)["work"]
    t = sess.terminal("-a", "work")
    t.wait("ready-work")
    t.line("echo again-$x")
    t.wait("again-42")
    t.line("exit 3")
    assert t.wait_exit() == 3
    assert rows(sess) == {}


def test_n_leaves_it_detached_and_says_nothing(sess):
    r = sess.run("-n", "bg", "sleep", "1000")
    assert (r.status, r.out, r.err) == (0, "", "")
    line = rows(sess)["bg"]
    assert "detached" in line and "80x24" in line and "sleep 1000" in line
    sess.ok("-k", "bg")
    assert rows(sess) == {}


def test_A_attaches_or_creates(sess):
    t = sess.terminal("-A", "one", "sh", "-c", "echo first; exec cat")
    t.wait("first")
    t.detach()
    t = sess.terminal("-A", "one", "sh", "-c", "echo second; exec cat")
    t.wait("first")
    assert "second" not in t.text


def test_the_command_defaults_to_SESS_CMD_and_then_SHELL(sess):
    env = {"SESS_CMD": "echo one; echo two; exec cat"}
    t = sess.terminal("-c", "cmd", env=env)
    t.wait("one")
    t.wait("two")
    t = sess.terminal("-c", "shell", env={"SHELL": "/bin/dash", "PS1": "% "})
    t.line("echo $0-$SESS_SESSION")
    t.wait("/bin/dash-shell")


def test_the_program_gets_directory_umask_environment(sess, work_dir):
    t = sess.program(
        ["sh", "-c", f"umask 037; FOO=bar {sess.binary} -c env sh"],
        cwd=work_dir,
    )
    t.line("echo $(pwd) $(umask) $FOO")
    t.wait(f"{work_dir} 0037 bar")


def test_pid_is_the_first_process(sess):
    sess.ok("-n", "p", "sleep", "1000")
    assert harness.command(sess.pid("p")).split() == ["sleep", "1000"]


def test_d_detaches_all_terminals(sess):
    one = sess.terminal("-c", "two", "sh", "-c", "echo here; exec cat")
    one.wait("here")
    two = sess.terminal("-a", "two")
    two.wait("here")
    assert "attached (2)" in rows(sess)["two"]
    sess.ok("-d", "two")
    assert one.wait_exit() == 0
    assert two.wait_exit() == 0
    assert "detached" in rows(sess)["two"]


def test_an_attached_client_has_the_programs_status(sess):
    for how, status in (("exit 0", 0), ("exit 77", 77), ("kill -TERM $$", 143)):
        t = sess.terminal("-c", "s", "sh", "-c", how)
        assert t.wait_exit() == status, how


def test_short_output_is_seen_by_the_creator(sess):
    t = sess.terminal("-c", "short", "echo", "that was it")
    assert t.wait_exit() == 0
    assert t.lines[0] == "that was it"
    assert "[short: ended with status 0]" in t.text


def test_an_unseen_status_waits_and_is_seen_once(sess):
    sess.ok("-n", "late", "sh", "-c", "exit 9")
    harness.wait_until(ended(sess, "late"))
    assert "ended 9" in rows(sess)["late"]
    r = sess.run("-a", "late")
    assert r.status == 9 and "ended with status 9" in r.out
    assert "no session 'late'" in sess.fails("-a", "late")
    assert rows(sess) == {}


def test_a_signal_is_told_as_128_and_its_number(sess):
    sess.ok("-n", "sig", "sleep", "1000")
    os.kill(sess.pid("sig"), signal.SIGUSR1)
    harness.wait_until(ended(sess, "sig"))
    r = sess.run("-a", "sig")
    assert r.status == 128 + signal.SIGUSR1 and "signal 10" in r.out


def test_a_new_session_replaces_an_ended_one(sess):
    sess.ok("-n", "again", "false")
    harness.wait_until(ended(sess, "again"))
    assert "ended with status 1" in sess.ok("-n", "again", "sleep", "1000")
    assert "detached" in rows(sess)["again"]


def test_k_ends_the_session_its_jobs_and_what_ignores_hangups(sess, work_dir):
    script = (
        "trap '' HUP; (trap '' HUP TERM; echo $$; exec sleep 1000) &"
        "setsid sleep 2000 & echo $! > out; wait; wait; sleep 3000"
    )
    sess.ok("-n", "stubborn", "sh", "-c", script)
    harness.wait_until(lambda: (work_dir / "out").exists())
    harness.wait_until(lambda: (work_dir / "out").read_text().strip())
    first = sess.pid("stubborn")
    away = int((work_dir / "out").read_text())
    jobs = [p for p in harness.descendants(first) if p != away]
    assert len(jobs) >= 1
    sess.ok("-k", "stubborn")
    for p in [first, *jobs]:
        harness.wait_until(lambda: harness.state(p) in (None, "Z"))
    assert harness.state(away) == "S"
    assert rows(sess) == {}


def test_k_f_also_ends_what_has_left(sess, work_dir):
    sess.ok("-n", "all", "sh", "-c", "setsid sleep 2000 & echo $! > p; cat")
    harness.wait_until(
        lambda: (work_dir / "p").exists() and (work_dir / "p").read_text()
    )
    away = int((work_dir / "p").read_text())
    sess.ok("-k", "-f", "all")
    harness.wait_until(lambda: harness.state(away) in (None, "Z"))


def test_k_tells_an_attached_terminal(sess):
    t = sess.terminal("-c", "mine", "cat")
    harness.wait_until(lambda: "attached" in rows(sess).get("mine", ""))
    sess.ok("-k", "mine")
    assert t.wait_exit() == 128 + signal.SIGHUP
    assert rows(sess) == {}


def test_a_stopped_program_can_be_ended(sess):
    sess.ok("-n", "stopped", "sleep", "1000")
    pid = sess.pid("stopped")
    os.kill(pid, signal.SIGSTOP)
    harness.wait_until(lambda: harness.state(pid) == "T")
    sess.ok("-k", "stopped")
    harness.wait_until(lambda: harness.state(pid) in (None, "Z"))


def test_nothing_is_left_in_run(sess, sess_dir):
    sess.ok("-n", "a", "true")
    harness.wait_until(lambda: "ended" in rows(sess).get("a", ""))
    harness.wait_until(lambda: os.listdir(sess_dir / "run") == [])
    assert sess.run("-a", "a").status == 0
    assert os.listdir(sess_dir / "ended") == []


def test_a_killed_server_leaves_nothing_that_is_in_the_way(sess, sess_dir):
    sess.ok("-n", "dead", "sleep", "1000")
    pid = sess.pid("dead")
    os.kill(harness.parent(pid), signal.SIGKILL)
    harness.wait_until(lambda: "dead" not in rows(sess))
    assert "no session 'dead'" in sess.fails("-a", "dead")
    sess.ok("-n", "dead", "sleep", "1000")
    assert "detached" in rows(sess)["dead"]


def test_orphans_of_the_session_are_reaped(sess, work_dir):
    script = "(true & true) ; (setsid sh -c 'exit 1' &) ; sleep 1000"
    sess.ok("-n", "orphans", "sh", "-c", script)
    server = harness.parent(sess.pid("orphans"))

    def no_zombie():
        return not any(
            harness.parent(p) == server and harness.state(p) == "Z"
            for p in harness._pids()
        )

    harness.wait_until(no_zombie)


def test_names_may_be_long_and_odd(sess):
    names = ["x" * 255, "with space", "größe-日本語", ".hidden", "%y", "a@b", "-x"]
    for name in names:
        sess.ok("-n", name, "sleep", "1000")
        assert sess.run("-pid", name).status == 0
    assert sess.ok().count("detached") == len(names)
    for name in names:
        sess.ok("-k", "--", name)
    assert rows(sess) == {}


def test_a_removed_socket_comes_back_with_SIGUSR1(sess, sess_dir):
    sess.ok("-n", "again", "sleep", "1000")
    server = harness.parent(sess.pid("again"))
    (sess_dir / "run" / "again.sock").unlink()
    assert "reached" in sess.fails("-pid", "again")
    os.kill(server, signal.SIGUSR1)
    harness.wait_until(lambda: sess.run("-pid", "again").status == 0)


def test_closed_standard_descriptors_do_no_harm(sess):
    script = f"{sess.binary} -n closed sleep 1000 <&- >&- 2>&-"
    assert sess.command(["sh", "-c", script]).status == 0
    assert "detached" in rows(sess)["closed"]
    script = f"{sess.binary} -c ends sh -c 'exit 7' <&- 2>&-"
    assert sess.command(["sh", "-c", script]).status == 7
