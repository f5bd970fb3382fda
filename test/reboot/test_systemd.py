"""The power button is pressed in a machine that runs Debian's systemd; after
the next boot the sessions of all users are there, and nobody typed anything."""

import pytest

import machine

pytestmark = [pytest.mark.timeout(1200), pytest.mark.xdist_group("reboot")]


@pytest.fixture
def box(tmp_path):
    m = machine.new(tmp_path, {}, pid1="/lib/systemd/systemd")
    yield m
    m.close()


def _states(m, user):
    rows = m.run(user, "sess").splitlines()[1:]
    return {row.split()[0]: row.split()[1] for row in rows}


def _attach(console, user, name):
    console.type(user, f"sess -a {name}")
    console.see("ok:")


def test_sessions_outlive_the_power_button(box):
    box.boot("6.12")
    box.run("root", "cp -r /disk/install/. / && systemctl --no-pager enable --now sess")
    user, other = box.logins["user"], box.logins["other"]
    for console in (user, other):
        console.expect("@@ready@@\r\n")
    user.run("user", "PS1=ok: sess -n shell bash --norc --noprofile")
    user.run("user", "sess -n sleep sleep 100000")
    user.run("user", "sess -n over sleep 100000 && sess -k over")
    other.type("other", "PS1=ok: sess -c work bash --norc --noprofile")
    other.see("ok:")
    other.send("kept=lemon; echo now-$kept\r")
    other.see("now-lemon")
    # He is still attached.
    box.press_power_button()
    box.boot("6.12")
    states = _states(box, "user")
    assert states.pop("over", "ended") in ("ended", "-"), states
    assert states == {"shell": "detached", "sleep": "detached"}
    assert _states(box, "other") == {"work": "detached"}
    other = box.logins["other"]
    other.expect("@@ready@@\r\n")
    other.type("other", "sess -a work")
    other.see("now-lemon")
    other.send("echo $kept | tr a-z A-Z\r")
    other.see("LEMON")
