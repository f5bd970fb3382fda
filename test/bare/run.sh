#!/bin/sh
# Both commands of setup.sh in a Debian 12 that has neither compiler nor make:
# a fresh minimal root, a clean checkout of HEAD, own mount and pid
# namespaces, so that nothing is left behind. Needs root and debootstrap.
# What was downloaded is kept in build-bare for the next run.
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo "check-bare: needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || {
	echo "check-bare: as root, please run: apt-get install debootstrap" >&2
	exit 1
}

release=bookworm
mirror=$(sed -n 's/^URIs: *//p; s/^deb \(http[^ ]*\) .*/\1/p' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list \
    2>/dev/null | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}
cache=$PWD/build-bare
root=$(mktemp -d /var/tmp/sess-bare.XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$cache/archives/partial"

if [ ! -f "$cache/base.tar" ]; then
	echo "check-bare: debootstrap $release from $mirror"
	debootstrap --variant=minbase "$release" "$root/new" "$mirror" \
	    >"$cache/debootstrap.log" 2>&1 || {
		tail -n 5 "$cache/debootstrap.log" >&2
		exit 1
	}
	rm -f "$root/new/var/cache/apt/archives/"*.deb
	tar -C "$root/new" -cf "$cache/base.tar.new" .
	mv "$cache/base.tar.new" "$cache/base.tar"
	rm -rf "$root/new"
fi
mkdir "$root/new"
tar -C "$root/new" -xf "$cache/base.tar"

# The new system reaches its packages as this one does.
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
	rm -f "$root/new/etc/apt/sources.list"
	cp /etc/apt/sources.list.d/debian.sources \
	    "$root/new/etc/apt/sources.list.d/"
fi
grep -l '^Acquire' /etc/apt/apt.conf.d/* 2>/dev/null | while read -r f; do
	cp "$f" "$root/new/etc/apt/apt.conf.d/"
done
cp /etc/resolv.conf /etc/hosts "$root/new/etc/"
mkdir "$root/new/root/sess"
git archive HEAD | tar -C "$root/new/root/sess" -xf -
echo "check-bare: $(git log -1 --format='%h %s')"

unshare --mount --pid --fork --kill-child --propagation private \
    sh test/bare/enter.sh "$root/new" "$cache/archives"
echo "check-bare: both commands work on a machine that had nothing"
