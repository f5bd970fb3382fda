"""Bad input: one line on standard error that says what, a status that is not
0, and everything as it was."""

import json
import os
import signal
import subprocess
import sys
import unicodedata

import pytest

import harness


def test_an_unknown_name(sess):
    for command in ("-a", "-d", "-k", "-pid", "-save", "-check"):
        assert "no session 'nope'" in sess.fails(command, "nope"), command
    assert "no snapshot" in sess.fails("-revive", "nope")
    assert "nope" in sess.fails("-rm", "nope")


@pytest.mark.parametrize(
    "name, what",
    [
        ("", "empty"),
        ("x" * 4097, "too long"),
        ("a/b", "slash"),
        ("../x", "slash"),
        ("a\nb", "control"),
        ("a\x1b[31m", "control"),
        ("a\x7f", "control"),
        ("a\u009b", "control"),
        ("work@7", "snapshot"),
        ("a\udcff\udcfe", "UTF-8"),
    ],
    ids=repr,
)
def test_a_bad_name(sess, name, what):
    for command in ("-c", "-n", "-A"):
        assert what in sess.fails(command, name, "true"), command
    commands = ["-a", "-d", "-k", "-pid"]
    for command in commands:
        assert what in sess.fails(command, name), command
    assert sess.ok().count("\n") == 1


# ESC, C1 as UTF-8 and as a byte, newlines, the direction of text, half a
# character: whatever a terminal would obey or show as something else.
HOSTILE = b"a\x1b]0;x\x07\xc2\x9b31m\x9b1m\nforged\r\xe2\x80\xae\xe2\x80\x8b\x7f\xe2\x82"


def raw(text):
    """What of TEXT should not get to a terminal."""
    return [
        c
        for c in text
        if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    ]


@pytest.mark.one_user
def test_nothing_of_a_command_line_reaches_the_terminal_as_it_is(sess, work_dir):
    words = [HOSTILE, b"/" + HOSTILE, HOSTILE + b"@7", b"\xe2\x80\xae/", b"-" + HOSTILE]
    lines = [
        [*before, os.fsdecode(word), *after]
        for word in words
        for before, after in (
            *(([c], []) for c in ("-a", "-d", "-k", "-save", "-revive", "-check")),
            *(([c], []) for c in ("-inspect", "-rm", "-pid", "-send", "-history")),
            *(([c], []) for c in ("-env", "-wait", "-c", "-n", "-A")),
            (["-n", "new"], []),
            (["-mv"], ["to"]),
            (["-mv", "from"], []),
            (["-e"], []),
            (["-limit"], []),
            (["-user"], []),
            (["-save", "-o"], ["x"]),
            (["-revive", "-i"], ["x"]),
            (["-save", "-all"], []),
            (["-outside"], []),
            ([], []),
        )
    ]
    for line in lines:
        line = [a.replace("\0", "") for a in line]
        r = sess.run(*map(os.fsencode, line))
        assert r.status > 0, (line, r)
        assert r.err.count("\n") == 1 and not raw(r.err + r.out), (line, r)
    for name in ("SESS_DIR", "HOME", "XDG_STATE_HOME", "SESS_SESSION"):
        env = dict(sess.env, **{name: os.fsdecode(b"/dev/null/" + HOSTILE)})
        if name != "SESS_SESSION":
            env = {k: v for k, v in env.items() if k == name or k != "SESS_DIR"}
        r = sess.command([sess.binary, "-n", "x", "/dev/null"], env={"SESS_DIR": None, **env})
        assert r.err.count("\n") == 1 and not raw(r.err), (name, r)


def test_a_name_that_cannot_be_seen_is_spelt_out_wherever_it_is_said(sess):
    name = "a\u202eb"
    t = sess.terminal("-c", name, "cat")
    t.line("typed")
    t.wait("typed\ntyped")
    assert name in sess.ok("-q")
    said = [sess.fails("-n", name, "cat"), sess.ok("-save", name)]
    t.detach()
    said.append(t.raw[t.raw.index(b"typed") :].decode())
    assert "[a\\u202eb: detached]" in said[-1]
    said.append(sess.ok("-save", "-stop", name))
    said += [sess.fails("-a", name), sess.fails("-c", name), sess.ok("-revive", name)]
    said.append(sess.ok("-inspect", name))
    said.append(sess.ok("-j"))
    t = sess.terminal("-a", name)
    t.wait("typed\ntyped")
    sess.ok("-k", name)
    t.wait_exit()
    said.append(t.raw[t.raw.index(b"typed") :].decode())
    for text in said:
        assert "a\\u202eb" in text and "\u202e" not in text, text
    assert json.loads(said[-2])[0]["name"] == name


