"""The words of the command line are the same everywhere: `sess -h`, the
manual page and the completions know the same commands and modifiers."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WORD = re.compile(r"(?<![\w-])-([A-Za-z][a-z-]*)\b")


def manual():
    text = (ROOT / "man" / "sess.1").read_text()
    words = set()
    for line in text.splitlines():
        if not line.startswith(".") or line.startswith('.\\"'):
            continue
        cells = line.lstrip(".").split()
        for i, cell in enumerate(cells[:-1]):
            if cell == "Fl":
                words.update(WORD.findall("-" + cells[i + 1]))
    return words


def main():
    binary, bad = sys.argv[1], []
    r = subprocess.run([binary, "-h"], capture_output=True, text=True)
    if r.returncode != 0:
        print(f"{binary} -h: status {r.returncode}")
        return 1
    known = set(WORD.findall(r.stdout))
    places = {"man/sess.1": manual()}
    for name in ("sess.bash", "_sess", "sess.fish"):
        text = (ROOT / "completions" / name).read_text()
        table = text.partition("# words begin")[2].partition("# words end")[0]
        if name == "sess.fish":
            words = set(re.findall(r"-o ([a-z-]+)|-s ([A-Za-z])\b", table))
            places[f"completions/{name}"] = {a or b for a, b in words}
        else:
            places[f"completions/{name}"] = set(WORD.findall(table))
    for place, words in places.items():
        for word in sorted(known - words):
            bad.append(f"{place}: does not know -{word}")
        for word in sorted(words - known):
            bad.append(f"{place}: -{word} is not in sess -h")
    print("\n".join(bad) or f"words: {len(known)}, the same in every place")
    return 1 if bad else 0


sys.exit(main())
