"""Where sessions are found when a login comes and goes: /run/user/UID is made
by the first one and removed with the last, the sessions stay."""

import os

import harness
import pytest
from houses import house  # noqa: F401: a fixture


def login(house, user):
    """What a login makes: a tmpfs that is his."""
    d = f"/run/user/{house.uid[user]}"
    script = (f"mkdir {d} && mount -t tmpfs -o mode=700,uid={house.uid[user]},"
              f"gid={house.uid[user]} tmpfs {d}")
    r = house.command("root", "sh", "-ec", script)
    assert r.status == 0, r


def logout(house, user):
    """What systemd does when the last one has gone."""
    d = f"/run/user/{house.uid[user]}"
    script = f"rm -rf {d}/* && umount -l {d} && rmdir {d}"
    r = house.command("root", "sh", "-ec", script)
    assert r.status == 0, r


def use(house, user, name):
    """All that is done to a session that is found."""
    assert house.states(user)[name] == "detached"
    out = house.home[user] / f"out-{os.urandom(4).hex()}"
    house.ok(user, "-send", name, input=f"echo $kept >{out}- && mv {out}- {out}\n".encode())
    harness.wait_until(out.exists)
    assert out.read_text() == "orange\n"
    assert "runs already" in house.fails(user, "-n", name, "true")
    house.ok(user, "-save", name)
    house.ok(user, "-mv", name, "other")
    assert house.states(user)["other"] == "detached"
    house.ok(user, "-mv", "other", name)
    assert int(house.ok(user, "-pid", name)) > 0


def start(house, user, name):
    house.ok(user, "-n", name, "bash", "--norc")
    house.ok(user, "-send", name, input=b"kept=orange\n")


@pytest.mark.parametrize("by", ["root", "alice"])
def test_revived_at_boot_and_found_by_the_login(house, by):
    login(house, "alice")
    start(house, "alice", "work")
    house.ok("alice", "-save", "-stop", "work")
    logout(house, "alice")
    house.lose_power()
    if by == "root":
        house.ok("root", "-revive", "-all", "-everyone")
    else:
        house.ok("alice", "-revive", "-all")
    use(house, "alice", "work")
    login(house, "alice")
    use(house, "alice", "work")
    start(house, "alice", "new")
    assert house.states("alice") == {"work": "detached", "new": "detached"}
    assert house.ok("alice", "-revive", "-all") == ""
    house.ok("alice", "-k", "work")
    house.ok("alice", "-k", "new")
    assert house.states("alice") == {"work": "ended"}
    left = os.listdir(house.home["alice"] / ".local/state/sess/run")
    assert left == []


def test_the_last_login_goes_and_another_one_comes(house):
    login(house, "alice")
    start(house, "alice", "work")
    for _ in range(3):
        logout(house, "alice")
        harness.wait_until(
            lambda: house.states("alice").get("work") == "detached", 30)
        use(house, "alice", "work")
        login(house, "alice")
        use(house, "alice", "work")
    house.ok("alice", "-k", "work")
    assert house.states("alice") == {"work": "ended"}
    assert os.listdir(house.home["alice"] / ".local/state/sess/run") == []


def test_a_name_taken_meanwhile_stays_taken(house):
    """The session whose place has gone does not push in."""
    login(house, "alice")
    start(house, "alice", "work")
    server = harness.parent(int(house.ok("alice", "-pid", "work")))
    harness.signal_pid(server, 19)
    logout(house, "alice")
    start(house, "alice", "work")
    mine = house.ok("alice", "-pid", "work")
    harness.signal_pid(server, 18)
    house.ok("alice", "-save", "work")
    assert house.ok("alice", "-pid", "work") == mine
    house.ok("alice", "-k", "work")
    # Its turn has come.
    harness.wait_until(lambda: house.states("alice").get("work") == "detached", 60)
    house.ok("alice", "-k", "work")


FAKE = """#!/bin/sh
printf '%s\\n' "$XDG_RUNTIME_DIR" "$@" >"$XDG_RUNTIME_DIR/said"
[ -e "$XDG_RUNTIME_DIR/hang" ] && exec sleep 1000
exit 1
"""


def test_a_scope_of_its_own_is_asked_for_where_the_user_lingers(house):
    """No systemd runs here: who is asked is a stand-in for busctl."""
    for path in ("/usr/bin/busctl", "/var/lib/systemd"):
        if not os.path.exists(path):
            pytest.skip(f"no {path} here to put a stand-in over")
    fake = house.top / "busctl"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    r = house.command("root", "sh", "-ec", f"""
mount --bind {fake} /usr/bin/busctl
mount -t tmpfs -o mode=755 tmpfs /var/lib/systemd
mkdir /var/lib/systemd/linger
""")
    assert r.status == 0, r
    login(house, "alice")
    runtime = f"/run/user/{house.uid['alice']}"
    inside = f"/proc/{house.holder.pid}/root"
    open(f"{inside}{runtime}/bus", "w").close()
    said = f"{inside}{runtime}/said"
    # Nobody is asked for who does not linger.
    start(house, "alice", "plain")
    assert not os.path.exists(said)
    open(f"{inside}/var/lib/systemd/linger/alice", "w").close()
    house.ok("alice", "-n", "work", "sleep", "1000")
    server = harness.parent(int(house.ok("alice", "-pid", "work")))
    words = open(said).read().splitlines()
    assert words[0] == runtime
    assert words[1:8] == [
        "--user", "--quiet", "call", "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
        "StartTransientUnit",
    ]
    assert words[9:12] == [f"sess-{server}.scope", "fail", "5"]
    assert words[words.index("PIDs") :][:4] == ["PIDs", "au", "1", str(server)]
    assert words[words.index("Before") :][:4] == ["Before", "as", "1", "sess.service"]
    # One that hangs is no reason to have no session.
    open(f"{inside}{runtime}/hang", "w").close()
    house.ok("alice", "-n", "late", "sleep", "1000")
    assert house.states("alice")["late"] == "detached"
