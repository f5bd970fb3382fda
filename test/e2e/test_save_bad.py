"""Bad images, wrong owners, full disks, what cannot be saved: one line that
says what and what to do, a status, no process stopped or half-made, the live
session and the older snapshots as they were."""

import os
import re
import shutil
import struct
import subprocess

import forge
import harness
import pytest
from rounds import all_gone, attach, stopped_processes

CHUNK_PAGE = 4096


@pytest.fixture
def saved(sess):
    """A session saved with -stop that tells, once revived, that it lives."""
    sess.ok("-n", "v", "sh", "-c", "while :; do echo >alive; sleep 0.05; done")
    alive = sess.work / "alive"
    harness.wait_until(alive.exists)
    sess.ok("-save", "-stop", "v")
    all_gone(sess)
    alive.unlink()
    return sess.dir / "saved" / "v" / "1.sess"


def _refused(sess, *args):
    """A revival that must not happen: its line."""
    err = sess.fails("-revive", "v", *args)
    all_gone(sess)
    assert not (sess.work / "alive").exists(), "it ran"
    return err


def _lives(sess):
    """The image is good again: it is revived and runs."""
    sess.ok("-revive", "v")
    harness.wait_until((sess.work / "alive").exists)
    sess.ok("-k", "v")
    all_gone(sess)


def test_truncated_at_every_page(sess, saved):
    good = saved.read_bytes()
    cuts = range(0, len(good), CHUNK_PAGE)
    for cut in cuts:
        saved.write_bytes(good[:cut])
        err = _refused(sess)
        assert "v" in err
    saved.write_bytes(good)
    _lives(sess)


def test_one_byte_flipped(sess, saved):
    """In the header, each chunk, each record's head and body, the table and
    the trailer."""
    good = saved.read_bytes()
    records = forge.record_starts(good)
    places = [0, 12, 24, 100, 4090, len(good) - 1, len(good) - 100]
    places += range(4096, records[0], 1 << 20)
    for start in records:
        places += [start, start + 9, start + 25]
    for at in places:
        bad = bytearray(good)
        bad[at] ^= 0x20
        saved.write_bytes(bad)
        err = _refused(sess)
        assert re.search(r"damaged|not a snapshot", err), err
    saved.write_bytes(good)
    _lives(sess)


def test_the_seal_of_this_test_is_right(sess, saved):
    """Else the tests below would be refused for a wrong checksum."""
    image = bytearray(saved.read_bytes())
    before = bytes(image)
    forge.seal(image)
    assert image == before
    _lives(sess)


def test_of_another_machine(sess, saved):
    image = bytearray(saved.read_bytes())
    image[forge.HEAD_MACHINE : forge.HEAD_MACHINE + 16] = b"riscv64".ljust(16, b"\0")
    forge.seal(image)
    saved.write_bytes(image)
    assert "riscv64" in _refused(sess)


def test_of_a_later_format(sess, saved):
    image = bytearray(saved.read_bytes())
    image[8] = 99
    forge.seal(image)
    saved.write_bytes(image)
    assert re.search("later|newer|format|version", _refused(sess))


def test_needing_features_of_another_processor(sess, saved):
    """All feature bits of the saved machine set: some are missing here."""
    image = bytearray(saved.read_bytes())
    forge.want_all_features(image)
    forge.seal(image)
    saved.write_bytes(image)
    err = _refused(sess)
    assert re.search("processor|CPU", err), err


def test_of_somebody_else(sess, saved):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(saved, 12345, -1)
    err = _refused(sess)
    assert re.search("belong|ermission", err), err
    sess.user.own(saved)
    _lives(sess)


def test_open_to_others(sess, saved):
    saved.chmod(0o666)
    err = _refused(sess)
    assert re.search("others|mode|chmod|written", err), err
    saved.chmod(0o600)
    _lives(sess)


def test_no_regular_file(sess, saved):
    kept = saved.with_suffix(".kept")
    saved.rename(kept)
    saved.symlink_to(kept)
    _refused(sess)
    saved.unlink()
    os.mkfifo(saved)
    _refused(sess)
    saved.unlink()
    kept.rename(saved)
    _lives(sess)


