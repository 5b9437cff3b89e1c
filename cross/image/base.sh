#!/bin/sh
# Builds the Debian 12 that the image for the Raspberry Pi is made from, with
# the Pi's firmware, as .cache/image/base.tar.
#
#   cross/image/base.sh
#
# Needs root. It is built once, and again when this file has changed or
# .cache/image/base.tar is removed (to get Debian's newer packages).
set -eu
PATH=$PATH:/usr/sbin:/sbin

# In a mount namespace of its own, what mmdebstrap mounts goes away with it,
# also when it is killed half way.
[ -n "${FACERECD_IMAGE_MOUNTS:-}" ] || FACERECD_IMAGE_MOUNTS=private exec unshare --mount --propagation private "$0" "$@"

cache=$(dirname "$0")/../../.cache/image
mkdir -p "$cache"
key=$(sha256sum <"$0")
if [ -s "$cache/base.tar" ] && [ "$(cat "$cache/base.key" 2>/dev/null)" = "$key" ]; then exit 0; fi
echo 'building the base of the Pi image (about 5 minutes, up to 20 where arm64 is emulated) ...'
started=$(date +%s)
rm -f "$cache/base.key"

"$(dirname "$0")/../foreign.sh"

# The host's mirrors when it is a Debian, with the security updates;
# mmdebstrap knows those of Debian otherwise.
sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | while read -r uri; do
	case $uri in
	*security*) echo "deb $uri bookworm-security main non-free-firmware" ;;
	*) printf 'deb %s %s main non-free-firmware\n' "$uri" bookworm "$uri" bookworm-updates ;;
	esac
done >"$cache/sources.list"
sources=
[ ! -s "$cache/sources.list" ] || sources=$cache/sources.list

packages=$(sed 's/#.*//' <<-LIST | xargs | tr ' ' ,
	systemd systemd-sysv systemd-resolved systemd-timesyncd libnss-resolve libpam-systemd udev dbus kmod
	linux-image-arm64 initramfs-tools zstd
	busybox                 # its mount knows bind mounts, in the initrd
	raspi-firmware firmware-brcm80211 wireless-regdb wpasupplicant iw
	openssh-server sudo
	mosquitto mosquitto-clients v4l-utils libturbojpeg0
	fdisk dosfstools        # grow the root, check the boot partition
	tzdata ca-certificates curl iproute2 iputils-ping procps less nano
LIST
)

# No initrd yet: build.sh makes it, with the image's own settings.
export INITRD=No
# shellcheck disable=SC2086 # no sources: no argument
mmdebstrap --quiet --mode=root --architectures=arm64 --variant=minbase --components=main,non-free-firmware \
	--include="$packages" \
	--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-include=/usr/share/man/*/facerecd*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
	--dpkgopt='path-include=/usr/share/doc/facerecd/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	bookworm "$cache/base.tar" $sources
echo "$key" >"$cache/base.key"
echo "built the base of the Pi image in $(($(date +%s) - started)) s: $(du -sh "$cache/base.tar" | cut -f 1)"
