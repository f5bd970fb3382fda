"""Server, client, save and revival under AddressSanitizer and UBSan (`make
asan-sess`): three rounds of a shell with a job, a plain save, a check, what
is refused. Whatever a sanitizer says in any of them fails the test when the
session is closed (harness.Sess.close)."""

import shutil

import harness
import pytest
from rounds import attach, three_rounds

ASAN = harness.ROOT / "build-asan" / "sess"


@pytest.fixture
def clean_sess(user, sess_dir, work_dir, bin_dir, tmp_path_factory):
    if not ASAN.exists():
        pytest.skip("not built: make asan-sess")
    binary = bin_dir / "asan" / "sess"
    binary.parent.mkdir(exist_ok=True, mode=0o755)
    if not binary.exists():
        shutil.copy2(ASAN, binary)
    s = harness.Sess(binary, user, sess_dir, work_dir, bin_dir)
    yield s
    s.close()


def test_bash_under_sanitizers(clean_sess):
    sess = clean_sess
    t = attach(sess, "-c", "work", "bash", "--norc", env={"PS1": "ok> "})
    t.wait("ok>")
    t.line("kept=orange; sleep 1000 & yes >/dev/null & cat <(sleep 1000) &")
    t.line("echo three-$kept")
    t.wait("three-orange")
    sess.ok("-check", "work")
    sess.ok("-save", "work")

    def look(t, n):
        t.line(f"echo round-{n}-$kept; jobs -r | wc -l")
        t.wait(f"round-{n}-orange\n3")

    t = three_rounds(sess, "work", t, look)
    t.line("kill %1 %2 %3; exit 6")
    assert t.wait_exit() == 6
    sess.ok()
    sess.ok("-rm", "work@4")
    sess.fails("-revive", "work@4")
    sess.ok("-rm", "work")


def test_refusals_under_sanitizers(clean_sess):
    """Errors take the ways that are walked least."""
    sess = clean_sess
    code = (
        "import socket; l = socket.socket(); l.bind(('127.0.0.1', 0));"
        "l.listen(); s = socket.create_connection(l.getsockname());"
        "c = l.accept(); open('made', 'w'); import time; time.sleep(1000)"
    )
    sess.ok("-n", "bad", "/usr/bin/python3", "-c", code)
    harness.wait_until((sess.work / "made").exists)
    r = sess.run("-save", "bad")
    assert r.status == 0 or r.err.count("\n") == 1, r
    sess.ok("-n", "good", "sleep", "1000")
    sess.ok("-save", "-stop", "good")
    image = sess.dir / "saved" / "good" / "1.sess"
    whole = image.read_bytes()
    for cut in range(100, len(whole), len(whole) // 6):
        image.write_bytes(whole[:cut])
        sess.fails("-revive", "good")
    for at in range(50, len(whole), len(whole) // 12):
        image.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        )
        sess.run("-revive", "good")
        sess.run("-k", "good")
