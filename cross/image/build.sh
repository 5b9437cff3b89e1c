#!/bin/sh
# Makes dist/facerecd-pi_VERSION.img.xz from .cache/image/base.tar, files/ and
# the arm64 package.
#
#   cross/image/build.sh [DIST]
#
# Needs root. No loop device: mke2fs -d and mtools write the partitions, sfdisk
# the table. The unpacked image stays as .cache/image/facerecd-pi.img.
set -eu
umask 022
export LC_ALL=C TZ=UTC
PATH=$PATH:/usr/sbin:/sbin
[ -n "${FACERECD_IMAGE_MOUNTS:-}" ] || FACERECD_IMAGE_MOUNTS=private exec unshare --mount --propagation private "$0" "$@"

cd "$(dirname "$0")/../.."
here=cross/image dist=${1:-dist} cache=.cache/image
tree=$cache/tree boot=$cache/boot image=$cache/facerecd-pi.img
boot_mb=512
started=$(date +%s)
# base.sh's is gone with its mount namespace.
cross/foreign.sh
# git refuses a checkout that belongs to somebody else: then a time of ours.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH
version=$(cross/deb/version.sh)
deb=$dist/facerecd_${version}_arm64.deb
[ -e "$deb" ] || { echo "there is no $deb: run make image, which makes it" >&2; exit 1; }

echo 'making the Pi image (about 5 minutes) ...'
rm -rf --one-file-system "$tree" "$boot"
mkdir -p "$tree" "$boot"
tar -xpf "$cache/base.tar" --numeric-owner --xattrs --xattrs-include='*' -C "$tree"
in_tree() { chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@" </dev/null; }
mount -t proc proc "$tree/proc" # update-initramfs hangs without

# Debian's own user, network and log settings, and ours.
cp -r "$here/files/." "$tree/"
chmod 440 "$tree/etc/sudoers.d/pi"
echo facerecd >"$tree/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 facerecd\n::1 localhost ip6-localhost ip6-loopback\n' >"$tree/etc/hosts"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
in_tree useradd --create-home --shell /bin/bash --groups adm,sudo,video,netdev --password '*' pi
install -d -m 700 "$tree/etc/wpa_supplicant"
printf 'ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev\n' >"$tree/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
chmod 600 "$tree/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"

# The package, as anybody installs it. The broker is mosquitto, which is there.
cp "$deb" "$tree/tmp/facerecd.deb"
in_tree dpkg --install /tmp/facerecd.deb >"$cache/install.log" 2>&1 || { cat "$cache/install.log" >&2; exit 1; }
rm "$tree/tmp/facerecd.deb"
sed -i 's|^  broker: ""     |  broker: mqtt://127.0.0.1:1883|' "$tree/etc/facerecd/facerecd.yaml"
grep -q '^  broker: mqtt://127.0.0.1:1883 ' "$tree/etc/facerecd/facerecd.yaml"

in_tree systemctl --quiet enable systemd-networkd systemd-resolved systemd-timesyncd ssh \
	grow-root device-secrets facerecd-pi facerecd mosquitto
in_tree systemctl --quiet mask systemd-networkd-wait-online wpa_supplicant
# Wi-Fi when there is a wlan0, and no waiting for one.
wants=$tree/etc/systemd/system/sys-subsystem-net-devices-wlan0.device.wants
mkdir -p "$wants"
ln -s /lib/systemd/system/wpa_supplicant@.service "$wants/wpa_supplicant@wlan0.service"

# The kernel and its initrd, copied to the boot partition by raspi-firmware, as
# it also does when Debian's kernel is upgraded on the Pi.
kernel=$(ls "$tree/lib/modules" | tail -n 1)
in_tree update-initramfs -c -k "$kernel" >"$cache/initrd.log" 2>&1 || { cat "$cache/initrd.log" >&2; exit 1; }
in_tree env DEB_MAINT_PARAMS=configure /etc/kernel/postinst.d/z50-raspi-firmware
umount "$tree/proc"
for file in bootcode.bin start.elf start4.elf config.txt cmdline.txt "vmlinuz-$kernel" "initrd.img-$kernel" \
	bcm2837-rpi-3-b.dtb bcm2837-rpi-3-b-plus.dtb bcm2711-rpi-4-b.dtb; do
	[ -s "$tree/boot/firmware/$file" ] || { echo "the boot partition would have no $file" >&2; exit 1; }
done
mv "$tree"/boot/firmware/* "$boot/"
sed 's/$/\r/' "$here/boot/facerecd.txt" >"$boot/facerecd.txt"

# What each device must make for itself.
rm -f "$tree"/etc/ssh/ssh_host_* "$tree/etc/facerecd/token" "$tree/var/lib/dbus/machine-id" "$tree/var/lib/systemd/random-seed"
: >"$tree/etc/machine-id"
rm -rf "$tree"/tmp/* "$tree"/var/tmp/* "$tree"/var/cache/apt/*.bin
find "$tree/var/log" -type f -exec truncate -s 0 {} +
find "$tree" "$boot" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# 1 MiB, the boot partition, the root, which grows at the first start.
root_mb=$(($(du -m -s "$tree" | cut -f 1) * 5 / 4 + 200))
id=$(echo "facerecd $version" | sha256sum)
uuid=$(echo "$id" | sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-4\3-8\4-\5/')
rm -f "$cache"/p1.vfat "$cache"/p2.ext4 "$image"
truncate -s ${boot_mb}M "$cache/p1.vfat"
mkfs.vfat --invariant -F 32 -n RASPIFIRM -i "$(echo "$id" | cut -c 1-8)" "$cache/p1.vfat" >/dev/null
mcopy -m -s -i "$cache/p1.vfat" "$boot"/* ::
E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -L RASPIROOT -U "$uuid" -E "hash_seed=$uuid" -d "$tree" "$cache/p2.ext4" "${root_mb}M" >/dev/null
truncate -s $((1 + boot_mb + root_mb))M "$image"
printf 'label: dos\nlabel-id: 0x%s\nstart=1MiB, size=%sMiB, type=c, bootable\ntype=83\n' "$(echo "$id" | cut -c 9-16)" $boot_mb | sfdisk -q "$image"
dd if="$cache/p1.vfat" of="$image" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$cache/p2.ext4" of="$image" bs=1M seek=$((1 + boot_mb)) conv=notrunc,sparse status=none
rm "$cache/p1.vfat" "$cache/p2.ext4"

rm -f "$dist"/facerecd-pi_*.img.xz
xz -T 0 -6 --keep --stdout "$image" >"$dist/facerecd-pi_$version.img.xz.new"
mv "$dist/facerecd-pi_$version.img.xz.new" "$dist/facerecd-pi_$version.img.xz"
echo "made $dist/facerecd-pi_$version.img.xz in $(($(date +%s) - started)) s: $(du -m "$dist/facerecd-pi_$version.img.xz" | cut -f 1) MB, on a card $((1 + boot_mb + root_mb)) MB"
