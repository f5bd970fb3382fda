"""What the tests share: users, sessions, terminals, processes.

Nothing here sleeps a guess: everything waits for an event, with a limit
after which the test fails and says what it saw.
"""

import errno
import fcntl
import os
import pwd
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("SESS_BUILD", "build")
FAULT_BUILD = ROOT / "build-fault"
TEST_USER = "sesstest"

# Machines under sanitizers or emulation may ask for more patience.
PATIENCE = float(os.environ.get("SESS_TEST_PATIENCE", "1"))


def wait_until(predicate, timeout=15, what=None, every=0.01):
    """Wait until PREDICATE() is true and return its value.

    WHAT (text or function) explains the state when it never becomes true.
    """
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {timeout} s: {text or predicate}")
        time.sleep(every)


class User:
    """Who runs the program under test."""

    def __init__(self, name):
        p = pwd.getpwnam(name)
        self.name, self.uid, self.gid = name, p.pw_uid, p.pw_gid
        self.groups = os.getgrouplist(name, p.pw_gid)
        self.is_root = self.uid == 0

    def become(self):
        """In a child: give up what the harness has and this user has not."""
        if os.geteuid() == 0 and self.uid != 0:
            os.setgroups(self.groups)
            os.setgid(self.gid)
            os.setuid(self.uid)

    def own(self, path):
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def __repr__(self):
        return self.name


# --- processes --------------------------------------------------------------


def _pids():
    return [int(n) for n in os.listdir("/proc") if n.isdigit()]


def _read(pid, name):
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def state(pid):
    """One letter of proc_pid_stat(5), or None when PID is gone."""
    data = _read(pid, "stat")
    return chr(data[data.rindex(b")") + 2]) if data else None


def parent(pid):
    data = _read(pid, "stat")
    return int(data[data.rindex(b")") + 2 :].split()[1]) if data else None


def command(pid):
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")


def comm(pid):
    return _read(pid, "comm").decode(errors="replace").rstrip("\n")


