"""Fixtures of all tests: who runs them, where, and what is left behind.

As root every test that asks for `user` runs twice: as root and as an
ordinary user, who is made here when missing and removed again by the last
run that used him, if it was a run of these tests that made him.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import harness

LOCK = "/run/lock/sess-test-user"
MADE = "/run/lock/sess-test-user.made"


def _exists(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False


def _hold_user():
    """Make the ordinary user if missing; the lock says that he is in use."""
    with open(LOCK + ".make", "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not _exists(harness.TEST_USER):
            subprocess.run(
                ["useradd", "-m", "-s", "/bin/bash", harness.TEST_USER],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            Path(MADE).touch()
        lock = open(LOCK, "w")
        fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def _release_user(lock):
    with open(LOCK + ".make", "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another run goes on with him
        if os.path.exists(MADE):
            subprocess.run(
                ["userdel", "-r", harness.TEST_USER],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if not _exists(harness.TEST_USER):
                os.unlink(MADE)


def pytest_configure(config):
    if not hasattr(config, "workerinput") and os.geteuid() == 0:
        config.sess_user_lock = _hold_user()


def pytest_unconfigure(config):
    lock = getattr(config, "sess_user_lock", None)
    if lock is not None:
        _release_user(lock)
        lock.close()


def pytest_generate_tests(metafunc):
    if "user" in metafunc.fixturenames:
        names = ["root", "user"] if os.geteuid() == 0 else ["user"]
        if metafunc.definition.get_closest_marker("one_user"):
            names = names[-1:]  # who it is makes no difference
        metafunc.parametrize("user", names, indirect=True)


@pytest.fixture
def user(request):
    """`root` or an ordinary user: harness.User."""
    if request.param == "root":
        return harness.User("root")
    if os.geteuid() == 0:
        return harness.User(harness.TEST_USER)
    return harness.User(pwd.getpwuid(os.getuid()).pw_name)


@pytest.fixture(scope="session")
def bin_dir():
    """Copies of what was built, where every user reaches them: sess,
    victim/*, bench/* and fault/sess (made with -DSESS_FAULT)."""
    top = Path(tempfile.mkdtemp(prefix="sess-bin-", dir="/tmp"))
    top.chmod(0o755)
    wanted = [(harness.BUILD / "sess", top / "sess")]
    wanted.append((harness.FAULT_BUILD / "sess", top / "fault" / "sess"))
    for kind in ("victim", "bench"):
        for f in sorted((harness.BUILD / "test" / kind).glob("*")):
            if f.suffix == "" and os.access(f, os.X_OK) and f.is_file():
                wanted.append((f, top / kind / f.name))
    for source, target in wanted:
        if source.exists():
            target.parent.mkdir(exist_ok=True, mode=0o755)
            shutil.copy2(source, target)
    yield top
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def _place(user):
    """A private directory; everything in it and of it ends with the test."""
    top = Path(tempfile.mkdtemp(prefix="sess-", dir="/tmp"))
    for d in (top / "s", top / "w"):
        d.mkdir(mode=0o700)
        user.own(d)
    user.own(top)
    yield top
    harness.end_processes(top / "s")
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def sess_dir(_place):
    """SESS_DIR: 0700, owned by the user of this test."""
    return _place / "s"


@pytest.fixture
def work_dir(_place):
    """HOME and working directory of this test."""
    return _place / "w"


@pytest.fixture
def sess(user, sess_dir, work_dir, bin_dir):
    """The program under test: harness.Sess."""
    s = harness.Sess(bin_dir / "sess", user, sess_dir, work_dir, bin_dir)
    yield s
    s.close()


@pytest.fixture
def fault_sess(user, sess_dir, work_dir, bin_dir):
    """The same, built with fault points (base/fault.h)."""
    binary = bin_dir / "fault" / "sess"
    if not binary.exists():
        pytest.skip("no fault build: make fault")
    s = harness.Sess(binary, user, sess_dir, work_dir, bin_dir)
    yield s
    s.close()
