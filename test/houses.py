"""A house: mounts of its own with other users, other homes and an empty /run,
so that tests of users and logins touch nothing of the machine's. Root only."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import harness
import pytest

SETUP = """
mount --make-rprivate /
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
if [ -f /etc/security/limits.conf ]; then
	mount --bind "$1/limits.conf" /etc/security/limits.conf
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/user
echo ready
exec cat
"""

NAMES = ("alice", "bob")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class House:
    """Users root, alice and bob; their uids are used by nobody else."""

    def __init__(self, top, bin_dir):
        self.top, self.bin = top, bin_dir
        base = 20000 + os.getpid() % 5000 * 8
        self.uid = {"root": 0, **{n: base + i for i, n in enumerate(NAMES)}}
        self.home = {n: top / n for n in self.uid}
        self.spare_gid = base + 7  # bob's and alice's common group
        self._files()
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-ec", SETUP, "sh", str(top)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.holder.stdout.readline() == "ready\n"

    def _files(self):
        self.top.chmod(0o755)
        passwd, group = "", ""
        for name, uid in self.uid.items():
            self.home[name].mkdir(mode=0o700)
            os.chown(self.home[name], uid, uid)
            passwd += f"{name}:x:{uid}:{uid}::{self.home[name]}:/bin/bash\n"
            group += f"{name}:x:{uid}:\n"
        group += "tty:x:5:\n" + f"common:x:{self.spare_gid}:alice,bob\n"
        (self.top / "passwd").write_text(passwd)
        (self.top / "group").write_text(group)
        (self.top / "limits.conf").write_text(
            "*      soft nproc 777777\n"
            "@common hard nofile 400\n"
            "alice  soft nofile 333 # counts more than the group\n"
            "@nobody-there - nofile 1\n"
        )

    def argv(self, user, argv):
        if user != "root":
            argv = ["setpriv", "--reuid", user, "--regid", str(self.uid[user]),
                    "--init-groups", "--", *argv]
        return ["nsenter", "-m", "-t", str(self.holder.pid), "--", *argv]

    def env(self, user, more=None):
        env = {"PATH": f"{self.bin}:{PATH}", "HOME": str(self.home[user]),
               "USER": user, "LOGNAME": user, "SHELL": "/bin/bash",
               "LANG": "C.UTF-8", "TERM": "xterm-256color", **(more or {})}
        return env

    def command(self, user, *argv, env=None, input=None, timeout=60):
        p = subprocess.run(
            self.argv(user, [str(a) for a in argv]),
            env=self.env(user, env),
            input=b"" if input is None else input,
            capture_output=True,
            timeout=timeout * harness.PATIENCE,
            cwd="/",
            start_new_session=True,
        )
        return harness.Result(p.returncode, p.stdout.decode(), p.stderr.decode())

    def sess(self, user, *args, **how):
        return self.command(user, self.bin / "sess", *args, **how)

    def ok(self, user, *args, **how):
        r = self.sess(user, *args, **how)
        assert r.status == 0, f"{user}: sess {' '.join(map(str, args))}: {r}"
        return r.out

    def fails(self, user, *args, **how):
        r = self.sess(user, *args, **how)
        assert r.status == 1 and r.err.count("\n") == 1, r
        return r.err

    def states(self, user):
        rows = self.ok(user).splitlines()[1:]
        return {row.split()[0]: row.split()[1] for row in rows}

    def processes(self, user=None):
        """Living ones of USER; of everybody in the house."""
        wanted = set(self.uid.values()) - {0}
        if user is not None:
            wanted = {self.uid[user]}
        return [p for p in harness._pids()
                if int(status(p).get("Uid", "0").split()[0]) in wanted
                and harness.state(p) not in (None, "Z")]

    def lose_power(self):
        """Servers first: none of them sees its program end."""
        found = self.processes()
        found.sort(key=lambda p: harness.comm(p) != "sess-server")

        def none_left():
            for p in found + self.processes():
                try:
                    os.kill(p, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not self.processes() and all(map(harness.is_over, found))

        harness.wait_until(none_left)

    def close(self):
        self.lose_power()
        harness.end_processes(self.home["root"])
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()


def status(pid):
    """proc_pid_status(5) as a dict; empty when PID is gone."""
    text = harness._read(pid, "status").decode(errors="replace")
    return dict(x.split(":\t", 1) for x in text.splitlines() if ":\t" in x)


@pytest.fixture
def house(bin_dir):
    if os.geteuid() != 0:
        pytest.skip("only root can act for other users")
    top = Path(tempfile.mkdtemp(prefix="sess-house-", dir="/tmp"))
    h = House(top, bin_dir)
    yield h
    h.close()
    shutil.rmtree(top, ignore_errors=True)