def _pid_ns(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def descendants(pid):
    """All living processes below PID, parents first."""
    below = {}
    for p in _pids():
        below.setdefault(parent(p), []).append(p)
    found, todo = [], [pid]
    while todo:
        for child in below.get(todo.pop(0), []):
            if state(child) not in (None, "Z"):
                found.append(child)
            todo.append(child)
    return found


def processes_of(sess_dir):
    """Every process that belongs to a SESS_DIR: those that carry it in their
    environment, all below them, and all of their pid namespaces."""
    mark = b"SESS_DIR=" + os.fsencode(str(sess_dir))
    spare, p = {os.getpid()}, os.getpid()
    while p and p > 1:
        p = parent(p)
        spare.add(p)
    found = {
        p
        for p in _pids()
        if p not in spare and mark in _read(p, "environ").split(b"\0")
    }
    for p in list(found):
        found.update(descendants(p))
    spaces = {_pid_ns(p) for p in found} - {_pid_ns("self"), None}
    if spaces:
        found.update(p for p in _pids() if _pid_ns(p) in spaces)
    return {p for p in found - spare if state(p) not in (None, "Z")}


def is_over(pid):
    """Gone, or a zombie: its files are closed. Its environment is lost before
    that, so that it is no longer found while it still holds its locks."""
    return state(pid) in (None, "Z", "X")


def end_processes(sess_dir):
    """SIGKILL all of them, by pid, until none is left."""
    killed = set()

    def none_left():
        left = processes_of(sess_dir)
        killed.update(left)
        for p in left:
            try:
                os.kill(p, signal.SIGKILL)
            except OSError as e:
                if e.errno not in (errno.ESRCH, errno.EPERM):
                    raise
        return not left and all(is_over(p) for p in killed)

    wait_until(
        none_left,
        20,
        lambda: [(p, state(p), command(p)) for p in processes_of(sess_dir)],
        every=0.02,
    )


def signal_pid(pid, sig):
    os.kill(int(pid), sig)


# --- a terminal -------------------------------------------------------------


class _Screen(pyte.Screen):
    """Answers queries as a terminal does."""

    reply = None

    def select_graphic_rendition(self, *attrs, private=False):
        """CSI > ... m and CSI ? ... m are about keys, not about colours."""
        if not private:
            super().select_graphic_rendition(*attrs)

    def write_process_input(self, data):
        if self.reply:
            self.reply(data.encode())


class Terminal:
    """A program on a pty of its own, seen through a terminal emulator.

    The slave belongs to USER, as after a login. `raw` is every byte that
    came, `lines` the screen as rows of text.
    """

    def __init__(self, argv, env, user, rows=24, cols=80, cwd=None):
        self.rows, self.cols, self.raw = rows, cols, b""
        self.screen = _Screen(cols, rows)
        self.screen.reply = self._reply
        self._stream = pyte.ByteStream(self.screen)
        self.master, slave = os.openpty()
        os.set_blocking(self.master, False)
        self.tty = os.ttyname(slave)
        self._set_size(rows, cols)
        user.own(self.tty)
        self.modes_before = termios.tcgetattr(slave)

        def child():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            user.become()

        self.proc = subprocess.Popen(
            [str(a) for a in argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            cwd=cwd,
            preexec_fn=child,
        )
        self.pid = self.proc.pid
        self._slave = slave  # kept: modes can be asked for after the end

    def _reply(self, data):
        try:
            os.write(self.master, data)
        except OSError:
            pass

    def _set_size(self, rows, cols):
        size = struct.pack("HHHH", rows, cols, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def resize(self, rows, cols):
        self.rows, self.cols = rows, cols
        self._set_size(rows, cols)
        self.screen.resize(rows, cols)

    def modes(self):
        """termios of the terminal itself."""
        return termios.tcgetattr(self._slave)

    def pump(self, timeout=0.0):
        """Take what has come. False when nothing did."""
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        end = time.monotonic() + 15 * PATIENCE
        while data:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                if time.monotonic() > end:
                    raise AssertionError("the terminal takes no input")
                self.pump(0.01)

    def line(self, text):
        self.send(text + "\r")

    @property
    def lines(self):
        while self.pump():
            pass
        return [row.rstrip() for row in self.screen.display]

    @property
    def text(self):
        return "\n".join(self.lines).rstrip("\n") + "\n"

    def wait(self, what, timeout=15):
        """Until text, or what a function of the terminal says, is there."""
        wanted = what if callable(what) else lambda t: what in t.text

        def seen():
            self.pump(0.02)
            return wanted(self)

        return wait_until(
            seen, timeout, lambda: f"{what!r} on the screen:\n{self.text}", 0
        )

    def wait_raw(self, data, timeout=15):
        """Until the bytes have come since the terminal began."""

        def seen():
            self.pump(0.02)
            return data in self.raw

        wait_until(
            seen, timeout, lambda: f"{data!r} in ...{self.raw[-400:]!r}", 0
        )

    def wait_exit(self, timeout=15):
        """Until the program has ended; its exit status, -N for signal N."""

        def ended():
            self.pump(0.02)
            return self.proc.poll() is not None

        wait_until(ended, timeout, lambda: f"still runs:\n{self.text}", 0)
        while self.pump():
            pass
        return self.proc.returncode

    def detach(self, key=b"\x1c"):
        self.send(key)
        status = self.wait_exit()
        assert status == 0, f"detach gave {status}:\n{self.text}"

    def close(self):
        """Hang up, as when the terminal's window is closed."""
        for fd in ("_slave", "master"):
            if getattr(self, fd) >= 0:
                os.close(getattr(self, fd))
                setattr(self, fd, -1)
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


# --- sess -------------------------------------------------------------------


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"status {self.status}, out {self.out!r}, err {self.err!r}"


class Sess:
    """The built program, run by one user in one SESS_DIR."""

    def __init__(self, binary, user, sess_dir, work_dir, bin_dir):
        self.binary, self.user = str(binary), user
        self.dir, self.work = sess_dir, work_dir
        self.bin = bin_dir
        self.terminals = []
        self.env = {
            "PATH": f"{bin_dir}:/usr/local/sbin:/usr/local/bin:"
            "/usr/sbin:/usr/bin:/sbin:/bin:/usr/games",
            "HOME": str(work_dir),
            "USER": user.name,
            "LOGNAME": user.name,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "SESS_DIR": str(sess_dir),
        }
        # A server under sanitizers has no terminal to complain on.
        log = f"log_path={work_dir}/sanitizer:print_stacktrace=1"
        self.env["ASAN_OPTIONS"] = self.env["UBSAN_OPTIONS"] = log

    def _env(self, more):
        env = dict(self.env)
        for key, value in (more or {}).items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    def command(self, argv, input=None, timeout=60, env=None, cwd=None):
        """Run any program as this user."""
        p = subprocess.Popen(
            [str(a) for a in argv],
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._env(env),
            cwd=cwd or self.work,
            preexec_fn=self.user.become,
            start_new_session=True,
        )
        try:
            out, err = p.communicate(input, timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            raise AssertionError(f"{argv} hangs: {out!r} {err!r}")
        return Result(
            p.returncode,
            out.decode(errors="replace"),
            err.decode(errors="replace"),
        )

    def run(self, *args, **how):
        return self.command([self.binary, *args], **how)

    def ok(self, *args, **how):
        """Its output; it must succeed."""
        r = self.run(*args, **how)
        assert r.status == 0, f"sess {' '.join(map(str, args))}: {r}"
        return r.out

    def fails(self, *args, **how):
        """The one line it must complain with."""
        r = self.run(*args, **how)
        assert r.status > 0, f"sess {' '.join(map(str, args))}: {r}"
        assert r.err.count("\n") == 1 and r.err.endswith("\n"), r
        return r.err

    def begin(self, *args, **how):
        """`sess ARGS` without a terminal, not waited for: a Popen, which
        the rest is for."""
        return subprocess.Popen(
            [self.binary, *map(str, args)],
            env=self.env,
            cwd=self.work,
            preexec_fn=self.user.become,
            **how,
        )

    def at_once(self, n, *args):
        """The results of `sess ARGS`, run N times at the same time."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running = [self.begin(*args, text=True, **pipes) for _ in range(n)]
        said = [p.communicate(timeout=30 * PATIENCE) for p in running]
        return [
            Result(p.returncode, out, err)
            for p, (out, err) in zip(running, said)
        ]

    def make_places(self):
        """The directories that every command but the list makes."""
        self.fails("-pid", "nobody")

    def terminal(self, *args, rows=24, cols=80, env=None, cwd=None):
        """`sess ARGS` on a terminal."""
        return self.program(
            [self.binary, *args], rows=rows, cols=cols, env=env, cwd=cwd
        )

    def program(self, argv, rows=24, cols=80, env=None, cwd=None):
        """Any program on a terminal, as this user."""
        t = Terminal(
            argv, self._env(env), self.user, rows, cols, cwd or self.work
        )
        self.terminals.append(t)
        return t

    def pid(self, name):
        """The session's first process, as the harness sees it."""
        return int(self.ok("-pid", name).strip())

    def processes(self):
        return processes_of(self.dir)

    def close(self):
        for t in self.terminals:
            t.close()
        end_processes(self.dir)
        for log in sorted(self.work.glob("sanitizer.*")):
            raise AssertionError(f"{log.name}:\n{log.read_text()[:8000]}")
