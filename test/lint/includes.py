"""Includes point one way: base <- tracee <- reptyr, ckpt; base <- screen;
everything else on top of those; nobody includes main; no header cycles."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)

# The screen is a layer of its own in the top folder.
SCREEN = {"screen", "screen_paint", "screen_state", "modes", "modes_scan",
          "modes_state", "modes_text", "paint",
          "scrollback", "skip"}

# What a file of each layer may include besides its own. "." is the rest of
# the top folder: main, server, client, session and so on.
BELOW = {
    "base": set(),
    "tracee": {"base"},
    "reptyr": {"base", "tracee"},
    "ckpt": {"base", "tracee"},
    "screen": {"base"},
    ".": {"base", "tracee", "reptyr", "ckpt", "screen"},
}


def layer(path):
    top = path.split("/")[0]
    if "/" not in path:
        return "screen" if re.split("[._]", path)[0] in SCREEN else "."
    return top


def files():
    for folder in (".", "base", "tracee", "reptyr", "ckpt"):
        for f in sorted((ROOT / folder).glob("*.[ch]")):
            name = str(f.relative_to(ROOT))
            if name != "config.h":
                yield name, INCLUDE.findall(f.read_text())


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
