"""A machine for test_reboot.py: QEMU without hardware help, a Debian kernel,
a root file system made of this Debian's packages, a disk that stays.

What takes long to make is kept below $XDG_CACHE_HOME/sess-reboot (else
/var/tmp/sess-reboot-UID) and made again when it is missing or when the
packages have changed.
"""

import glob
import hashlib
import lzma
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import pexpect
from pexpect import fdpexpect

import harness

# What runs in the machine; what they depend on comes along.
PACKAGES = (
    "bash coreutils dash dvtm grep less libc-bin libpython3-stdlib "
    "ncurses-base procps python3-minimal sed util-linux vim"
).split()
# Not needed to run, and most of the size.
LEFT_OUT = re.compile(
    r"/usr/(share/(doc|locale|man|info|lintian|bug|i18n|zoneinfo|perl|"
    r"vim/vim90/(doc|spell|lang|tutor|syntax|pack|ftplugin|indent|compiler|"
    r"autoload|keymap|colors|macros|print|tools|import))/"
    r"|lib/(systemd|udev|locale)/|lib/python3[^/]*/(test|idlelib|ensurepip|"
    r"tkinter|lib2to3|pydoc_data)/|lib/x86_64-linux-gnu/(gconv|perl|systemd)/)"
)
# Kernel packages by the series a test asks for; the newest of each is taken.
SERIES = {"6.1": r"6\.1\.0-\d+-cloud-amd64", "6.12": r"6\.12\..*-cloud-amd64"}
# The way to the disks, in the order of loading; some kernels have them built
# in.
MODULES = (
    "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev "
    "virtio_pci virtio_blk"
).split()
DIRECTORIES = "dev disk etc home proc root run sys tmp var/tmp".split()
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
	local name=$1
	shift
	case $name in
	root) home=/root who= ;;
	*) home=/home/$name who='setpriv --reuid 1000 --regid 1000 --clear-groups' ;;
	esac
	echo "@@"begin@@
	cd $home && $who env -i PATH="$PATH" HOME=$home USER=$name \\
	    LOGNAME=$name SHELL=/bin/bash TERM=$TERM LANG=C.UTF-8 bash -c "$*"
}
echo @@ready@@
""",
}
BOOT_S = 120
COMMAND_S = 120


class Unavailable(Exception):
    """This machine cannot be had; the text says why."""


def _cache():
    home = os.environ.get("XDG_CACHE_HOME")
    top = Path(home or "/var/tmp") / (
        "sess-reboot" if home else f"sess-reboot-{os.getuid()}"
    )
    top.mkdir(mode=0o700, parents=True, exist_ok=True)
    if top.stat().st_uid != os.getuid():
        raise Unavailable(f"{top} belongs to somebody else")
    return top


def _output(argv, **how):
    return subprocess.run(
        argv, check=True, stdout=subprocess.PIPE, text=True, **how
    ).stdout


# --- kernels ----------------------------------------------------------------


def _versions(text):
    return [[int(n) for n in re.findall(r"\d+", t)] for t in text]


def _download(series, into):
    """Fetch the newest kernel package of SERIES and unpack it, uninstalled."""
    names = _output(["apt-cache", "pkgnames", "linux-image-"]).split()
    names = [
        n
        for n in names
        if re.fullmatch("linux-image-" + SERIES[series], n)
    ]
    if not names:
        raise Unavailable(f"apt knows no kernel {series}: apt-get update?")
    name = max(names, key=lambda n: _versions([n]))
    with tempfile.TemporaryDirectory(dir=into.parent) as tmp:
        try:
            subprocess.run(
                ["apt-get", "-q", "download", name],
                cwd=tmp,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            (deb,) = glob.glob(tmp + "/*.deb")
            subprocess.run(["dpkg", "-x", deb, tmp + "/x"], check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as e:
            raise Unavailable(f"{name} cannot be downloaded: {e}")
        _keep_kernel(Path(tmp) / "x", into)


def _keep_kernel(tree, into):
    """Of the package: the kernel, and the modules on the way to the disk."""
    new = Path(str(into) + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    shutil.copy(kernel, new / "vmlinuz")
    for i, name in enumerate(MODULES):
        for ko in (tree / "lib/modules").rglob(name + ".ko*"):
            data = ko.read_bytes()
            if ko.suffix == ".xz":
                data = lzma.decompress(data)
            (new / f"{i}-{name}.ko").write_bytes(data)
    os.rename(new, into)


def kernel(series):
    """The directory of a kernel: vmlinuz and its modules."""
    into = _cache() / f"kernel-{series}"
    if not into.exists():
        _download(series, into)
    return into


# --- the initramfs ----------------------------------------------------------


def _cpio(entries):
    """An archive as the kernel wants it (initramfs buffer format, newc)."""
    out = bytearray()
    names = [*entries, ("TRAILER!!!", 0, b"")]
    for ino, (name, mode, data) in enumerate(names):
        head = "070701" + "".join(
            "%08X" % n
            for n in (ino, mode, 0, 0, 1, 0, len(data))
            + (0, 0, 0, 0, len(name) + 1, 0)
        )
        out += head.encode() + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4)
        out += data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def _initramfs(kernel_dir):
    init = harness.BUILD / "test" / "reboot" / "init"
    if not init.exists():
        raise Unavailable(f"{init} is not built: make reboot")
    entries = [
        (name, stat.S_IFDIR | 0o755, b"")
        for name in ("dev", "modules", "system")
    ]
    entries.append(("init", stat.S_IFREG | 0o755, init.read_bytes()))
    for ko in sorted(kernel_dir.glob("*.ko")):
        entries.append(
            ("modules/" + ko.name, stat.S_IFREG | 0o644, ko.read_bytes())
        )
    return _cpio(entries)


# --- file systems -----------------------------------------------------------


def _make_ext4(tree, image, mib):
    """A file system with the content of TREE, owned by root."""
    argv = ["mkfs.ext4", "-qq", "-F", "-d", str(tree), str(image), f"{mib}M"]
    if os.geteuid() != 0:  # the one who stages is root in there
        argv = ["unshare", "-r", *argv]
    env = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(
        argv,
        check=True,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _packages():
    """PACKAGES and all they need, {name: version}, as installed here."""
    fields = "${Package}\t${Version}\t${Provides}\t${Pre-Depends},${Depends}\n"
    known, provided = {}, {}
    for line in _output(["dpkg-query", "-W", "-f", fields]).splitlines():
        name, version, provides, depends = line.split("\t")
        if not version:
            continue
        known[name] = (version, depends)
        for p in re.findall(r"[a-z0-9][a-z0-9.+-]+", provides):
            provided.setdefault(p, name)
    found, todo = {}, list(PACKAGES)
    while todo:
        name = todo.pop()
        name = name if name in known else provided.get(name)
        if name is None or name in found:
            continue
        version, depends = known[name]
        found[name] = version
        for choice in depends.split(","):
            names = [
                re.split(r"[ :(]", c.strip())[0] for c in choice.split("|")
            ]
            todo += [n for n in names if n in known or n in provided][:1]
    missing = [p for p in PACKAGES if p not in found]
    if missing:
        raise Unavailable(f"not installed: {' '.join(missing)}")
    return found


def _copy(path, tree):
    """PATH of this system to the same place in TREE; links stay links."""
    real = os.path.join(os.path.realpath(os.path.dirname(path)), "")
    path = real + os.path.basename(path)
    target = Path(str(tree) + path)
    if os.path.lexists(target) or not os.path.lexists(path):
        return
    if os.path.isdir(path) and not os.path.islink(path):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy2(path, target, follow_symlinks=False)
    except PermissionError:
        return  # what an ordinary user may not read, he does not need
    if os.path.islink(path):
        _copy(os.path.join(real, os.readlink(path)), tree)


def _libraries(binary):
    text = _output(["ldd", str(binary)])
    return re.findall(r"(/\S+) \(0x", text)


def _stage_root(tree, names):
    for d in DIRECTORIES:
        (tree / d).mkdir(parents=True, exist_ok=True)
    for d in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / d).mkdir(parents=True, exist_ok=True)
        (tree / d).symlink_to("usr/" + d)
    files = _output(["dpkg", "-L", *names]).splitlines()
    for path in files:
        if path.startswith("/") and not LEFT_OUT.search(path):
            _copy(path, tree)
    for name in ("vim", "awk", "pager"):  # update-alternatives(1)
        _copy("/usr/bin/" + name, tree)
    for path in _libraries(harness.BUILD / "sess"):
        _copy(path, tree)
    for name, text in FILES.items():
        (tree / name).write_text(text)


def root_image():
    names = _packages()
    key = hashlib.sha256(
        repr((sorted(names.items()), FILES, LEFT_OUT.pattern)).encode()
        + "".join(_libraries(harness.BUILD / "sess")).encode()
    ).hexdigest()[:16]
    image = _cache() / f"root-{key}.img"
    if image.exists():
        return image
    for old in _cache().glob("root-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=_cache()) as tmp:
        tree = Path(tmp) / "root"
        tree.mkdir()
        _stage_root(tree, sorted(names))
        size = int(_output(["du", "-sm", str(tree)]).split()[0])
        _make_ext4(tree, Path(tmp) / "root.img", size * 5 // 4 + 32)
        os.rename(Path(tmp) / "root.img", image)
    return image


def make_disk(path, files=None):
    """The disk that stays: homes, sess; FILES go to both homes."""
    with tempfile.TemporaryDirectory(dir=path.parent) as tmp:
        tree = Path(tmp)
        for d in ("bin", "home/user", "root"):
            (tree / d).mkdir(parents=True)
        shutil.copy2(harness.BUILD / "sess", tree / "bin/sess")
        (tree / "bin/sess").chmod(0o755)
        for name, text in (files or {}).items():
            (tree / "home/user" / name).write_text(text)
            (tree / "root" / name).write_text(text)
        tree.chmod(0o755)
        _make_ext4(tree, path, 256)


# --- the machine ------------------------------------------------------------


class Machine:
    """One computer with one disk; boot() and power_off() as often as wanted."""

    def __init__(self, top):
        self.top, self.qemu, self.console = top, None, None
        self.disk = top / "disk.img"
        self.log = open(top / "console.log", "wb")
        self.qemu_path = shutil.which("qemu-system-x86_64")
        if self.qemu_path is None:
            raise Unavailable("no qemu-system-x86_64 (qemu-system-x86)")

    def boot(self, series):
        """Until the shell on the console is there."""
        assert self.qemu is None
        where = kernel(series)
        initramfs = self.top / f"initramfs-{series}"
        if not initramfs.exists():
            initramfs.write_bytes(_initramfs(where))
        drive = "format=raw,if=virtio,file="
        ours, theirs = socket.socketpair()
        self.qemu = subprocess.Popen(
            [self.qemu_path]
            + f"-accel {os.environ.get('SESS_REBOOT_ACCEL', 'tcg')} -cpu max "
            "-smp 1 -m 512 -nodefaults -no-user-config -no-reboot "
            "-display none -serial chardev:console".split()
            + ["-chardev", f"socket,id=console,fd={theirs.fileno()}"]
            + ["-kernel", str(where / "vmlinuz"), "-initrd", str(initramfs)]
            + ["-append", "console=ttyS0 quiet panic=-1 mitigations=off"]
            + ["-drive", drive + str(root_image()) + ",readonly=on"]
            + ["-drive", drive + str(self.disk)],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.console = fdpexpect.fdspawn(ours.detach(), logfile=self.log)
        self.console.delaybeforesend = None
        self._expect("@@ready@@\r\n")
        if self.run("root", "stat -c %u /home/user").strip() == "0":
            self.run("root", "chown -R user:user /home/user")

    def _expect(self, what, timeout=BOOT_S):
        try:
            self.console.expect(what, timeout * harness.PATIENCE)
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            said = (self.console.before or b"")[-3000:]
            raise AssertionError(
                f"{type(e).__name__} before {what!r}: "
                + said.decode(errors="replace")
            ) from None

    def send(self, text):
        self.console.send(text)

    def expect(self, what, timeout=COMMAND_S):
        self._expect(what, timeout)

    def type(self, user, command):
        """A command that takes the console for itself."""
        self.send(f"as {user} '{command}'; echo @@$?@@\n")
        self._expect("@@begin@@\r\n")

    def typed(self):
        """Its exit status."""
        self._expect(rb"@@(\d+)@@\r\n", COMMAND_S)
        return int(self.console.match[1])

    def status(self, user, command):
        """Run COMMAND, which holds no ', as USER: status and output."""
        self.type(user, f"exec 2>&1 </dev/null; {command}")
        status = self.typed()
        return status, self.console.before.decode().replace("\r\n", "\n")

    def run(self, user, command):
        """Its output; it must succeed."""
        status, out = self.status(user, command)
        assert status == 0, f"{command}: status {status}: {out}"
        return out

    def power_off(self):
        """As a user does it: everything ends in order."""
        self.send("exit\n")
        self._expect(pexpect.EOF)
        self._end()

    def power_loss(self):
        """The plug is pulled."""
        self.qemu.kill()
        self._end()

    def _end(self):
        self.qemu.wait(BOOT_S)
        self.console.close()
        self.qemu = self.console = None

    def close(self):
        if self.qemu is not None:
            self.power_loss()
        self.log.close()
