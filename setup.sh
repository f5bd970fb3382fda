#!/bin/sh
# Two commands for a fresh machine:
#
#   sh setup.sh try        install what is missing, build, install sess and
#                          open a session (without a terminal, or with -n:
#                          show a counter that is saved, ended and revived)
#   sh setup.sh check ...  install what the tests need, build, run every test
#                          (further words go to pytest: check -k smoke)
#
# PREFIX is where sess goes: /usr/local for root, else ~/.local.
set -u
cd "$(dirname "$0")" || exit 1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# What is needed by whom, how its presence is seen, and what it is called by
# apt, dnf and pacman. The tests look for the thing, not for the package, so
# that what was installed in another way counts too. "-": not packaged there.
NEEDS='
build cmd:cc             gcc                     gcc                    gcc
build cmd:make           make                    make                   make
build cmd:pkg-config     pkg-config              pkgconf-pkg-config     pkgconf
build hdr:stdio.h        libc6-dev               glibc-devel            glibc
build pkg:libevent_core  libevent-dev            libevent-devel         libevent
build pkg:ncursesw       libncurses-dev          ncurses-devel          ncurses
build pkg:libcap         libcap-dev              libcap-devel           libcap
build pkg:libprotobuf-c  libprotobuf-c-dev       protobuf-c-devel       protobuf-c
build cmd:protoc-c       protobuf-c-compiler     protobuf-c-compiler    protobuf-c
build pkg:libzstd        libzstd-dev             libzstd-devel          zstd
build pkg:libxxhash      libxxhash-dev           xxhash-devel           xxhash
test  pkg:cmocka         libcmocka-dev           libcmocka-devel        cmocka
test  cmd:python3        python3                 python3                python
test  py:pytest          python3-pytest          python3-pytest         python-pytest
test  py:xdist           python3-pytest-xdist    python3-pytest-xdist   python-pytest-xdist
test  py:pytest_timeout  python3-pytest-timeout  python3-pytest-timeout python-pytest-timeout
test  py:pexpect         python3-pexpect         python3-pexpect        python-pexpect
test  py:pyte            python3-pyte            python3-pyte           python-pyte
test  cmd:bash           bash                    bash                   bash
test  cmd:dash           dash                    dash                   dash
test  cmd:vim            vim                     vim-enhanced           vim
test  cmd:less           less                    less                   less
test  cmd:top            procps                  procps-ng              procps-ng
test  cmd:dvtm           dvtm                    dvtm                   dvtm
test  cmd:tmux           tmux                    tmux                   tmux
test  cmd:htop           htop                    htop                   htop
test  cmd:infocmp        ncurses-bin             ncurses                ncurses
test  term:putty-256color ncurses-term           ncurses-term           ncurses
test  cmd:mc             mc                      mc                     mc
test  cmd:vttest         vttest                  vttest                 -
test  cmd:useradd        passwd                  shadow-utils           shadow
test  cmd:qemu-system-x86_64 qemu-system-x86     qemu-system-x86        qemu-system-x86
test  cmd:mkfs.ext4      e2fsprogs               e2fsprogs              e2fsprogs
'

die()
{
	echo "setup.sh: $*" >&2
	exit 1
}

# The python that has the test modules need not be the first in PATH, but it
# must be one: modules of two pythons make no test run. Where none has them all
# the system's is completed.
PYTHONS='python3 /usr/bin/python3'
has_all()
{
	"$1" -c "import pytest, xdist, pytest_timeout, pexpect, pyte" \
	    >/dev/null 2>&1
}

python_has()
{
	for py in $PYTHONS; do
		has_all "$py" && return 0
	done
	/usr/bin/python3 -c "import $1" >/dev/null 2>&1
}

present()
{
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	pkg:*) pkg-config --exists "${1#pkg:}" 2>/dev/null ;;
	hdr:*) echo "#include <${1#hdr:}>" | cc -E - >/dev/null 2>&1 ;;
	py:*) python_has "${1#py:}" ;;
	term:*) infocmp "${1#term:}" >/dev/null 2>&1 ;;
	esac
}

# missing COLUMN KIND...: names in that column of what is not here.
missing()
{
	column=$1
	shift
	kinds=" $* "
	echo "$NEEDS" | while read -r kind thing apt dnf pacman; do
		[ -n "$kind" ] || continue
		case $kinds in *" $kind "*) ;; *) continue ;; esac
		present "$thing" && continue
		case $column in
		thing) echo "${thing#*:}" ;;
		apt) echo "$apt" ;;
		dnf) echo "$dnf" ;;
		pacman) echo "$pacman" ;;
		esac
	done | sort -u | tr '\n' ' '
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

may_be_root()
{
	[ "$(id -u)" -eq 0 ] && return 0
	command -v sudo >/dev/null 2>&1 || return 1
	[ -t 0 ] || sudo -n true >/dev/null 2>&1
}

