"""sess and the programs beside it, each with its way to create a session, to
attach to it, to list and to end them. What is not installed is left out."""

import os
import shutil
import signal
import subprocess

import harness


class Rival:
    """One of them, in a directory of its own."""

    name = None

    def __init__(self, top, env):
        self.top, self.env = top / self.name, dict(env, RIVAL=self.name)
        self.top.mkdir(mode=0o700)
        self.program = shutil.which(self.name)

    def run(self, *argv):
        p = subprocess.run(
            [str(a) for a in argv],
            env=self.env,
            cwd=self.top,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if p.returncode != 0 and "No Sockets" not in p.stdout:
            raise SystemExit(f"{argv}: {p.stdout}")
        return p.stdout

    def servers(self):
        """Processes that keep sessions."""
        mine = f"RIVAL={self.name}".encode()
        return [
            pid
            for pid in (int(p) for p in os.listdir("/proc") if p.isdigit())
            if harness._read(pid, "comm").split(b":")[0].strip()
            == self.name.encode()
            and mine in harness._read(pid, "environ").split(b"\0")
        ]

    def end(self):
        for pid in self.servers():
            os.kill(pid, signal.SIGKILL)


class Sess(Rival):
    name = "sess"

    def __init__(self, top, env, binary):
        super().__init__(top, env)
        self.program = str(binary)
        self.env["SESS_DIR"] = str(self.top)

    def start(self, name, *cmd):
        """A session, attached."""
        return [self.program, "-E", "-c", name, *cmd]

    def create(self, name, *cmd):
        """A session, detached."""
        return [self.program, "-n", name, *cmd]

    def attach(self, name):
        return [self.program, "-a", name]

    def listing(self):
        return [self.program]

    def servers(self):
        return [
            harness.parent(int(self.run(self.program, "-pid", n)))
            for n in self.run(self.program, "-q").split()
        ]

    def end(self):
        names = self.run(self.program, "-q")
        subprocess.run(
            ["xargs", "-r", "-P", "8", "-n", "1", self.program, "-k"],
            input=names, text=True, env=self.env, check=True,
        )


class Dtach(Rival):
    name = "dtach"

    def _socket(self, name):
        return str(self.top / name)

    def start(self, name, *cmd):
        return [self.program, "-c", self._socket(name), "-E", *cmd]

    def create(self, name, *cmd):
        return [self.program, "-n", self._socket(name), *cmd]

    def attach(self, name):
        return [self.program, "-a", self._socket(name)]

    def listing(self):
        return None  # it keeps none


class Screen(Rival):
    name = "screen"

    def __init__(self, top, env):
        super().__init__(top, env)
        self.env["SCREENDIR"] = str(self.top)
        self.rc = self.top.with_name("screenrc")
        self.rc.write_text("startup_message off\n")

    def start(self, name, *cmd):
        return [self.program, "-c", self.rc, "-S", name, *cmd]

    def create(self, name, *cmd):
        return [self.program, "-c", self.rc, "-dmS", name, *cmd]

    def attach(self, name):
        return [self.program, "-x", name]

    def listing(self):
        return [self.program, "-ls"]


class Tmux(Rival):
    name = "tmux"

    def __init__(self, top, env):
        super().__init__(top, env)
        self.socket = str(self.top / "socket")

    def _tmux(self, *words):
        return [self.program, "-f", "/dev/null", "-S", self.socket, *words]

    def start(self, name, *cmd):
        return self._tmux("new-session", "-s", name, *cmd)

    def create(self, name, *cmd):
        return self._tmux("new-session", "-d", "-s", name, *cmd)

    def attach(self, name):
        return self._tmux("attach", "-t", name)

    def listing(self):
        return self._tmux("ls")


def rivals(top, env, binary):
    """Those that are here; a line for each that is not."""
    found = [Sess(top, env, binary)]
    for kind in (Dtach, Screen, Tmux):
        if shutil.which(kind.name):
            found.append(kind(top, env))
        else:
            print(f"{kind.name} is not installed and left out: apt-get install {kind.name}")
    return found