def test_a_taken_name(sess):
    sess.ok("-n", "taken", "sleep", "1000")
    pid = sess.pid("taken")
    for command in ("-n", "-c"):
        assert "runs already" in sess.fails(command, "taken", "true")
    assert "runs" in sess.fails("-revive", "taken") or True
    assert sess.pid("taken") == pid


def test_f_takes_the_name_of_one_that_is_saved(sess):
    """What is saved stays, and can be had again when the other has ended."""
    sess.ok("-n", "old", "sleep", "1000")
    sess.ok("-save", "-stop", "old")
    for command in ("-n", "-c"):
        assert "is saved" in sess.fails(command, "old", "cat")
    assert "saved" in sess.ok()
    sess.ok("-f", "-n", "old", "cat")
    assert "cat" in harness.command(sess.pid("old"))
    assert "old@2" in sess.ok("-save", "old")
    assert "runs" in sess.fails("-revive", "old@1")
    assert "runs already" in sess.fails("-f", "-n", "old", "cat")
    sess.ok("-k", "old")
    t = sess.terminal("-f", "-c", "old", "sh", "-c", "echo third; exec cat")
    t.wait("third")
    sess.ok("-k", "old")
    t.wait_exit()
    sess.ok("-revive", "old@1")
    assert "sleep" in harness.command(sess.pid("old"))


def test_a_command_that_is_not_there(sess, sess_dir):
    for command in ("-n", "-c", "-A"):
        r = sess.run(command, "x", "no-such-command-at-all")
        assert r.status == 127
        assert r.err == "sess: no-such-command-at-all: command not found\n"
        r = sess.run(command, "x", "/no/such/file")
        assert r.status == 127 and r.err.count("\n") == 1
        r = sess.run(command, "x", "/etc/passwd")
        assert r.status == 126 and r.err.count("\n") == 1
    assert sess.ok().count("\n") == 1
    assert os.listdir(sess_dir / "run") == []
    assert sess.processes() == set()


@pytest.mark.parametrize(
    "args",
    [
        ["-x"],
        ["-c"],
        ["-a"],
        ["-k"],
        ["-a", "x", "y"],
        ["-a", "x", "-d", "x"],
        ["word"],
        ["-e", "^^^", "-a", "x"],
        ["-save", "a", "b"],
        ["-e"],
    ],
    ids=" ".join,
)
def test_a_command_line_without_sense(sess, args):
    r = sess.run(*args)
    assert r.status in (1, 2) and r.err.count("\n") == 1 and r.out == "", r


def test_a_name_that_begins_with_a_dash(sess):
    """Where it could be an option, the error says how to write it."""
    sess.ok("-n", "-dash", "cat")
    sess.ok("-n", "--", "-f", "cat")
    assert sorted(sess.ok("-q").split()) == ["-dash", "-f"]
    for command in ("-k", "-save", "-check", "-env", "-inspect", "-revive"):
        r = sess.run(command, "-dash")
        assert r.status == 2 and "'-dash': a name that begins with - comes after --" in r.err
    for args in (["-a", "-f"], ["-n", "-f", "work"], ["-A", "--force"], ["-mv", "-dash", "-x"]):
        r = sess.run(*args)
        assert r.status == 2 and "a name that begins with - comes after --" in r.err, r
    r = sess.run("-a", "--")
    assert r.status == 2 and "missing after '--'" in r.err
    assert "a name" not in sess.fails("-dash")
    assert int(sess.ok("-pid", "--", "-f")) > 0
    sess.ok("-save", "--", "-dash")
    sess.ok("-mv", "--", "-dash", "-q")
    t = sess.terminal("-a", "--", "-q")
    t.line("typed")
    t.wait("typed\ntyped")
    t.detach()
    sess.ok("-k", "--", "-q")
    sess.ok("-k", "-f", "--", "-f")
    assert sess.ok("-q").split() == ["-q"]  # saved
    # A command line of its own is not looked into.
    sess.ok("-n", "--", "new", "sh", "-c", "sleep 1000", "-f", "--")
    assert harness.command(sess.pid("new")).split()[:2] == ["sh", "-c"]


