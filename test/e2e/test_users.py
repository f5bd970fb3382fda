"""Root for other users: -user and -everyone; where sessions are found when a
login comes or goes (house: mounts and users of the test's own)."""

import os
import subprocess

import harness
import houses
import pytest
from houses import house  # noqa: F401: a fixture

CHECKPOINT_RESTORE = f"{1 << 40:016x}"
NONE = "0" * 16


def start(house, user, *names):
    for name in names:
        house.ok(user, "-n", name, "bash", "--norc")


def ask(house, user, name, line):
    """What LINE prints, typed into a shell of a session."""
    out = house.home[user] / f"out-{os.urandom(4).hex()}"
    text = f"{{ {line}; }} >{out}- 2>&1; mv {out}- {out}\n"
    house.ok(user, "-send", name, input=text.encode())
    harness.wait_until(out.exists, what=lambda: house.ok(user, "-history", name))
    return out.read_text()


def test_root_revives_as_the_user(house):
    start(house, "alice", "work")
    ask(house, "alice", "work", "kept=orange")
    house.ok("alice", "-save", "-stop", "work")
    out = house.ok("root", "-revive", "-user", "alice", "work")
    assert out == "revived from work@1, attach with sess -a work\n"
    assert house.states("alice") == {"work": "detached"}
    assert house.states("root") == {}
    uid = house.uid["alice"]
    procs = house.processes("alice")
    assert len(procs) >= 4  # server, pid 1, stand-in, shell
    for p in procs:
        s = houses.status(p)
        for ids in ("Uid", "Gid"):
            assert s[ids].split() == [str(uid)] * 4
        assert s["Groups"].split() == [str(uid), str(house.spare_gid)]
        for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert s[caps] == NONE, (p, harness.comm(p), caps)
        assert s["NoNewPrivs"] == "0"
        assert os.readlink(f"/proc/{p}/ns/user") == os.readlink("/proc/self/ns/user")
    assert ask(house, "alice", "work", "echo $kept $UID") == f"orange {uid}\n"
    # sudo and its like become root by their file's owner: they may.
    here = ask(house, "alice", "work", "stat -c %u /etc /; grep Bnd /proc/self/status")
    assert here.split()[:2] == ["0", "0"]
    assert here.split()[3] == houses.status("self")["CapBnd"]


def test_again_and_again_by_root_and_by_the_user(house):
    start(house, "alice", "work")
    ask(house, "alice", "work", "n=0")
    said = house.sess("alice", "-save", "work").err
    for n in range(1, 6):
        house.ok("alice", "-save", "-stop", "work")
        if n % 2:
            house.ok("root", "-revive", "-user", "alice", "work")
        else:
            house.ok("alice", "-revive", "work")
        assert ask(house, "alice", "work", "n=$((n+1)); echo $n") == f"{n}\n"
    # What a save says of this machine is no other than before.
    assert house.sess("alice", "-save", "work").err == said
    house.ok("alice", "-k", "work")
    assert house.states("alice") == {"work": "ended"}
    harness.wait_until(lambda: not house.processes())


def test_nothing_of_roots_gets_in(house):
    start(house, "alice", "work")
    house.ok("alice", "-save", "-stop", "work")
    env = {
        "SECRET": "of-root",
        "SESS_DIR": str(house.home["root"] / "other"),
        "XDG_STATE_HOME": str(house.home["root"] / "state"),
        "HOME": str(house.home["root"]),
    }
    secret = house.home["root"] / "secret"
    secret.touch()
    script = "exec 7<$0 20<$0; exec sess -revive -user alice work"
    r = house.command("root", "bash", "-c", script, secret, env=env)
    assert r.status == 0, r
    assert os.listdir(house.home["root"]) == ["secret"]
    for p in house.processes("alice"):
        assert b"of-root" not in harness._read(p, "environ")
        assert not [
            t for fd in os.listdir(f"/proc/{p}/fd")
            if (t := os.readlink(f"/proc/{p}/fd/{fd}")).startswith(
                str(house.home["root"]))
        ]
    house.lose_power()
    house.ok("root", "-user", "alice", "-rm", "work", env=env)
    assert house.states("alice") == {}