def test_an_older_one_is_still_good(sess, saved):
    """The latest is damaged: the line says so, the older one comes back."""
    sess.ok("-revive", "v")
    sess.ok("-save", "-stop", "v")
    all_gone(sess)
    (sess.work / "alive").unlink(missing_ok=True)
    second = saved.with_name("2.sess")
    second.write_bytes(second.read_bytes()[:-4096])
    _refused(sess)
    sess.ok("-revive", "v@1")
    harness.wait_until((sess.work / "alive").exists)
    sess.ok("-k", "v")


def test_the_only_one_is_damaged(sess, saved):
    """No older one is promised, and the list does not leave a hole."""
    saved.write_bytes(saved.read_bytes()[:-4096])
    assert "if there is one" in _refused(sess)
    assert sess.ok().splitlines()[-1].split()[-1] == "?"


def test_no_room_for_a_kept_copy(sess):
    """The line names the file and the way out. saved/ is on a small file
    system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    sess.make_places()
    place = sess.dir / "saved"
    place.mkdir(mode=0o700, exist_ok=True)
    how = f"size=1m,mode=700,uid={sess.user.uid},gid={sess.user.gid}"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", how, "none", place], check=True
    )
    try:
        sess.ok("-n", "v", "sleep", "1000")
        err = sess.fails("-save", "v")
    finally:
        subprocess.run(["umount", "-l", place], check=True)
    assert re.search(r"copy of /\S+ \(\d+ KiB\): No space", err), err
    assert "sess -rm" in err
    sess.ok("-k", "v")


def test_program_files_gone(sess, saved):
    """The objects that the image needs: without them and with the originals
    it comes back."""
    shutil.rmtree(sess.dir / "saved" / "objects")
    _lives(sess)


def test_revive_of_a_running_session(sess, saved):
    sess.ok("-revive", "v")
    pid = sess.pid("v")
    err = sess.fails("-revive", "v")
    assert "sess -a v" in err
    assert sess.pid("v") == pid
    assert not stopped_processes(sess)


def test_revive_twice_at_once(sess, saved):
    results = sess.at_once(4, "-revive", "v")
    assert [r.status for r in results].count(0) == 1, results
    first = {
        p
        for p in sess.processes()
        if "while :; do echo" in harness.command(p)
        and "sess" not in harness.command(p).split()[0]
    }
    assert len(first) == 1, first


# --- a live session ---------------------------------------------------------


def _counter(sess, name="c"):
    sess.ok(
        "-n", name, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; done >n"
    )


def _counts(sess):
    n = sess.work / "n"

    def lines():
        return n.read_bytes().count(b"\n") if n.exists() else 0

    before = lines()
    harness.wait_until(lambda: lines() > before + 50)
    assert not stopped_processes(sess)


def _fill(path):
    """Until nothing fits any more."""
    try:
        with path.open("wb", buffering=0) as f:
            while f.write(bytes(4096)):
                pass
    except OSError:
        pass


def test_full_disk(sess):
    """saved/ is on a small file system of its own: nothing half is left, the
    older snapshot stays."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    sess.make_places()
    mnt = sess.dir / "saved"
    mnt.mkdir(exist_ok=True, mode=0o700)
    how = f"size=16m,mode=700,uid={sess.user.uid},gid={sess.user.gid}"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", how, "none", mnt], check=True
    )
    try:
        _counter(sess)
        _counts(sess)
        sess.ok("-save", "c")
        before = (mnt / "c" / "1.sess").read_bytes()
        _fill(mnt / "ballast")
        for words in (["-save"], ["-save", "-stop"]):
            err = sess.fails(*words, "c")
            assert re.search("[Nn]o space", err), err
            _counts(sess)
        assert sorted(p.name for p in (mnt / "c").iterdir()) == ["1.sess"]
        assert (mnt / "c" / "1.sess").read_bytes() == before
        (mnt / "ballast").unlink()
        sess.ok("-save", "-stop", "c")
        all_gone(sess)
        sess.ok("-revive", "c")
        _counts(sess)
        sess.ok("-k", "c")
        all_gone(sess)
    finally:
        subprocess.run(["umount", "-l", mnt], check=True)


