#!/bin/sh
# enter.sh ROOT ARCHIVES - inside fresh mount and pid namespaces: make ROOT
# the root, with /proc, /dev and a devpts of its own, and run steps.sh there.
# pivot_root rather than chroot: a process in a chroot may not make user
# namespaces, and an ordinary user's revival needs one.
set -eu
root=$1
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do
	: >"dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount --bind "$2" var/cache/apt/archives
# Docker-like images remove packages after installing; this one keeps them.
echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' \
    >etc/apt/apt.conf.d/99keep
pivot_root . mnt
umount -l /mnt
cd /root/sess
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root USER=root LOGNAME=root SHELL=/bin/bash TERM=dumb LANG=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} \
    ${https_proxy:+https_proxy="$https_proxy"} \
    sh test/bare/steps.sh </dev/null
