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

USERS = {"user": 1000, "other": 1001}
# Consoles of the machine with systemd: one for each user, who is logged in on
# it, and one for root's shell.
LOGIN = """\
[Unit]
After=systemd-user-sessions.service systemd-logind.service dbus.service
Before=getty.target
[Service]
ExecStart=-/sbin/agetty --autologin %s --noclear %s vt100
StandardInput=tty
StandardOutput=tty
TTYPath=/dev/%s
TTYReset=yes
UtmpIdentifier=%s
IgnoreSIGPIPE=no
SendSIGHUP=yes
"""
CONSOLE = """\
[Unit]
After=sess.service systemd-logind.service login-user.service
After=login-other.service
[Service]
Environment=HOME=/root USER=root SHELL=/bin/bash TERM=vt100 LANG=C.UTF-8
Environment=PATH=/disk/bin:/usr/bin:/usr/sbin
ExecStart=/bin/bash --noediting --rcfile /etc/consolerc -i
WorkingDirectory=/root
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
KillSignal=SIGHUP
"""
LOGINS = {"user": "ttyS1", "other": "ttyS2"}
UNITS = {
    "console": CONSOLE,
    **{f"login-{u}": LOGIN % (u, tty, tty, tty) for u, tty in LOGINS.items()},
}
PERMIT = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
    "messagebus:x:100:100::/:/usr/sbin/nologin\n"
    + "".join(
        f"{u}:x:{n}:{n}:{u}:/home/{u}:/bin/bash\n" for u, n in USERS.items()
    ),
    "etc/group": "root:x:0:\ntty:x:5:\nmessagebus:x:100:\n"
    + "".join(f"{u}:x:{n}:\n" for u, n in USERS.items()),
    "etc/hostname": "machine\n",
    "etc/machine-id": "5e55" * 8 + "\n",
    "etc/profile": "PATH=/disk/bin:/usr/bin\n"
    "case $(tty) in /dev/ttyS*) . /etc/consolerc ;; esac\n",
    "etc/pam.d/common-auth": PERMIT,
    "etc/pam.d/common-account": PERMIT,
    "etc/pam.d/common-password": "password required pam_permit.so\n",
    "etc/pam.d/common-session": "session required pam_unix.so\n"
    "session required pam_systemd.so\n",
    "etc/pam.d/common-session-noninteractive": "session required pam_unix.so\n",
    **{
        f"etc/systemd/system/{name}.service": unit
        for name, unit in UNITS.items()
    },
    "etc/systemd/system/multi-user.target.d/consoles.conf": "[Unit]\nWants="
    + " ".join(f"{name}.service" for name in UNITS)
    + "\n",
    "etc/consolerc": """\
PS1= PS2=
set +o emacs +o vi
stty cols 80 rows 24
as()
{
	local name=$1 home=/root who=
	shift
	if [ $name != root ]; then
		home=/home/$name
	fi
	if [ $name != ${USER:-root} ]; then
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
BOOT_S = 300
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
    It is its own console. Where PID1 is given, that runs the system, on a root
    of its own, and each of LOGINS has a console too: self.logins[user]."""

    def __init__(self, top, pid1=None):
        self.top, self.qemu, self._spawn = top, None, None
        self.pid1, self.logins, self.monitor = pid1, {}, None
        self.disk = top / "disk.img"
        self.root = image.root_image(FILES)
        if pid1:
            self.root = shutil.copy(self.root, top / "root.img")
        self.log = open(top / "console.log", "wb")
        self.qemu_path = shutil.which("qemu-system-x86_64")
        if self.qemu_path is None:
            raise image.Unavailable("no qemu-system-x86_64 (qemu-system-x86)")

    def _start(self, series, lines, monitor):
        where = image.kernel(series)
        initramfs = self.top / f"initramfs-{series}"
        if not initramfs.exists():
            initramfs.write_bytes(image.initramfs(where))
        drive = "format=raw,if=virtio,file="
        root = f"{drive}{self.root}" + ("" if self.pid1 else ",readonly=on")
        # no_timer_check: an emulated timer may come late on a busy machine.
        append = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"
        if self.pid1:
            append += f" pid1={self.pid1} systemd.show_status=no systemd.getty_auto=no"
        argv = [
            *["setpriv", "--pdeathsig", "KILL", self.qemu_path],
            *["-accel", os.environ.get("SESS_REBOOT_ACCEL", "tcg")],
            *"-cpu max -smp 1 -m 512 -nodefaults -no-user-config".split(),
            *"-no-reboot -display none".split(),
            *["-kernel", str(where / "vmlinuz"), "-initrd", str(initramfs)],
            *["-append", append, "-drive", root],
            *["-drive", f"{drive}{self.disk}"],
            *["-chardev", f"socket,id=monitor,fd={monitor.fileno()}"],
            *["-mon", "chardev=monitor,mode=readline"],
        ]
        for n, line in enumerate(lines):
            argv += ["-chardev", f"socket,id=line{n},fd={line.fileno()}"]
            argv += ["-serial", f"chardev:line{n}"]
        # It ends with the test, whatever that ends by.
        self.qemu = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[s.fileno() for s in (monitor, *lines)],
        )

    def boot(self, series):
        """Until the shell on the console is there. A kernel that dies at its
        start, as a starved emulator may let it, is started once more."""
        for again in (True, False):
            self._power_on(series)
            try:
                self.expect("@@ready@@\r\n", BOOT_S)
                break
            except AssertionError:
                if not again:
                    raise
                self.power_loss()
        if self.run("root", "stat -c %u /home/user").strip() == "0":
            for user in USERS:
                self.run("root", f"chown -R {user}:{user} /home/{user}")

    def _power_on(self, series):
        assert self.qemu is None
        names = list(LOGINS) if self.pid1 else []
        pairs = [socket.socketpair() for _ in ("", "monitor", *names)]
        try:
            theirs = [pair[1] for pair in pairs]
            self._start(series, [theirs[0], *theirs[2:]], theirs[1])
        finally:
            for pair in pairs:
                pair[1].close()
        self.monitor = pairs[1][0]
        super().__init__(pairs[0][0].detach(), self.log)
        for name, pair in zip(names, pairs[2:]):
            self.logins[name] = Console(pair[0].detach(), self.log)

    def press_power_button(self):
        """... and wait until the machine is off."""
        self.monitor.sendall(b"system_powerdown\n")
        self.expect(pexpect.EOF, BOOT_S)
        self._end()

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
        for console in self.logins.values():
            console.close()
        self.monitor.close()
        self.qemu, self.logins = None, {}

    def close(self):
        if self.qemu is not None:
            self.power_loss()
        self.log.close()


def new(top, files, pid1=None):
    """A machine that has not been booted, with FILES in all homes; the test
    is skipped where there can be none."""
    try:
        m = Machine(top, pid1)
        for series in image.SERIES:
            image.kernel(series)
    except image.Unavailable as e:
        pytest.skip(str(e))
    image.make_disk(m.disk, USERS, files)
    return m