def test_full_quota_of_a_file(sess):
    """RLIMIT_FSIZE of the server, as an ordinary user meets it."""
    r = sess.command(
        [
            "sh",
            "-c",
            "ulimit -f 16; exec sess -n c sh -c 'while :; do echo >alive;"
            " sleep 0.05; done'",
        ]
    )
    assert r.status == 0, r
    alive = sess.work / "alive"
    harness.wait_until(alive.exists)
    sess.fails("-save", "c")
    alive.unlink()
    harness.wait_until(alive.exists)
    assert not stopped_processes(sess)
    left = [p for p in (sess.dir / "saved").rglob("*") if "tmp-" in p.name]
    assert not left


def test_no_room_for_a_new_session(sess):
    """What is in the way is told, not an input/output error."""
    script = "trap '' XFSZ; ulimit -f 0; exec sess -n c true"
    r = sess.command(["sh", "-c", script])
    assert r.status != 0 and "File too large" in r.err, r


def test_saved_directory_that_cannot_be_written(sess):
    if sess.user.is_root:
        pytest.skip("root may write everywhere")
    _counter(sess)
    _counts(sess)
    saved = sess.dir / "saved"
    saved.mkdir(exist_ok=True, mode=0o700)
    saved.chmod(0o500)
    try:
        err = sess.fails("-save", "c")
        assert "ermission" in err, err
        _counts(sess)
    finally:
        saved.chmod(0o700)


# What cannot be saved: how it is made, and what the line must name.
TRACED = """
import os, signal, ctypes
libc = ctypes.CDLL(None)
pid = os.fork()
if pid == 0:
    libc.ptrace(0, 0, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    while True: signal.pause()
os.waitpid(pid, 0)
"""
REFUSED = {
    "userfaultfd": (
        "ctypes.CDLL(None).syscall(323, 1)",
        "userfaultfd",
    ),
    "perf": (
        "buf = ctypes.create_string_buffer(128); buf[4] = 128;"
        "buf[0] = 1; buf[40] = 0x60;"  # software clock, user space only
        "fd = ctypes.CDLL(None).syscall(298, buf, 0, -1, -1, 0);",
        "perf",
    ),
    "packet": (
        "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket",
    ),
    "passed": (
        "import socket; a, b = socket.socketpair();"
        "socket.send_fds(a, [b'x'], [0])",
        "descriptors waiting in it",
    ),
}


# A whole program: pause(2), again and again.
PAUSE_32 = (
    b"\x7fELF\1\1\1".ljust(16, b"\0")
    + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1,
                  40, 0, 0)
    + struct.pack("<IIIIIIII", 1, 0, 0x8048000, 0x8048000, 93, 93, 5, 4096)
    + b"\xb8\x1d\0\0\0\xcd\x80\xeb\xf7"
)


def test_32_bit_program(sess):
    program = sess.work / "pause32"
    program.write_bytes(PAUSE_32)
    program.chmod(0o755)
    try:
        subprocess.Popen([program]).kill()
    except OSError:
        pytest.skip("this kernel runs no 32-bit programs")
    sess.ok("-n", "c", program)
    for words in (["-check"], ["-save"]):
        r = sess.run(*words, "c")
        assert r.status != 0 and "32-bit" in r.out + r.err, r


def test_check_says_who_is_traced(sess):
    (sess.work / "traced.py").write_text(TRACED + "print('traced')\ninput()\n")
    t = sess.terminal("-c", "c", "/usr/bin/python3", "traced.py")
    t.wait(lambda t: "traced" in t.text or t.proc.poll() is not None)
    r = sess.run("-check", "c")
    assert r.status != 0 and "being traced by" in r.out, r


