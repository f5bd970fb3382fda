"""What a login offers is reachable from inside by the same paths, whichever
login attached last; sess -env tells it for eval."""

import json
import os
import signal
import socket

import pytest

import harness

NAMES = (
    "SSH_AUTH_SOCK",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
)


@pytest.fixture
def shell(sess):
    """A session `w` that prints what a shell is told to, line by line."""
    t = sess.terminal(
        "-c", "w", "bash", "--norc",
        env={"SSH_AUTH_SOCK": sess.work / "first", "PS1": "ok> "},
    )
    t.wait("ok>")
    return t


def links(sess):
    """Where the links to an agent are, of all sessions."""
    all_of_them = (sess.dir / "env").glob("*/*")
    return sorted(p for p in all_of_them if p.name == "SSH_AUTH_SOCK")


def inside(sess):
    """SSH_AUTH_SOCK of the session's program."""
    env = open(f"/proc/{sess.pid('w')}/environ").read().split("\0")
    return dict(x.split("=", 1) for x in env if "=" in x)["SSH_AUTH_SOCK"]


def listen(user, path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    s.listen()
    user.own(path)
    return s


def test_each_attach_points_the_links_to_its_login(sess, shell):
    link = inside(sess)
    assert link.startswith(f"{sess.dir}/env/")
    assert os.readlink(link) == str(sess.work / "first")
    shell.detach()
    t = sess.terminal("-a", "w", env={"SSH_AUTH_SOCK": sess.work / "second"})
    harness.wait_until(lambda: os.readlink(link) == str(sess.work / "second"))
    r = sess.terminal("-r", "-a", "w", env={"SSH_AUTH_SOCK": "/who/looks/on"})
    r.wait("ok>")
    t.line("echo $((6*7))")
    r.wait("42")
    assert os.readlink(link) == str(sess.work / "second")
    # A login without an agent
    u = sess.terminal("-a", "w", env={"DISPLAY": ":7"})
    harness.wait_until(lambda: not os.path.lexists(link))
    assert sess.ok("-env", "w").splitlines() == [
        "unset SSH_AUTH_SOCK",
        "DISPLAY=':7'; export DISPLAY",
        "unset WAYLAND_DISPLAY",
        "unset XAUTHORITY",
        "unset DBUS_SESSION_BUS_ADDRESS",
    ]
    u.detach()
    harness.wait_until(lambda: os.readlink(link) == str(sess.work / "second"))


def test_when_the_latest_goes_the_one_before_counts(sess, shell):
    link = inside(sess)

    def leads_to(name):
        want = str(sess.work / name)
        harness.wait_until(lambda: os.readlink(link) == want)

    second = sess.terminal("-a", "w", env={"SSH_AUTH_SOCK": sess.work / "second"})
    leads_to("second")
    third = sess.terminal("-a", "w", env={"SSH_AUTH_SOCK": sess.work / "third"})
    leads_to("third")
    second.detach()
    leads_to("third")
    third.close()  # hung up
    leads_to("first")
    shell.detach()
    leads_to("first")  # nobody is left: as it was
    assert "/first'" in sess.ok("-env", "w")


def test_sockets_are_reached_through_the_links(sess, user):
    odd = sess.work / "b us%,;'é"
    run = sess.work / "run"
    run.mkdir()
    agents = [listen(user, p) for p in (sess.work / "agent", run / "wl", odd)]
    address = "unix:path=" + "".join(
        c if c.isalnum() and c.isascii() or c in "-_/." else
        "".join(f"%{b:02x}" for b in c.encode())
        for c in str(odd)
    )
    sess.ok(
        "-n", "w", "cat",
        env={
            "SSH_AUTH_SOCK": sess.work / "agent",
            "XDG_RUNTIME_DIR": run,
            "WAYLAND_DISPLAY": "wl",
            "DBUS_SESSION_BUS_ADDRESS": f"{address},guid=00;tcp:host=x",
        },
    )
    env = dict(
        x.split("=", 1)
        for x in open(f"/proc/{sess.pid('w')}/environ").read().split("\0")
        if "=" in x
    )
    paths = (
        env["SSH_AUTH_SOCK"],
        env["WAYLAND_DISPLAY"],
        env["DBUS_SESSION_BUS_ADDRESS"].removeprefix("unix:path="),
    )
    for agent, path in zip(agents, paths):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        agent.accept()[0].close()
        s.close()
        agent.close()


HOSTILE = "/a b\n'\"$(touch oops)`touch oops`\\\t\x1b[31m\x01\n; touch oops #é"


def test_any_value_survives_eval(sess, shell):
    env = {name: HOSTILE for name in NAMES}
    shell.detach()
    t = sess.terminal("-a", "w", env=env)
    t.wait("ok>")
    t.detach()
    show = 'eval "$($0 -env w)"; printenv -0 ' + " ".join(NAMES)
    for sh in ("sh", "bash"):
        out = sess.command([sh, "-c", show, sess.binary]).out
        assert out == (HOSTILE + "\0") * len(NAMES)
    assert os.readlink(inside(sess)) == HOSTILE
    assert json.loads(sess.ok("-j", "-env", "w")) == env
    assert not (sess.work / "oops").exists()


def told(sess):
    """What a shell has that evaluates -env, of an agent and a display."""
    show = 'eval "$($0 -env w)"; echo "${SSH_AUTH_SOCK-no} ${DISPLAY-no}"'
    env = {"SSH_AUTH_SOCK": "/of/the/asker", "DISPLAY": ":99"}
    return sess.command(["sh", "-c", show, sess.binary], env=env).out.split()


def test_a_living_session_tells_of_the_latest_of_several(sess, shell):
    first, second = str(sess.work / "first"), str(sess.work / "second")
    assert told(sess) == [first, "no"]
    t = sess.terminal("-a", "w", env={"SSH_AUTH_SOCK": second, "DISPLAY": "far:11"})
    harness.wait_until(lambda: told(sess) == [second, "far:11"])
    # Programs inside reach it by the path that they were started with.
    shell.line("readlink $SSH_AUTH_SOCK; echo is-${DISPLAY-no}")
    shell.wait("/second\nis-no")
    low = sess.terminal("-l", "-a", "w", env={"DISPLAY": "low:12"})
    harness.wait_until(lambda: told(sess) == ["no", "low:12"])
    low.close()
    harness.wait_until(lambda: told(sess) == [second, "far:11"])
    t.detach()
    harness.wait_until(lambda: told(sess) == [first, "no"])


def test_inside_no_name_is_needed(sess, shell):
    shell.detach()
    t = sess.terminal("-a", "w", env={"DISPLAY": "far:10.0"})
    t.line(f'eval "$({sess.binary} -env)"; echo "it is $DISPLAY."')
    t.wait("it is far:10.0.")
    assert "which session" in sess.fails("-env")
    assert "no session 'nope'" in sess.fails("-env", "nope")


def test_a_revived_session_has_them_at_the_same_paths(sess, shell):
    shell.detach()
    link = inside(sess)
    sess.ok("-save", "-stop", "w")
    assert links(sess) == []
    sess.ok("-revive", "w", env={"SSH_AUTH_SOCK": sess.work / "third"})
    assert os.readlink(link) == str(sess.work / "third")
    t = sess.terminal("-a", "w", env={"SSH_AUTH_SOCK": sess.work / "fourth"})
    t.line("readlink $SSH_AUTH_SOCK")
    t.wait("fourth")
    assert inside(sess) == link


def test_a_session_made_inside_another_has_links_of_its_own(sess, shell):
    shell.line(f"{sess.binary} -n inner cat; echo st=$?")
    shell.wait("st=0")
    assert [os.readlink(p) for p in links(sess)] == [
        str(sess.work / "first")
    ] * 2


def test_nothing_is_left_of_them(sess, shell):
    assert len(links(sess)) == 1
    sess.ok("-k", "w")
    assert list((sess.dir / "env").iterdir()) == []
    sess.ok("-n", "w", "cat", env={"SSH_AUTH_SOCK": "/x"})
    sess.ok("-n", "other", "cat", env={"SSH_AUTH_SOCK": "/y"})
    program = sess.pid("w")
    os.kill(harness.parent(program), signal.SIGKILL)
    harness.wait_until(lambda: "w " not in sess.ok())
    harness.wait_until(
        lambda: sess.ok() and [os.readlink(p) for p in links(sess)] == ["/y"]
    )


def test_links_that_others_could_change_are_refused(sess, sess_dir):
    sess.make_places()
    os.chmod(sess_dir / "env", 0o770)
    assert "open to others" in sess.fails("-n", "w", "cat")
