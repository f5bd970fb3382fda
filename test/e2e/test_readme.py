"""Every command line that README shows is one, and succeeds."""

import re

import pytest

import harness

README = (harness.ROOT / "README.md").read_text()
# By their first word: what must be there before, and what attaches.
SAVED = ("-revive", "-rm", "-inspect")
FRESH = ("-c", "-n", "-A")
ATTACHES = ("-c", "-a", "-A")


def command_lines():
    block = README.split("## What it does")[1].split("    sess  ")[1]
    block = block.split("\n\n")[0].splitlines()[1:]
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in block]
    return [x for x in lines if x.startswith("sess ")]


def test_there_are_some():
    lines = command_lines()
    assert len(lines) > 15 and "sess -save -stop work" in lines, lines


@pytest.fixture
def path(sess):
    """sess by its name, and an ssh to a host which is this one."""
    bin_dir = sess.work / "bin"
    bin_dir.mkdir()
    (bin_dir / "sess").symlink_to(sess.binary)
    far = sess.work / "far"
    far.mkdir(mode=0o700)
    sess.user.own(far)
    ssh = bin_dir / "ssh"
    ssh.write_text(f'#!/bin/sh\nshift; SESS_DIR={far} exec "$@"\n')
    ssh.chmod(0o755)
    (sess.work / "file").write_text("typed\n")
    yield {"PATH": f"{bin_dir}:{sess.env['PATH']}"}
    sess.run("-k", "-f", "work", env={"SESS_DIR": far})


@pytest.mark.parametrize("line", command_lines())
def test_a_line_of_the_readme(sess, path, line):
    word = line.split()[1]
    if word not in FRESH:
        sess.ok("-n", "work", "sh", "-c", "echo here; exec cat")
    if word in SAVED:
        sess.ok("-save", "-stop", "work")
    command = line.replace(" [CMD...]", " sh -c 'echo here; exec cat'")
    t = sess.program(["sh", "-c", command], env=path)
    if word in ATTACHES:
        t.wait("here")
        t.detach()
        return
    if word == "-wait":
        sess.ok("-send", "work", input=b"\x04")  # its cat ends
    assert t.wait_exit(60) == 0, t.text
