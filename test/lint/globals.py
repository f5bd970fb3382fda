"""No mutable globals: the objects given hold no symbol in .data, .bss or
common. Constant tables of pointers (.data.rel.ro) are constant; what
protoc-c generated is its own."""

import subprocess
import sys

CONSTANT = (".data.rel.ro",)
MUTABLE = (".data", ".bss", ".tdata", ".tbss", "*COM*", "COMMON")


def symbols(path):
    out = subprocess.run(
        ["nm", "-f", "sysv", path], capture_output=True, text=True, check=True
    ).stdout
    for line in out.splitlines():
        cells = [c.strip() for c in line.split("|")]
        if len(cells) == 7 and cells[0] != "Name":
            yield cells[0], cells[6]


def main():
    bad = []
    objects = [o for o in sys.argv[1:] if not o.endswith(".pb-c.o")]
    for path in objects:
        for name, section in symbols(path):
            if section.startswith(CONSTANT) or not name:
                continue
            if section.startswith(MUTABLE):
                bad.append(f"{path}: {name} is mutable and global ({section})")
    print("\n".join(bad) or f"globals: none in {len(objects)} objects")
    return 1 if bad else 0


sys.exit(main())
