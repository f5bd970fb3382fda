"""Includes point one way. Each folder has a list of the folders below it;
server.c, client.c and pty.c of the top belong to the folder of their name, main.c
to none: it lies on top. No header cycles."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)

# What a file of each room may include besides its own.
BELOW = {
    "base": set(),
    "pty": {"base"},
    "tracee": {"base"},
    "ckpt": {"base", "tracee"},
    "screen": {"base"},
    "session": {"base"},
    "server": {"base", "pty", "tracee", "ckpt", "screen", "session"},
    "client": {"base", "pty", "session"},
}
BELOW["cmd"] = BELOW["server"] | {"server", "client"}
BELOW["main"] = BELOW["cmd"] | {"cmd"}


def layer(path):
    return re.split("[./]", path)[0]


def files():
    for f in sorted(ROOT.glob("*.[ch]")):
        if f.name not in ("config.h", "config.def.h"):
            yield f.name, INCLUDE.findall(f.read_text())
    for room in BELOW:
        for f in sorted((ROOT / room).rglob("*.[ch]")):
            yield str(f.relative_to(ROOT)), INCLUDE.findall(f.read_text())


def cycles(graph):
    done, path = set(), []

    def walk(name):
        if name in path:
            return path[path.index(name) :] + [name]
        if name in done:
            return None
        path.append(name)
        for next_name in graph.get(name, []):
            found = walk(next_name)
            if found:
                return found
        path.pop()
        done.add(name)
        return None

    for name in graph:
        found = walk(name)
        if found:
            return found
    return None


def main():
    bad, graph = [], dict(files())
    for name, included in graph.items():
        own = layer(name)
        for target in included:
            if target in ("config.h", "sess.pb-c.h"):
                continue  # the user's numbers; the records of the top
            if target == "main.h":
                bad.append(f"{name}: includes main.h")
            their = layer(target)
            if their != own and their not in BELOW.get(own, set()):
                bad.append(f"{name}: includes {target}, which lies above it")
            generated = target.endswith(".pb-c.h")
            if not generated and not (ROOT / target).exists():
                bad.append(f"{name}: {target} is not a path from the root")
    found = cycles({n: i for n, i in graph.items() if n.endswith(".h")})
    if found:
        bad.append("headers in a circle: " + " -> ".join(found))
    print("\n".join(bad) or f"includes: {len(graph)} files point one way")
    return 1 if bad else 0


sys.exit(main())
