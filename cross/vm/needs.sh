#!/bin/sh
# Installs what the VM tests and the Pi image need on a Debian host, where it is
# missing: qemu, and what builds a Debian without loop devices or mounts.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing() {
	while read -r command package; do
		command -v "$command" >/dev/null || echo "$package"
	done <<-LIST
		qemu-system-x86_64 qemu-system-x86
		qemu-system-aarch64 qemu-system-arm
		qemu-img qemu-utils
		qemu-aarch64-static qemu-user-static
		mmdebstrap mmdebstrap
		arch-test arch-test
		mke2fs e2fsprogs
		mkfs.vfat dosfstools
		mcopy mtools
		sfdisk fdisk
		xz xz-utils
	LIST
	for package in seabios ipxe-qemu qemu-system-data debian-archive-keyring; do
		[ -e "/usr/share/doc/$package" ] || echo "$package"
	done
}

packages=$(echo $(missing))
[ -n "$packages" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "the VM tests and the Pi image are made as root on Debian or Ubuntu, and need $packages" >&2
	exit 1
fi
echo "installing what is missing: $packages"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages </dev/null
still=$(echo $(missing))
[ -z "$still" ] || { echo "installed, yet not found: $still; see apt's output above" >&2; exit 1; }
