"""make install and sh setup.sh try, into a directory of their own."""

import os
import shutil
import subprocess

import pytest

import harness


def _run(*argv, **env):
    p = subprocess.run(
        [str(a) for a in argv],
        cwd=harness.ROOT,
        env=dict(os.environ, MAKEFLAGS="", **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=170,
    )
    assert p.returncode == 0, p.stdout
    return p.stdout


def _files(top):
    return sorted(str(f.relative_to(top)) for f in top.rglob("*") if f.is_file())


@pytest.mark.xdist_group("make")
def test_install_and_uninstall_leave_nothing(tmp_path):
    where = (f"DESTDIR={tmp_path}", "PREFIX=/usr")
    _run("make", "-s", "install-compat", *where)
    files = _files(tmp_path)
    assert {"usr/bin/sess", "usr/bin/dtach", "usr/bin/abduco"} <= set(files)
    unit = tmp_path / "usr/lib/systemd/system/sess.service"
    assert "ExecStart=-/usr/bin/sess -revive" in unit.read_text()
    assert "@" not in unit.read_text()
    assert "usr/share/man/man1/sess.1" in files
    assert "usr/share/zsh/site-functions/_sess" in files
    _run("make", "-s", "uninstall", *where)
    assert _files(tmp_path) == []


@pytest.mark.xdist_group("make")
def test_the_units_are_good(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    _run("make", "-s", "install", f"PREFIX={tmp_path}", f"APPARMOR={tmp_path}/none")
    unit = tmp_path / "lib/systemd/system/sess.service"
    user = tmp_path / "lib/systemd/user/sess.service"
    for mode, unit in (("--system", unit), ("--user", user)):
        out = _run("systemd-analyze", mode, "verify", "--man=no", unit,
                   XDG_RUNTIME_DIR=str(tmp_path))
        assert [x for x in out.splitlines() if "sess" in x] == []


@pytest.mark.xdist_group("make")
def test_smoke_try_without_a_terminal_shows_a_counter(tmp_path):
    out = _run("sh", "setup.sh", "try", "-n", PREFIX=str(tmp_path))
    assert "no number lost, none twice" in out
    assert _files(tmp_path / "bin") == ["sess"]
