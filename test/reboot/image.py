"""What the machines of machine.py are made of: kernels and a root file system
from Debian's packages, and a disk that stays.

What takes long to make is kept below $XDG_CACHE_HOME/sess-reboot (else
/var/tmp/sess-reboot-UID) and made again when it is missing or when the
packages have changed. Runs beside each other share it.
"""

import contextlib
import fcntl
import glob
import hashlib
import lzma
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import harness

# What runs in the machine; what they depend on comes along. What is not
# installed here is downloaded and unpacked, not installed.
PACKAGES = (
    "bash coreutils dash dbus dvtm fzf grep less libc-bin libpam-systemd "
    "libpython3-stdlib login make ncurses-base procps python3-minimal sed "
    "systemd tmux udev util-linux vim"
).split()
# Dependencies of what is done at installation, not later.
NOT_NEEDED = re.compile(
    r"adduser|cdebconf|debconf|dpkg|gcc-12-base|init-system-helpers|"
    r"install-info|libsemanage.*|perl.*|tar|usr-is-merged|usrmerge"
)
# Not needed to run, and most of the size.
LEFT_OUT = re.compile(
    r"/usr/(share/(doc|locale|man|info|lintian|bug|i18n|zoneinfo|perl|"
    r"bash-completion|zsh|"
    r"vim/vim90/(doc|spell|lang|tutor|syntax|pack|ftplugin|indent|compiler|"
    r"autoload|keymap|colors|macros|print|tools|import))/"
    r"|lib/(udev/hwdb.d|systemd/boot)/|lib/python3[^/]*/(test|"
    r"idlelib|ensurepip|tkinter|lib2to3|pydoc_data)/"
    r"|lib/x86_64-linux-gnu/(gconv|perl)/)"
)
# Kernel packages by the series a test asks for; the newest of each is taken.
SERIES = {"6.1": r"6\.1\.0-\d+-cloud-amd64", "6.12": r"6\.12\..*-cloud-amd64"}
# The way to the disks, in the order of loading; some kernels have them built
# in. Then what a system with kmod(8) loads when it is asked for.
MODULES = (
    "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev "
    "virtio_pci virtio_blk unix_diag inet_diag tcp_diag evdev button"
).split()
DIRECTORIES = "dev disk etc home proc root run sys tmp var/tmp".split()
DOWNLOAD_S = 240
KEPT_S = 7 * 24 * 3600


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


