#!/bin/sh
# Makes this host able to run arm64 programs, through qemu-user: what builds a
# Debian for arm64 runs that Debian's own. As root. In a mount namespace of the
# caller's, it lasts as long as that.
set -eu
[ "$(uname -m)" != aarch64 ] || exit 0
misc=/proc/sys/fs/binfmt_misc
[ -e $misc/register ] || mount -t binfmt_misc binfmt_misc $misc
# With flag F the interpreter is opened at once, so that it works inside of a
# tree that does not have it.
[ -e $misc/qemu-aarch64 ] || printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F' >$misc/register
arch-test arm64 >/dev/null
