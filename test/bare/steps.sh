#!/bin/sh
# What a first user does, in the bare system: see run.sh.
set -eu
log=/root/step.log

fail()
{
	cat "$log"
	echo "check-bare: $*" >&2
	exit 1
}

# step TITLE COMMAND...: run it, keep what it says in $log.
step()
{
	echo "check-bare: $1"
	shift
	"$@" >"$log" 2>&1 || fail "failed: $*"
}

for tool in cc gcc make pkg-config python3; do
	if command -v "$tool" >/dev/null; then
		echo "check-bare: $tool is here; this is no bare system" >&2
		exit 1
	fi
done
useradd -m -s /bin/bash first
cp -r /root/sess /home/first/sess
chown -R first:first /home/first/sess

echo "check-bare: an ordinary user without sudo is told what to install"
if su first -c 'cd ~/sess && sh setup.sh try' </dev/null >"$log" 2>&1; then
	fail "it should have failed"
fi
[ "$(wc -l <"$log")" -eq 1 ] || fail "it should be one line"
grep -q 'apt-get install .*gcc' "$log" || fail "it should name the packages"

step 'root: sh setup.sh try' sh setup.sh try
grep -q 'no number lost' "$log" || fail "the demonstration did not end"
sed 's/^/    /' "$log"
sess -v >/dev/null || fail "sess is not in PATH"

step 'ordinary user: sh setup.sh try' \
    su first -c 'cd ~/sess && sh setup.sh try'
grep -q 'no number lost' "$log" || fail "the demonstration did not end"
[ -x /home/first/.local/bin/sess ] || fail "sess is not in ~/.local/bin"

echo "check-bare: nothing missing, nothing fetched: a second try"
step 'root: sh setup.sh try, again' sh setup.sh try
! grep -q installing "$log" || fail "it installed something again"

step "root: sh setup.sh check ${CHECK_ARGS:=-k smoke}" \
    sh setup.sh check "$CHECK_ARGS"
tail -n 1 "$log" | grep -q ' passed' || fail "no count at the end"
tail -n 1 "$log"
step 'uninstall' make -s uninstall
[ ! -e /usr/local/bin/sess ] || fail "sess is still installed"
