#!/bin/sh
# Boots the guest, runs the tests of a share in it, and says how they ended.
#
#   cross/vm/run.sh ARCH SHARE [LIMIT]
#
# SHARE is a folder with the script `run`, which the guest's root runs in it.
# What it prints goes to SHARE/out.log and to our output, the guest's journal to
# SHARE/journal.log, its console to SHARE/console.log. LIMIT is in seconds.
# KEEP=overlay.qcow2 names a disk that outlives the run, CACHE how qemu writes it;
# the process is in SHARE/qemu.pid.
set -eu
arch=$1 share=$(cd "$2" && pwd) limit=${3:-2400}
guest=$(cd "$(dirname "$0")/../../.cache/vm/$arch" && pwd)

rm -f "$share"/rc "$share"/rc.new "$share"/*.log
: >"$share/out.log"
disk=${KEEP:-$share/disk.qcow2}
[ -n "${KEEP:-}" ] && [ -e "$disk" ] || { rm -f "$disk"; qemu-img create -q -f qcow2 -b "$guest/rootfs.ext4" -F raw "$disk"; }

# Always tcg: the hosts that have /dev/kvm may not be able to boot a plain
# kernel with it (docs: cross/vm/README.md).
case $arch in
amd64) machine='qemu-system-x86_64 -M q35 -cpu max' console=ttyS0 net= ;;
arm64) machine='qemu-system-aarch64 -M virt,gic-version=3 -cpu cortex-a72' console=ttyAMA0 net=,romfile= ;;
*) echo "no guest for $arch: amd64 or arm64" >&2; exit 2 ;;
esac
started=$(date +%s)
timeout --kill-after=10 "$limit" $machine -accel tcg,thread=multi -m 1536 -smp 2 \
	-nodefaults -no-reboot -display none -serial "file:$share/console.log" \
	-kernel "$guest/vmlinuz" -initrd "$guest/initrd.img" \
	-append "root=/dev/vda rw console=$console quiet systemd.show_status=0 tests ${APPEND:-}" \
	-drive "if=virtio,format=qcow2,file=$disk,cache=${CACHE:-writeback}" -pidfile "$share/qemu.pid" \
	-netdev user,id=n0 -device "virtio-net-pci,netdev=n0$net" \
	-fsdev "local,id=h,path=$share,security_model=none" -device virtio-9p-pci,fsdev=h,mount_tag=host \
	-device virtio-rng-pci </dev/null &
qemu=$!
trap 'kill $qemu 2>/dev/null || true' EXIT INT TERM
tail -n +1 -f --pid=$qemu "$share/out.log"
wait $qemu || true
trap - EXIT
[ -n "${KEEP:-}" ] || rm -f "$disk"

rc=$(cat "$share/rc" 2>/dev/null || echo none)
echo "the $arch guest ran for $(($(date +%s) - started)) s; result: $rc"
if [ "$rc" != 0 ]; then
	echo "--- the guest's journal, its end (all of it: $share/journal.log) ---"
	tail -n "${JOURNAL_LINES:-150}" "$share/journal.log" 2>/dev/null || tail -n 80 "$share/console.log"
	exit 1
fi