@contextlib.contextmanager
def _making():
    """The cache, locked: one makes, the others wait and then find it there."""
    top = _cache()
    with open(top / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(dir=top) as tmp:
            yield top, Path(tmp)


def _output(argv, **how):
    return subprocess.run(
        argv, check=True, stdout=subprocess.PIPE, text=True, **how
    ).stdout


# --- packages ---------------------------------------------------------------


def _apt(tool, *args, **how):
    """An apt of the lists here; on a machine without any, of its own."""
    lists = _cache() / "lists"
    own = [
        "-o",
        f"Dir::State::Lists={lists}/",
        "-o",
        f"Dir::Cache={_cache()}/",
        "-o",
        "Acquire::Languages=none",
    ]
    return [tool, "-q", *(own if lists.exists() else []), *args]


def _download(names, into):
    """The packages NAMES, as files in INTO."""
    try:
        subprocess.run(
            _apt("apt-get", "download", *names),
            cwd=into,
            check=True,
            timeout=DOWNLOAD_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as e:
        raise Unavailable(f"{' '.join(names)} cannot be downloaded: {e}")
    return sorted(glob.glob(f"{into}/*.deb"))


def _known_kernels(series):
    """Names of packages."""
    try:
        names = _output(_apt("apt-cache", "pkgnames", "linux-image-"))
    except (OSError, subprocess.CalledProcessError):
        raise Unavailable("no apt here")
    pattern = "linux-image-" + SERIES[series]
    return [n for n in names.split() if re.fullmatch(pattern, n)]


def _update(series):
    """The same, with lists of our own: this machine keeps none."""
    lists = _cache() / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            _apt("apt-get", "update"),
            timeout=DOWNLOAD_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        names = _known_kernels(series)
    except (OSError, subprocess.TimeoutExpired):
        names = []
    if not names:
        shutil.rmtree(lists)
        raise Unavailable(f"apt knows no kernel {series}")
    return names


def _names(depends, known):
    """One name KNOWN for each dependency in a field of a package."""
    for choice in filter(None, (c.strip() for c in depends.split(","))):
        names = [re.split(r"[ :(]", c.strip())[0] for c in choice.split("|")]
        yield next((n for n in names if n in known), names[0])


def _installed():
    """{name: (version, depends)} and {what is provided: name}."""
    fields = (
        "${Package}\t${db:Status-Abbrev}\t${Version}\t${Provides}\t"
        "${Pre-Depends},${Depends}\n"
    )
    known, provided = {}, {}
    for line in _output(["dpkg-query", "-W", "-f", fields]).splitlines():
        name, state, version, provides, depends = line.split("\t")
        if not state.startswith("ii"):
            continue
        known[name] = (version, depends)
        for p in re.findall(r"[a-z0-9][a-z0-9.+-]+", provides):
            provided.setdefault(p, name)
    return known, provided


def _not_installed(name):
    """The same two fields, of what apt would fetch."""
    text = _output(
        _apt("apt-cache", "show", "--no-all-versions", name),
        stderr=subprocess.DEVNULL,
    )
    fields = dict(re.findall(r"^([\w-]+): (.*)$", text, re.M))
    depends = (fields.get("Pre-Depends", ""), fields.get("Depends", ""))
    return fields["Version"], ",".join(depends)


def _packages():
    """PACKAGES and all they need, {name: version}: what is installed here,
    and what is not."""
    known, provided = _installed()
    here, missing, todo = {}, {}, list(PACKAGES)
    while todo:
        name = todo.pop()
        if name not in known:
            name = provided.get(name, name)
        if name in here or name in missing or NOT_NEEDED.fullmatch(name):
            continue
        try:
            found = known.get(name) or _not_installed(name)
        except (OSError, KeyError, subprocess.CalledProcessError):
            raise Unavailable(f"{name} is not installed, nor known to apt")
        (here if name in known else missing)[name] = found[0]
        todo += _names(found[1], {**known, **provided})
    return here, missing


# --- kernels ----------------------------------------------------------------


def _version(text):
    return [int(n) for n in re.findall(r"\d+", text)]


def _keep_kernel(tree, new):
    """Of the package: the kernel, and the modules that init loads."""
    new.mkdir()
    (vmlinuz,) = (tree / "boot").glob("vmlinuz-*")
    shutil.copy(vmlinuz, new / "vmlinuz")
    for i, name in enumerate(MODULES):
        for ko in (tree / "lib/modules").rglob(name + ".ko*"):
            data = ko.read_bytes()
            if ko.suffix == ".xz":
                data = lzma.decompress(data)
            (new / f"{i:02}-{name}.ko").write_bytes(data)


def kernel(series):
    """The directory of a kernel: vmlinuz and its modules."""
    key = hashlib.sha256(repr(MODULES).encode()).hexdigest()[:8]
    with _making() as (top, tmp):
        into = top / f"kernel-{series}-{key}"
        if not into.exists():
            names = _known_kernels(series) or _update(series)
            (deb,) = _download([max(names, key=_version)], tmp)
            subprocess.run(["dpkg", "-x", deb, tmp / "x"], check=True)
            _keep_kernel(tmp / "x", tmp / "kernel")
            os.rename(tmp / "kernel", into)
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


def initramfs(kernel_dir):
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


def _copy(path, tree, source=""):
    """PATH below SOURCE to the same place in TREE; links stay links. There is
    one /usr in TREE, whatever the package says."""
    real = os.path.join(os.path.realpath(os.path.dirname(path)), "")
    path = real + os.path.basename(path)
    target = Path(str(tree) + path)
    path = source + path
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
        _copy(os.path.join(real, os.readlink(path)), tree, source)


def _unpack(debs, tree, tmp):
    for n, deb in enumerate(debs):
        top = tmp / f"deb-{n}"
        subprocess.run(["dpkg", "-x", deb, top], check=True)
        for path in top.rglob("*"):
            inside = "/" + str(path.relative_to(top))
            inside = re.sub(r"^/(s?bin|lib|lib64)/", r"/usr/\1/", inside)
            if not LEFT_OUT.search(inside) and not path.is_dir():
                target = Path(str(tree) + inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target, follow_symlinks=False)


def _libraries(binary):
    text = _output(["ldd", str(binary)])
    return re.findall(r"(/\S+) \(0x", text)


def _stage_root(tree, names, files):
    for d in DIRECTORIES:
        (tree / d).mkdir(parents=True, exist_ok=True)
    for d in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / d).mkdir(parents=True, exist_ok=True)
        (tree / d).symlink_to("usr/" + d)
    paths = _output(["dpkg", "-L", *names]).splitlines()
    for path in paths:
        if path.startswith("/") and not LEFT_OUT.search(path):
            _copy(path, tree)
    for name in ("vim", "awk", "pager"):  # update-alternatives(1)
        _copy("/usr/bin/" + name, tree)
    for path in _libraries(harness.BUILD / "sess"):
        _copy(path, tree)
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def _forget(top, now):
    """Roots that no run has used for days."""
    for old in top.glob("root-*.img"):
        if now - old.stat().st_mtime > KEPT_S:
            old.unlink()


def root_image(files):
    """A root file system, with FILES ({path: text}) in it. Never written to."""
    libraries = "".join(_libraries(harness.BUILD / "sess"))
    with _making() as (top, tmp):
        here, missing = _packages()
        what = (sorted(here.items()), sorted(missing.items()), files)
        how = (LEFT_OUT.pattern, DIRECTORIES, libraries)
        key = hashlib.sha256(repr((what, how)).encode()).hexdigest()[:16]
        image = top / f"root-{key}.img"
        if not image.exists():
            debs = _download(sorted(missing), tmp) if missing else []
            tree = tmp / "root"
            _stage_root(tree, sorted(here), files)
            _unpack(debs, tree, tmp)
            size = int(_output(["du", "-sm", str(tree)]).split()[0])
            _make_ext4(tree, tmp / "root.img", size * 5 // 4 + 32)
            os.rename(tmp / "root.img", image)
        os.utime(image)
        _forget(top, time.time())
    return image


def _install(tree):
    """What make install leaves, in TREE/install."""
    subprocess.run(
        ["make", "-s", "-o", "all", "install", "PREFIX=/usr/local"]
        + [f"BUILD={harness.BUILD.name}", f"DESTDIR={tree}/install"],
        check=True,
        cwd=harness.ROOT,
        env=dict(os.environ, MAKEFLAGS=""),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def make_disk(path, users, files):
    """The disk that stays: homes, sess; FILES go to all homes."""
    with tempfile.TemporaryDirectory(dir=path.parent) as tmp:
        tree = Path(tmp)
        homes = [tree / "root", *(tree / "home" / u for u in users)]
        for d in (tree / "bin", *homes):
            d.mkdir(parents=True)
        for name in ("sess", "test/reboot/events"):
            there = tree / "bin" / os.path.basename(name)
            shutil.copy2(harness.BUILD / name, there)
            there.chmod(0o755)
        for home in homes:
            for name, text in files.items():
                (home / name).write_text(text)
        _install(tree)
        tree.chmod(0o755)
        _make_ext4(tree, path, 1024)