def test_save_without_a_name_outside(sess):
    assert "which session" in sess.fails("-save")


def test_a_SESS_DIR_of_somebody_else(sess, user, sess_dir, tmp_path):
    if user.is_root:
        other = harness.User("nobody")
        os.chown(sess_dir, other.uid, other.gid)
        error = sess.fails("-n", "x", "true")
        os.chown(sess_dir, 0, 0)
    else:
        error = sess.fails("-n", "x", "true", env={"SESS_DIR": "/usr"})
    assert "belongs to uid" in error


def test_a_SESS_DIR_open_to_others(sess, sess_dir):
    os.chmod(sess_dir, 0o777)
    assert "open to others" in sess.fails("-n", "x", "true")
    os.chmod(sess_dir, 0o700)
    sess.make_places()
    os.chmod(sess_dir / "run", 0o750)
    assert "open to others" in sess.fails("-n", "x", "true")
    os.chmod(sess_dir / "run", 0o700)
    os.chmod(sess_dir / "saved", 0o705)
    assert "open to others" in sess.fails()


def test_a_directory_that_is_a_link(sess, sess_dir, work_dir):
    sess.make_places()
    os.rmdir(sess_dir / "run")
    os.symlink(work_dir, sess_dir / "run")
    assert "symbolic link" in sess.fails("-n", "x", "true")
    assert os.listdir(work_dir) == []


def test_a_SESS_DIR_that_is_no_directory(sess, work_dir):
    (work_dir / "file").touch()
    path = str(work_dir / "file")
    assert path in sess.fails("-n", "x", "true", env={"SESS_DIR": path})
    link = str(work_dir / "link")
    os.symlink(sess.dir, link)
    error = sess.fails("-n", "x", "true", env={"SESS_DIR": link})
    assert f"{link} is a symbolic link" in error
    assert "absolute" in sess.fails(env={"SESS_DIR": "relative"})


def test_no_home(sess):
    env = {"SESS_DIR": None, "XDG_STATE_HOME": None, "HOME": "/dev/null/x"}
    assert "/dev/null/x" in sess.fails("-n", "x", "true", env=env)


def test_places_without_SESS_DIR(sess, work_dir):
    env = {"SESS_DIR": None, "XDG_STATE_HOME": None}
    sess.ok("-n", "home-test", "sleep", "1000", env=env)
    try:
        assert (work_dir / ".local/state/sess/saved").is_dir()
        assert "home-test" in sess.ok(env=env)
    finally:
        sess.ok("-k", "home-test", env=env)


GARBAGE = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
for data in (b'x', os.urandom(1000), b'\\x08\\xff\\xff\\xff\\xff\\x0f', b'\\x08\\x01',
             b'\\x08\\x09', os.urandom(60000), b'\\x08\\x03\\x18\\xff\\xff\\xff\\xff\\x0f'):
    try:
        s.send(data)
        s.settimeout(0.3)
        s.recv(65536)
    except OSError:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(sys.argv[1])