def test_limits_are_those_of_a_login(house):
    start(house, "alice", "work")
    house.ok("alice", "-save", "-stop", "work")
    house.ok("root", "-revive", "-user", "alice", "work")
    # Until its program is in place it is still a copy of the server.
    (server,) = harness.wait_until(lambda: [
        found for found in [[
            p for p in house.processes("alice")
            if harness.comm(p) == "sess-server"]] if len(found) == 1
    ])[0]
    limits = harness._read(server, "limits").decode().splitlines()
    (nofile,) = [x.split() for x in limits if x.startswith("Max open files")]
    assert nofile[3:5] == ["333", "400"]
    # What the program had is lowered to what is allowed, and it is said.
    assert "at most 400 is allowed" in attach_text(house)


def attach_text(house):
    t = harness.Terminal(
        house.argv("alice", [house.bin / "sess", "-a", "work"]),
        house.env("alice"), harness.User("root"), cols=200)
    t.wait("\n")
    harness.wait_until(lambda: t.pump(0.05) or "allowed" in t.raw.decode())
    text = t.raw.decode()
    t.detach()
    t.close()
    return text


def test_the_image_is_read_without_roots_rights(house):
    """Held at every step of the revival, whatever runs is looked at."""
    binary = house.bin / "fault" / "sess"
    if not binary.exists():
        pytest.skip("no fault build: make fault")
    start(house, "alice", "work")
    house.ok("alice", "-save", "-stop", "work")
    for point in ("revive.image", "revive.by-root", "revive.open",
                  "revive.map", "revive.resource", "revive.report"):
        env = {"SESS_FAULT": point + ":hold"}
        log = house.home["alice"] / "log"
        env["SESS_FAULT_LOG"] = str(log)
        argv = house.argv("root", [str(binary), "-revive", "-user", "alice", "work"])
        p = subprocess.Popen(argv, env=house.env("root", env), cwd="/",
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        harness.wait_until(lambda: log.exists() and point in log.read_text())
        seen = set()
        for pid in house.processes("alice"):
            s = houses.status(pid)
            assert set(s["Uid"].split()) == {str(house.uid["alice"])}
            assert s["CapPrm"] in (NONE, CHECKPOINT_RESTORE), (point, pid, s)
            seen.add(s["CapPrm"])
        assert seen, point
        house.lose_power()
        p.communicate(timeout=30)
        assert p.returncode != 0
        log.unlink()
    house.ok("root", "-revive", "-user", "alice", "work")


def test_what_belongs_to_somebody_else_is_refused(house):
    start(house, "alice", "work")
    start(house, "bob", "work")
    for user in ("alice", "bob"):
        house.ok(user, "-save", "-stop", "work")
    state = {u: house.home[u] / ".local/state/sess" for u in ("alice", "bob")}
    image = state["alice"] / "saved/work/1.sess"
    kept = image.read_bytes()
    # An image of root's, of bob's, and links to them.
    for owner in ("root", "bob"):
        os.chown(image, house.uid[owner], house.uid[owner])
        err = house.fails("root", "-revive", "-user", "alice", "work")
        assert "belongs to" in err or "ermission" in err, err
    foreign = house.home["root"] / "1.sess"
    foreign.write_bytes(kept)
    foreign.chmod(0o644)
    house.home["root"].chmod(0o755)
    image.unlink()
    for link in (os.symlink, os.link):
        link(foreign, image)
        house.fails("root", "-revive", "-user", "alice", "work")
        image.unlink()
    # Directories that are links to what is not alice's.
    for part in ("saved", "run", "ended"):
        os.rename(state["alice"] / part, state["alice"] / "aside")
        os.symlink(state["bob"] / part, state["alice"] / part)
        err = house.fails("root", "-revive", "-user", "alice", "work")
        os.unlink(state["alice"] / part)
        os.rename(state["alice"] / "aside", state["alice"] / part)
    os.rename(state["alice"], house.home["alice"] / "aside")
    os.symlink(state["bob"], state["alice"])
    house.fails("root", "-revive", "-user", "alice", "work")
    harness.wait_until(lambda: not house.processes())
    # Nothing of bob's and nothing of root's was changed.
    assert house.states("bob") == {"work": "saved"}
    assert foreign.read_bytes() == kept and foreign.stat().st_uid == 0
    assert sorted(os.listdir(house.home["root"])) == ["1.sess"]


def test_who_may_and_which_users(house):
    assert "only root can act for user 'bob'" in house.fails(
        "alice", "-revive", "-user", "bob", "work")
    assert "only root can act" in house.fails("alice", "-save", "-all", "-everyone")
    assert "there is no user 'nobody-there'" in house.fails(
        "root", "-user", "nobody-there")
    assert "there is no snapshot of 'x'" in house.fails(
        "root", "-revive", "-user", "alice", "x")
    for args in (("-everyone",), ("-everyone", "-revive", "x"),
                 ("-user", "alice", "-n", "x", "true"),
                 ("-user", "alice", "-everyone", "-save", "-all")):
        assert house.sess("root", *args).status == 2, args


def test_everyone_at_shutdown_and_at_boot(house):
    start(house, "alice", "one", "two", "gone")
    start(house, "bob", "work")
    start(house, "root", "own")
    house.ok("alice", "-save", "gone")
    house.ok("alice", "-k", "gone")
    out = house.ok("root", "-save", "-stop", "-all", "-limit", "60", "-everyone")
    assert sorted(x.partition(" (")[0] for x in out.splitlines()) == [
        "alice: saved as one@1",
        "alice: saved as two@1",
        "bob: saved as work@1",
        "root: saved as own@1",
    ]
    house.lose_power()
    out = house.ok("root", "-revive", "-all", "-everyone")
    assert sorted(out.splitlines()) == sorted([
        "root: revived from own@1, attach with sess -a own",
        "alice: revived from one@1, attach with sess -a one",
        "alice: revived from two@1, attach with sess -a two",
        "bob: revived from work@1, attach with sess -a work",
    ])
    assert house.states("alice") == {
        "one": "detached", "two": "detached", "gone": "ended"}
    assert house.states("bob") == {"work": "detached"}
    house.ok("root", "-k", "own")


def test_one_user_s_trouble_is_not_another_s(house):
    start(house, "alice", "work")
    start(house, "bob", "work")
    house.ok("root", "-save", "-stop", "-all", "-everyone")
    image = house.home["alice"] / ".local/state/sess/saved/work/1.sess"
    image.write_bytes(b"x" * 10000)
    os.chmod(house.home["root"], 0o000)
    r = house.sess("root", "-revive", "-all", "-everyone")
    assert r.status == 1
    assert r.out == "bob: revived from work@1, attach with sess -a work\n"
    assert all(x.startswith("sess: alice: ") for x in r.err.splitlines()), r


def test_a_user_who_blocks_blocks_nobody_else(house):
    """A lock that is held and a server that answers nothing, at both ends."""
    start(house, "alice", "work", "other")
    start(house, "bob", "work")
    server = harness.parent(int(house.ok("alice", "-pid", "work")))
    harness.signal_pid(server, 19)
    r = house.sess("root", "-save", "-stop", "-all", "-limit", "12", "-everyone")
    assert r.status == 1
    assert "bob: saved as work@1" in r.out and "alice: saved as other@1" in r.out
    assert "sess: alice: session 'work': it was not saved in time" in r.err, r
    # Alice's revival waits for a writer who does not come.
    os.mkfifo(house.home["alice"] / f".local/state/sess/ended/{'0' * 32}", 0o666)
    r = house.sess("root", "-revive", "-all", "-limit", "7", "-everyone")
    assert r.status == 1
    assert "bob: revived from work@1" in r.out


# Answers everybody with FAILED and a text of its own.
SERVER = r"""
import fcntl, os, socket, struct, sys
run = os.path.expanduser("~/.local/state/sess/run")
os.umask(0o077)
os.makedirs(run, exist_ok=True)
lock = os.open(run + "/fake.lock", os.O_RDWR | os.O_CREAT, 0o600)
os.write(lock, b"fake")
fcntl.fcntl(lock, fcntl.F_OFD_SETLK,
            struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(run + "/fake.sock")
s.listen()
print("ready", flush=True)
text = b"\x1b]0;evil\x07 \xc2\x9bevil\xff"
while True:
    c, _ = s.accept()
    c.recv(65536)
    c.send(b"\x08\x41\x12" + bytes([len(text)]) + text)
"""


def test_what_a_server_says_is_harmless_to_the_terminal(house):
    """Text of alice's making reaches root's terminal tamed."""
    assert house.states("alice") == {}
    argv = house.argv("alice", ["python3", "-c", SERVER])
    p = subprocess.Popen(argv, env=house.env("alice"), stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    for args in (("-save", "fake"), ("-save", "-all"), ("-check", "fake"), ("-k", "fake")):
        r = house.sess("root", "-user", "alice", *args)
        assert r.status == 1 and "evil" in r.err, r
        assert all(x >= " " or x == "\n" for x in r.out + r.err), r
        assert "\x9b" not in r.err and "\ufffd" not in r.err
    p.kill()
    p.communicate()
