"""Make screen/width_table.h from what this python knows of Unicode.

    python3 screen/width.py >screen/width_table.h

Wide is East Asian Width W or F, as in Unicode's annex 11; zero are marks and
formats, and Jamo that join the one before. glibc's wcwidth(3) has the same.
"""

import unicodedata


def is_wide(c):
    planned = 0x3400 <= c <= 0x9FFF or 0x20000 <= c <= 0x3FFFD
    assigned = unicodedata.category(chr(c)) != "Cn" or planned
    return assigned and unicodedata.east_asian_width(chr(c)) in "WF"


def is_zero(c):
    return (
        unicodedata.category(chr(c)) in ("Mn", "Me", "Cf") and c != 0xAD
    ) or 0x1160 <= c <= 0x11FF


def ranges(test):
    start = None
    for c in range(0x300, 0x110001):
        inside = c < 0x110000 and test(c)
        if inside and start is None:
            start = c
        elif not inside and start is not None:
            yield start, c - 1
            start = None


def table(name, test):
    cells = [f"{{ 0x{a:x}, 0x{b:x} }}," for a, b in ranges(test)]
    lines, line = [], "\t"
    for cell in cells:
        if len(line) + len(cell) > 70:
            lines.append(line.rstrip())
            line = "\t"
        line += cell + " "
    body = "\n".join(lines + [line.rstrip()])
    return f"static const struct range {name}[] = {{\n{body}\n}};\n"


print("/* Made by width.py from Unicode", unicodedata.unidata_version + ". */")
print("/* clang-format off */")
print(table("wide", lambda c: is_wide(c) and not is_zero(c)))
print(table("zero", is_zero), end="")