need()
{
	[ -n "$(missing thing "$@")" ] || return 0
	if command -v apt-get >/dev/null 2>&1; then
		manager=apt
		how='apt-get install -y --no-install-recommends'
	elif command -v dnf >/dev/null 2>&1; then
		manager=dnf
		how='dnf install -y'
	elif command -v pacman >/dev/null 2>&1; then
		manager=pacman
		how='pacman -S --needed --noconfirm'
	else
		die "please install: $(missing thing "$@")"
	fi
	packages=$(missing "$manager" "$@")
	may_be_root || die "as root, please run: $how $packages"
	echo "setup.sh: installing $packages"
	if [ "$manager" = apt ]; then
		as_root apt-get -qq update ||
		    echo "setup.sh: apt-get update failed; trying as it is" >&2
		how="env DEBIAN_FRONTEND=noninteractive $how -qq"
	fi
	# shellcheck disable=SC2086 # both are lists of words
	as_root $how $packages >"${TMPDIR:-/tmp}/sess-setup.$$" 2>&1 || {
		tail -n 15 "${TMPDIR:-/tmp}/sess-setup.$$" >&2
		rm -f "${TMPDIR:-/tmp}/sess-setup.$$"
		die "could not install: $packages"
	}
	rm -f "${TMPDIR:-/tmp}/sess-setup.$$"
	left=$(missing thing "$@")
	[ -z "$left" ] || die "still missing after the installation: $left"
}

build()
{
	make -s -j "$(nproc 2>/dev/null || echo 2)" "$@" ||
	    die "the build failed, see above"
}

# --- the demonstration: no terminal needed ----------------------------------

lines()
{
	wc -l <"$count" 2>/dev/null || echo 0
}

wait_for_lines()
{
	tries=0
	while [ "$(lines)" -lt "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -le 300 ] || die "the counter does not count"
		sleep 0.1
	done
}

running()
{
	[ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# Run a command, show what it says, stop where it fails.
told()
{
	said=$("$@" 2>&1) || die "$said"
	[ -z "$said" ] || echo "$said" | sed 's/^/  /'
}

end_demo()
{
	"$sess" -k demo >/dev/null 2>&1
	rm -rf "$SESS_DIR"
}

demonstrate()
{
	SESS_DIR=$(mktemp -d) || die "mktemp failed"
	export SESS_DIR
	count=$SESS_DIR/count
	trap end_demo EXIT
	trap 'exit 1' HUP INT TERM

	echo
	echo "A counter in a session of its own:"
	echo "  \$ sess -n demo sh -c 'while ...; do echo \$i >>count; done'"
	# shellcheck disable=SC2016 # expanded by the counter
	"$sess" -n demo sh -c 'i=0; while :; do
		i=$((i + 1)); echo $i >>"$0"; sleep 0.1; done' "$count" ||
	    die "the session could not be created"
	wait_for_lines 10
	pid=$("$sess" -pid demo) || die "the session has no process"
	echo "  process $pid has counted to $(lines)"
	echo "Saved to disk and ended:"
	echo "  \$ sess -save -stop demo"
	told "$sess" -save -stop demo
	tries=0
	while running "$pid"; do
		tries=$((tries + 1))
		[ "$tries" -le 50 ] || die "process $pid is still there"
		sleep 0.1
	done
	saved_at=$(lines)
	echo "  process $pid is gone; the count stands at $saved_at"
	echo "Revived from the disk:"
	echo "  \$ sess -revive demo"
	told "$sess" -revive demo
	wait_for_lines $((saved_at + 10))
	awk '$1 != NR { exit 1 }' "$count" || die "the count has a gap"
	echo "  it went on with $((saved_at + 1)) and has reached $(lines)," \
	    "no number lost, none twice"
	echo
	echo "On a terminal: sess -c work; Ctrl-\\ detaches; sess -a work;" \
	    "see $(shown sess) -h"
}

# --- the two commands --------------------------------------------------------

shown()
{
	case :$PATH: in
	*:"$PREFIX/bin":*) echo "$1" ;;
	*) echo "$PREFIX/bin/$1" ;;
	esac
}

try()
{
	need build
	build all
	make -s install PREFIX="$PREFIX" || die "could not install to $PREFIX"
	sess=$PREFIX/bin/sess
	echo "setup.sh: installed $sess"
	if [ "${1:-}" = -n ] || [ ! -t 0 ] || [ ! -t 1 ]; then
		demonstrate
		return
	fi
	s=$(shown sess)
	wide="$s -save -stop try"
	echo
	echo 'A session called "try" opens now, with a shell in it. Start something.'
	echo
	while IFS=: read -r what why; do
		# shellcheck disable=SC2059 # the width is part of the format
		printf "  %-${#wide}s   %s\n" "$what" "$why"
	done <<EOF
Ctrl-\\:detach; it runs on without this terminal
$s -a try:attach again, from any terminal
$s -save -stop try:put it on disk and end it
$s -revive try:bring it back, running
$s -k try:end it for good
EOF
	echo
	printf 'Enter opens it. '
	read -r _ || exit 0
	exec "$sess" -A try
}

check()
{
	need build test
	build all units victims fault
	exec make -s check PYTEST_ARGS="$*"
}

if [ "$(id -u)" -eq 0 ]; then
	PREFIX=${PREFIX:-/usr/local}
else
	PREFIX=${PREFIX:-$HOME/.local}
fi
command=${1:-}
[ $# -eq 0 ] || shift
case $command in
try) try "$@" ;;
check) check "$@" ;;
*)
	echo "usage: sh setup.sh try | check" >&2
	exit 2
	;;
esac
