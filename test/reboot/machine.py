"""A machine for the tests: QEMU without hardware help, a Debian kernel, the
root file system and the disk of image.py, and a root shell on its console."""

import os
import shutil
import socket
import subprocess

import pexpect
import pytest
from pexpect import fdpexpect

import harness
import image

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
    "user:x:1000:1000:user:/home/user:/bin/bash\n",
    "etc/group": "root:x:0:\ntty:x:5:\nuser:x:1000:\n",
    "etc/hostname": "machine\n",
    "etc/consolerc": """\
PS1= PS2=
stty cols 80 rows 24
as()
{
	local name=$1 home=/root who=
	shift
	if [ $name != root ]; then
		home=/home/$name
		who="setpriv --reuid $name --regid $name --clear-groups"
	fi
	echo "@@"begin@@
	cd $home && $who env -i PATH="$PATH" HOME=$home USER=$name \\
	    LOGNAME=$name SHELL=/bin/bash TERM=$TERM LANG=C.UTF-8 bash -c "$*"
}
echo @@ready@@
""",
}
# Generous: an emulated processor on a machine that has much else to do.
BOOT_S = 240
COMMAND_S = 240


class Console:
    """A shell at the other end of a serial line, which runs consolerc."""

    def __init__(self, fd, log):
        self._spawn = fdpexpect.fdspawn(fd, logfile=log)
        self._spawn.delaybeforesend = None

    def expect(self, what, timeout=COMMAND_S):
        try:
            self._spawn.expect(what, timeout * harness.PATIENCE)
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            said = (self._spawn.before or b"")[-3000:]
            raise AssertionError(
                f"{type(e).__name__} before {what!r}: "
                + said.decode(errors="replace")
            ) from None
        return self._spawn.match

    def send(self, text):
        self._spawn.send(text)

    def type(self, user, command):
        """A command that takes the console for itself."""
        self.send(f"as {user} '{command}'; echo @@$?@@\n")
        self.expect("@@begin@@\r\n")

    def see(self, what):
        """Text of the command that has the console; fails when it ends."""
        self.expect(f"{what}|@@\\d+@@")
        said = self._spawn.after
        assert b"@@" not in said, self._spawn.before + said

    def typed(self):
        """Its exit status."""
        return int(self.expect(rb"@@(\d+)@@\r\n")[1])

    def status(self, user, command):
        """Run COMMAND, which holds no ', as USER: status and output."""
        self.type(user, f"exec 2>&1 </dev/null; {command}")
        status = self.typed()
        return status, self._spawn.before.decode().replace("\r\n", "\n")

    def run(self, user, command):
        """Its output; it must succeed."""
        status, out = self.status(user, command)
        assert status == 0, f"{command}: status {status}: {out}"
        return out

    def close(self):
        self._spawn.close()


class Machine(Console):
    """One computer with one disk; boot() and power_off() as often as wanted.
    It is its own console."""

    def __init__(self, top):
        self.top, self.qemu, self._spawn = top, None, None
        self.disk = top / "disk.img"
        self.root = image.root_image(FILES)
        self.log = open(top / "console.log", "wb")
        self.qemu_path = shutil.which("qemu-system-x86_64")
        if self.qemu_path is None:
            raise image.Unavailable("no qemu-system-x86_64 (qemu-system-x86)")

    def _start(self, series, fd):
        where = image.kernel(series)
        initramfs = self.top / f"initramfs-{series}"
        if not initramfs.exists():
            initramfs.write_bytes(image.initramfs(where))
        drive = "format=raw,if=virtio,file="
        # It ends with the test, whatever that ends by.
        self.qemu = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self.qemu_path]
            + f"-accel {os.environ.get('SESS_REBOOT_ACCEL', 'tcg')} -cpu max "
            "-smp 1 -m 512 -nodefaults -no-user-config -no-reboot "
            "-display none -serial chardev:console".split()
            + ["-chardev", f"socket,id=console,fd={fd}"]
            + ["-kernel", str(where / "vmlinuz"), "-initrd", str(initramfs)]
            + ["-append", "console=ttyS0 quiet panic=-1 mitigations=off"]
            + ["-drive", f"{drive}{self.root},readonly=on"]
            + ["-drive", f"{drive}{self.disk}"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[fd],
        )

    def boot(self, series):
        """Until the shell on the console is there."""
        assert self.qemu is None
        ours, theirs = socket.socketpair()
        with theirs:
            self._start(series, theirs.fileno())
        super().__init__(ours.detach(), self.log)
        self.expect("@@ready@@\r\n", BOOT_S)
        if self.run("root", "stat -c %u /home/user").strip() == "0":
            self.run("root", "chown -R user:user /home/user")

    def power_off(self):
        """As a user does it: everything ends in order."""
        self.send("exit\n")
        self.expect(pexpect.EOF)
        self._end()

    def power_loss(self):
        """The plug is pulled."""
        self.qemu.kill()
        self._end()

    def _end(self):
        self.qemu.wait(BOOT_S)
        super().close()
        self.qemu = None

    def close(self):
        if self.qemu is not None:
            self.power_loss()
        self.log.close()


def new(top, files):
    """A machine that has not been booted, with FILES in all homes; the test
    is skipped where there can be none."""
    try:
        m = Machine(top)
        for series in image.SERIES:
            image.kernel(series)
    except image.Unavailable as e:
        pytest.skip(str(e))
    image.make_disk(m.disk, files)
    return m