"""


def test_garbage_from_the_same_user(sess, sess_dir):
    sess.ok("-n", "g", "sleep", "1000")
    pid = sess.pid("g")
    path = str(sess_dir / "run" / "g.sock")
    for _ in range(5):
        r = sess.command([sys.executable, "-c", GARBAGE, path])
        assert r.status == 0, r
    assert sess.pid("g") == pid


def test_a_foreign_user_is_refused(sess, user, sess_dir):
    if not user.is_root:
        pytest.skip("needs somebody else")
    sess.ok("-n", "mine", "sleep", "1000")
    os.chmod(sess_dir.parent, 0o755)
    os.chmod(sess_dir, 0o755)
    os.chmod(sess_dir / "run", 0o755)
    os.chmod(sess_dir / "run" / "mine.sock", 0o777)
    code = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "s.connect(sys.argv[1])\n"
        "d = s.recv(1000)\n"
        "assert b'not yours' in d, d\n"
        "try:\n"
        "    s.send(b'\\x08\\x06')\n"
        "    assert s.recv(1000) == b''\n"
        "except (BrokenPipeError, ConnectionResetError):\n"
        "    pass\n"
    )
    path = str(sess_dir / "run" / "mine.sock")
    r = subprocess.run(
        [sys.executable, "-c", code, path],
        preexec_fn=harness.User("nobody").become,
        capture_output=True,
        text=True,
    )
    assert r.returncode == 0, r.stderr
    for path in (sess_dir, sess_dir / "run"):
        os.chmod(path, 0o700)
    assert sess.run("-pid", "mine").status == 0


def test_a_stopped_server_does_not_hang_the_listing(sess):
    sess.ok("-n", "a", "sleep", "1000")
    sess.ok("-n", "b", "sleep", "1000")
    server = harness.parent(sess.pid("a"))
    os.kill(server, signal.SIGSTOP)
    try:
        out = sess.ok(timeout=10)
        assert "not answering" in out and "detached" in out
        assert "runs already" in sess.fails("-n", "a", "true")
    finally:
        os.kill(server, signal.SIGCONT)
    assert "not answering" not in sess.ok()


@pytest.mark.parametrize(
    "closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-", ">/dev/full"]
)
def test_descriptors_that_are_closed_or_full(sess, closed):
    """Each command does its work and says how it went by its status."""

    def run(args):
        return sess.command(["sh", "-c", f"exec {sess.binary} {args} {closed}"])

    assert run("-c x sh -c 'echo hi; exit 3'").status == 3
    assert run("-n y sleep 1000").status == 0
    assert run("-pid y").status in (0, 1)
    assert run("-d y").status == 0
    p = subprocess.Popen(
        ["sh", "-c", f"exec {sess.binary} -a y {closed}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=sess.env,
        cwd=sess.work,
        preexec_fn=sess.user.become,
    )
    harness.wait_until(lambda: "attached" in sess.ok() or p.poll() is not None)
    assert p.poll() is None
    sess.ok("-d", "y")
    p.communicate(timeout=15)
    assert p.returncode == 0
    assert run("-k y").status == 0
    assert "y" not in [line.split()[0] for line in sess.ok().splitlines()[1:]]


@pytest.mark.parametrize("size", [(1, 1), (1, 80), (24, 1), (1000, 1000), (0, 0)])
def test_terminals_of_odd_sizes(sess, size):
    rows, cols = size
    t = sess.terminal("-c", "z", "cat", rows=rows, cols=cols)
    raw = b""

    def came(what):
        nonlocal raw
        try:
            raw += os.read(t.master, 65536)
        except BlockingIOError:
            pass
        return what in raw.replace(b"\r", b"").replace(b"\n", b"")

    harness.wait_until(lambda: came(b"\x1b[?25h"), every=0)
    t.send("marker\r")
    harness.wait_until(lambda: came(b"markermarker"), every=0)
    other = sess.terminal("-a", "z")
    other.line("another")
    other.wait("another\nanother")
    t.send("\r")
    # The terminal is not read any more, and holds nobody up.
    sess.ok("-d", "z")
    assert t.proc.wait(15) == 0
    other = sess.terminal("-a", "z")
    other.line("third")
    other.wait("third\nthird")


def test_terminals_that_go_away_in_the_middle(sess, work_dir):
    """Hung up at any moment of a flood; the session and the others go on."""
    a = sess.terminal("-c", "h", "sh", "-c", "while [ ! -e stop ]; do seq 3000; done; echo th'is'; cat")
    a.wait_raw(b"2999")
    for i in range(15):
        t = sess.terminal("-a", "h", rows=24 - i % 2)
        t.wait(lambda t: len(t.raw) > 50 * i)
        t.close()
    (work_dir / "stop").touch()
    a.wait("this")
    a.send("on")
    a.wait("on")
    harness.wait_until(lambda: "attached  " in sess.ok())


def test_a_full_disk_leaves_no_lock_behind(sess):
    """run/ is on a small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    sess.make_places()
    run = sess.dir / "run"
    how = f"size=4k,mode=700,uid={sess.user.uid},gid={sess.user.gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", how, "none", run], check=True)
    try:
        (run / "ballast").write_bytes(bytes(4096))
        assert "No space" in sess.fails("-n", "b", "true")
        assert [p.name for p in run.iterdir()] == ["ballast"]
    finally:
        subprocess.run(["umount", "-l", run], check=True)
