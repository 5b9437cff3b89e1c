#!/bin/sh
# Builds the guest: Debian 12 with systemd, mosquitto, the kernel's virtual
# camera (vivid) and tools, as .cache/vm/ARCH/{rootfs.ext4,vmlinuz,initrd.img}.
#
#   cross/vm/build.sh amd64|arm64
#
# Needs root. It is built once, and again when this file or guest/ has changed.
# No loop device and no mount: mmdebstrap makes a tree, mke2fs -d packs it.
set -eu
PATH=$PATH:/usr/sbin:/sbin
arch=$1

# In a mount namespace of its own, what mmdebstrap mounts goes away with it,
# also when it is killed half way.
[ -n "${FACERECD_VM_MOUNTS:-}" ] || FACERECD_VM_MOUNTS=private exec unshare --mount --propagation private "$0" "$@"

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../.cache/vm/$arch
tree=$out/tree

key=$(cat "$0" "$here"/guest/* | sha256sum)
if [ -s "$out/rootfs.ext4" ] && [ "$(cat "$out/key" 2>/dev/null)" = "$key" ]; then exit 0; fi
echo "building the $arch guest (amd64 about 4 minutes, arm64 about 6) ..."
started=$(date +%s)
rm -rf --one-file-system "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd) tree=$out/tree

# The host's mirror when it is a Debian; mmdebstrap knows one otherwise.
mirror=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)

# debian TREE ARCH VARIANT PACKAGES [OPTION...]: a Debian without manuals.
debian() {
	tree_=$1 arch_=$2 variant_=$3 packages_=$4
	shift 4
	mmdebstrap --quiet --mode=root --architectures="$arch_" --variant="$variant_" --include="$packages_" \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' "$@" bookworm "$tree_" $mirror
}

packages=systemd,systemd-sysv,udev,dbus,kmod,linux-image-$arch,initramfs-tools,zstd,mosquitto,mosquitto-clients,v4l-utils,curl,ca-certificates,iproute2,procps,libturbojpeg0
case $arch in
amd64)
	packages=$packages,ffmpeg
	# v4l2loopback shows what a program writes, MJPEG too, which vivid cannot.
	# It is compiled beside the guest, which has no compiler.
	debian "$out/loopback" amd64 apt linux-headers-amd64,v4l2loopback-dkms >"$out/loopback.log" 2>&1 &
	loopback=$!
	;;
arm64)
	"$here/../foreign.sh"
	;;
esac

# A small initrd: what qemu's machines need to find their disk and share.
debian "$tree" "$arch" minbase "$packages" \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" && printf "MODULES=list\nCOMPRESS=zstd\n" >"$1/etc/initramfs-tools/conf.d/small" && printf "virtio_pci\nvirtio_blk\nvirtio_mmio\nvirtio_net\next4\n9p\n9pnet_virtio\n" >"$1/etc/initramfs-tools/modules"' \
	--customize-hook='echo facerecd-vm >"$1/etc/hostname" && echo "/dev/vda / ext4 defaults,noatime 0 1" >"$1/etc/fstab" && chroot "$1" passwd -q -d root'
printf '127.0.0.1 localhost\n127.0.1.1 facerecd-vm\n' >"$tree/etc/hosts" # minbase writes none

install -D -m 755 "$here/guest/run-tests" "$tree/usr/local/sbin/run-tests"
install -D -m 644 "$here/guest/run-tests.service" "$tree/etc/systemd/system/run-tests.service"
install -D -m 644 "$here/guest/network" "$tree/etc/systemd/network/80-dhcp.network"
mkdir -p "$tree/mnt/host" "$tree/etc/systemd/system/multi-user.target.wants"
ln -sf ../run-tests.service "$tree/etc/systemd/system/multi-user.target.wants/"
ln -sf /lib/systemd/system/systemd-networkd.service "$tree/etc/systemd/system/multi-user.target.wants/"

if [ "$arch" = amd64 ]; then
	wait $loopback || { cat "$out/loopback.log" >&2; exit 1; }
	kernel=$(ls "$tree/lib/modules" | tail -n 1)
	install -D -t "$tree/lib/modules/$kernel/updates" "$out/loopback/lib/modules/$kernel"/updates/dkms/v4l2loopback.ko*
	chroot "$tree" /sbin/depmod "$kernel"
	rm -rf --one-file-system "$out/loopback"
fi

cp "$tree"/boot/vmlinuz-* "$out/vmlinuz"
cp "$tree"/boot/initrd.img-* "$out/initrd.img"
mke2fs -q -t ext4 -L root -d "$tree" "$out/rootfs.ext4" 3G
# The tree stays: the image for the Pi is made from it.
echo "$key" >"$out/key"
echo "built the $arch guest in $(($(date +%s) - started)) s: $(du -sh "$out" | cut -f 1)"