def test_check_of_a_tree_that_comes_and_goes(sess):
    """What is in the middle of exec or exit does not stand in the way."""
    sess.ok("-n", "c", "sh", "-c", "yes 1 | xargs -P 4 -n 1 sh -c true")
    for _ in range(6):
        sess.ok("-check", "c")


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_saved(sess, kind):
    """Process, descriptor, kind and remedy are named; it runs on."""
    make, name = REFUSED[kind]
    code = (
        f"import ctypes, os, time, sys\n{make}\n"
        "print('it is made', flush=True)\n"
        "for line in sys.stdin: print('alive', flush=True)\n"
    )
    (sess.work / "made.py").write_text(code)
    t = sess.terminal("-c", "c", "/usr/bin/python3", "made.py")
    t.wait(lambda t: "it is made" in t.text or t.proc.poll() is not None)
    if "it is made" not in t.text:
        pytest.skip(f"this user cannot have it: {t.text.splitlines()[-1]}")
    fds = os.listdir(f"/proc/{sess.pid('c')}/fd")
    if not set(fds) - {"0", "1", "2"}:
        pytest.skip("this user cannot have it")
    for words in (["-check"], ["-save"], ["-save", "-stop"]):
        r = sess.run(*words, "c")
        assert r.status != 0, r
        line = r.out + r.err
        assert name in line and "python3" in line, line
        assert str(sess.pid("c")) in line or "pid" in line, line
        assert re.search(r"close|end|stop|without", line), line
        assert words == ["-check"] or r.err.count("\n") == 1, r
        t.send("\r")
        t.wait("alive")
    assert not stopped_processes(sess)
    assert not list((sess.dir / "saved").glob("c/*"))


def test_process_that_may_not_be_traced(sess):
    """PR_SET_DUMPABLE 0, as an ordinary user: named, and unharmed."""
    if sess.user.is_root:
        pytest.skip("root may")
    code = (
        "import ctypes, time\nctypes.CDLL(None).prctl(4, 0)\n"
        "while True: open('alive', 'w').close(); time.sleep(0.05)\n"
    )
    (sess.work / "p.py").write_text(code)
    sess.ok("-n", "c", "sh", "-c", "/usr/bin/python3 p.py; :")
    alive = sess.work / "alive"
    harness.wait_until(alive.exists)
    for words in (["-check"], ["-save"]):
        r = sess.run(*words, "c")
        assert r.status != 0 and "python3" in r.out + r.err, r
        alive.unlink()
        harness.wait_until(alive.exists)
    assert not stopped_processes(sess)


def test_process_that_is_traced_already(sess):
    sess.ok("-n", "c", "strace", "-o", "trace", "sh", "-c",
            "while :; do echo >alive; sleep 0.05; done")
    alive = sess.work / "alive"
    harness.wait_until(alive.exists)
    err = sess.fails("-save", "c")
    assert "strace" in err or "traced" in err, err
    alive.unlink()
    harness.wait_until(alive.exists)


def test_seccomp(sess):
    """Root saves a filtered process or refuses it; a user's is refused. In
    no case does the filter kill it."""
    code = """
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <stddef.h>
        #include <sys/prctl.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        #include <fcntl.h>
        #include <time.h>
        int main(void)
        {
                struct sock_filter f[] = {
                        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                            offsetof(struct seccomp_data, nr)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                };
                struct sock_fprog p = { 4, f };
                struct timespec ts = { 0, 50000000 };
                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
                        return 1;
                for (;;) {
                        close(open("alive", O_CREAT | O_WRONLY, 0600));
                        nanosleep(&ts, 0);
                }
        }
    """
    (sess.work / "f.c").write_text(code)
    assert sess.command(["cc", "-o", "filtered", "f.c"]).status == 0
    sess.ok("-n", "c", "./filtered")
    alive = sess.work / "alive"
    harness.wait_until(alive.exists)
    r = sess.run("-save", "c")
    assert r.status == 0 or "filtered" in r.err and "seccomp" in r.err, r
    alive.unlink()
    harness.wait_until(alive.exists)
    assert not stopped_processes(sess)


def test_child_in_a_namespace_of_its_own(sess):
    """Named and refused, or carried over: never half."""
    t = attach(sess, "-c", "c", "unshare", "-Ur", "sh")
    t.line("echo inner-$((40+2))")
    t.wait(lambda t: "inner-42" in t.text or t.proc.poll() is not None)
    if "inner-42" not in t.text:
        pytest.skip("no user namespaces here")
    r = sess.run("-save", "c")
    assert r.status == 0 or "namespace" in r.err, r
    t.line("echo still-$((40+2))")
    t.wait("still-42")
