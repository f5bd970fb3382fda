"""What tmux shows before a detach and after the next attach is the same:
characters, colours, attributes, cursor, margins, modes, tab stops."""

import os
import signal

import pytest

from tmux import Tmux, difference, same_again

pytestmark = pytest.mark.one_user

CARD = r"""
for n in 1 2 3 4 5 7 8 9 21 53; do printf "\033[${n}ma$n\033[m "; done; printf '\r\n'
for n in 1 2 3 4 5; do printf "\033[4:${n}mu$n\033[m \033[4:$n;58:5:20mc$n\033[m \033[4:$n;58:2::9:99:199mC$n\033[m "; done; printf '\r\n'
for i in 0 1 2 3 4 5 6 7; do printf "\033[3${i};1m f$i \033[2;4${i}m b$i \033[m\033[9${i}m F$i \033[10${i}m B$i \033[m"; done; printf '\r\n'
for i in 16 52 88 124 160 196 231 244 255; do printf "\033[38;5;${i}m#\033[48;5;${i}m \033[m"; done; printf '\r\n'
for i in 0 50 100 150 200 250; do printf "\033[38;2;$i;$i;100m*\033[48;2;100;$i;${i}m \033[m"; done; printf '\r\n'
printf '\033[44m\033[K blue line\033[m\r\n\033[41mred \033[2X till here\033[m\r\n'
printf '\033]8;id=a;http://example.org/\033\\link\033]8;;\033\\ none \033(0lqqk x\033(B set\r\n'
printf '\033[2;8mfaint and hidden\033[22m hidden\033[28m neither\r\n'
printf 'overwritten\b\b\b\033[4hIN\033[4l\033[3@\033[1D\033[P\r\n'
printf '\033[3g\033[5G\033H\033[30G\033H\r\tA\tB\r\n'
printf '\033[20;1Hwrap: '; printf '%%074d' 7
printf '\033[10;20H\0337\033[3;15r\033[9;3H\033[31;4mpen'
"""

WIDE = (
    "山川日月火水木金土天地人一二三四五六七八九十" * 4
    + "\nｆｕｌｌｗｉｄｔｈ ½ é ü ñ e\u0301 o\u0308 a\u0302\u0323 한국어 ไทย हिन्दी\n"
    + "😀😃🚀🌍🎉" * 19
    + " tail\n👩\u200d👧 x 👍 y ❤ z ✈\ufe0f.\n"
    + "ab" * 99
    + "山\n"
)


def show(sess, name, script, rows=24, cols=80):
    """A program that waits until its terminal is there: what it writes then
    reaches it as it is, and is not painted."""
    script = "stty -echo; printf ready; read go; " + script
    t = Tmux(sess, [sess.binary, "-c", name, "sh", "-c", script], rows, cols)
    t.wait("ready")
    t.keys("Enter")
    return t


def show_text(sess, name, text, **size):
    """One that prints TEXT, and more after the next line."""
    path = sess.work / f"{name}.txt"
    path.write_text("\r" + text)
    sess.user.own(path)
    return show(sess, name, f"stty -opost; cat {path}; read x; "
                            "printf '\\r\\nnext'; cat", **size)


def test_a_card_of_all_attributes(sess):
    path = sess.work / "card"
    path.write_text(CARD.replace("%%", "%"))
    sess.user.own(path)
    t = show(sess, "card", f". {path}; read x; printf 'more\\0338saved'; cat")
    t.wait("pen")
    t = same_again(sess, t, "card")
    t.keys("Enter")
    t.wait("saved")  # with the pen that was left, at the place that was saved
    same_again(sess, t, "card").close()


@pytest.mark.parametrize("cols", [80, 200, 61])
def test_wide_and_combining_characters(sess, cols):
    t = show_text(sess, "wide", WIDE.replace("\n", "\r\n"), cols=cols)
    t.wait("ab")
    same_again(sess, t, "wide", cols=cols).close()


@pytest.mark.parametrize(
    "end",
    ["0" * 80, "0" * 79, "0" * 78 + "山", "0" * 80 + "\033[31m", "\033[24;80HX",
     "\033[5;10r\033[?6h\033[3;80HX", "\033[?7l" + "0" * 90, "\033[4h\033[5Gx",
     "\033[?1049h\033[5;5Halt\0337\033[7m", "\033[?47hold\033[3;3H",
     "\033)0\016lqk", "\033(0x\0337\033(B", "\033[?25l\033[?1000h\033[?1006h",
     "\033[?1h\033=\033[?1003h", "\033[44m\033[2J\033[5;5Hx", "\033[2;3r\033[3;1H"],
    ids=repr,
)
def test_states_that_a_program_leaves(sess, end):
    t = show_text(sess, "state", "first line\r\n" + end)
    t.wait(lambda t: t.text().strip("ready\n"))
    t = same_again(sess, t, "state")
    t.keys("Enter")  # what comes next goes where it would have gone
    t = same_again(sess, t, "state")
    t.close()


PROGRAMS = {
    "bash": (["bash", "--norc"], "$"),
    "less": (["less", "/etc/services"], "/etc/services"),
    "vim": (["vim", "-u", "NONE", "-c", "syntax on|set nu hls ruler mouse=a",
             "-c", "set nows | /bin", "/etc/passwd"], "root:"),
    "mc": (["mc", "-u", "/etc", "/usr"], "Quit"),
    "htop": (["htop", "-d", "100"], "F10"),
    "dvtm": (["dvtm", "bash --norc", "less /etc/passwd"], "root:"),
    "tmux": (["sh", "-c", "unset TMUX; exec tmux -S ~/inner -f /dev/null new "
              "'bash --norc' \\; split-window -h 'less /etc/passwd' \\; "
              "set status off"], "root:"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(sess, name):
    argv, see = PROGRAMS[name]
    t = Tmux(sess, [sess.binary, "-c", name, *argv])
    t.wait(see)
    t.settled()
    pid = int(sess.ok("-pid", name))
    if name == "htop":  # it would go on counting
        os.kill(pid, signal.SIGSTOP)
    t = same_again(sess, t, name, tries=3)
    if name == "htop":
        os.kill(pid, signal.SIGCONT)
    t.close()


def test_a_larger_terminal_beside_shows_the_same(sess):
    t = show_text(sess, "two", "one\r\n\033[44mblue\033[K\033[m\r\n山\033[5;30Hthere")
    t.wait("there")
    shown = t.settled()
    other = Tmux(sess, [sess.binary, "-l", "-a", "two"], 30, 100)
    other.wait("there")
    assert other.settled()[:5] == shown[:5]
    small = Tmux(sess, [sess.binary, "-l", "-a", "two"], 4, 20)
    small.wait(lambda t: t.text().split("\n")[:2] == ["blue", "山"])
    for each in (small, other, t):
        each.close()


def test_attach_in_the_middle_of_a_flood(sess):
    script = (
        "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); "
        "printf '\\033[3%dmline %d 山\\033[m\\033[K\\r\\n' $((i % 8)) $i; done; "
        "printf THE; printf ' END'; cat"
    )
    sess.ok("-n", "flood", "sh", "-c", script)
    t = Tmux(sess, [sess.binary, "-a", "flood"])
    t.detach()
    t = Tmux(sess, [sess.binary, "-a", "flood"])
    t.wait("THE END", 60)
    shown = t.settled()
    alone = Tmux(sess, ["sh", "-c", script])
    alone.wait("THE END", 60)
    assert shown == alone.settled(), difference(shown, alone.settled())
    same_again(sess, t, "flood").close()
    alone.close()
