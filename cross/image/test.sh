#!/bin/sh
# Boots the Pi image's own kernel, initrd and root in qemu, as a machine without
# the Pi's hardware, and does what its owner would: facerecd.txt on the boot
# partition, then ssh.
#
#   cross/image/test.sh
#
# The card is larger than the image. What each start said on the console is in
# .cache/image/test/*.console. The checks are in test-guest.
set -eu
PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
image=${IMAGE:-.cache/image/facerecd-pi.img}
[ -s "$image" ] || { echo 'there is no image: run make image' >&2; exit 1; }
run=.cache/image/test port=${PORT:-2222}
rm -rf "$run"
mkdir -p "$run"
cp --sparse=always "$image" "$run/card.img"
truncate -s 6G "$run/card.img"
card=$run/card.img@@1M # the boot partition, for mtools
ssh-keygen -q -t ed25519 -N '' -C laptop -f "$run/key"

qemu=
trap '[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true' EXIT INT TERM

# boot NAME: starts what is on the card.
boot() {
	name=$1
	rm -f "$run"/vmlinuz-* "$run"/initrd.img-*
	mcopy -n -o -i "$card" '::vmlinuz-*' '::initrd.img-*' "$run/"
	# The Pi's command line, with this machine's console.
	line=$(mtype -i "$card" ::cmdline.txt | tr -d '\n' | sed 's/console=[^ ]*//g')
	timeout --kill-after=10 1200 qemu-system-aarch64 -M virt,gic-version=3 -accel tcg,thread=multi -cpu cortex-a72 -m 1024 -smp 2 \
		-nodefaults -no-reboot -display none -serial "file:$run/$name.console" \
		-kernel "$(ls "$run"/vmlinuz-*)" -initrd "$(ls "$run"/initrd.img-*)" -append "$line console=ttyAMA0" \
		-drive "if=virtio,format=raw,file=$run/card.img,cache=writeback" \
		-netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=n0,romfile= \
		-device virtio-rng-pci </dev/null &
	qemu=$!
	began=$(date +%s)
}

pi() {
	ssh -q -i "$run/key" -p "$port" -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 \
		-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile="$run/known_hosts" pi@127.0.0.1 "$@"
}

# check NAME STEP...: starts the card, logs in, runs the checks of each step.
check() {
	name=$1
	shift
	boot "$name"
	until pi true; do
		kill -0 "$qemu" 2>/dev/null || { echo "start '$name' ended before anybody could log in; its console:" >&2; tail -n 60 "$run/$name.console" >&2; exit 1; }
		[ $(($(date +%s) - began)) -lt 900 ] || { echo "start '$name': no login after 15 minutes; its console:" >&2; tail -n 60 "$run/$name.console" >&2; exit 1; }
		sleep 5
	done
	echo "start '$name': login after $(($(date +%s) - began)) s"
	tar -c -C .cache/photos obama2.jpg obama3.jpg | pi tar -x
	pi sudo sh -s -- "$@" <cross/image/test-guest || { echo "start '$name' failed" >&2; tail -n 40 "$run/$name.console" >&2; exit 1; }
	pi sudo systemctl poweroff || true
	wait "$qemu" || true
	qemu=
}

# settings: the input becomes facerecd.txt, as an editor on Windows writes it.
settings() {
	sed 's/$/\r/' >"$run/facerecd.txt"
	mcopy -o -i "$card" "$run/facerecd.txt" ::facerecd.txt
}

settings <<-TEXT
	# comment
	ssh_key = $(cat "$run/key.pub")
	hostname = pi-door
	wifi_country=DE
	wifi_ssid = Café "Ω" \$(reboot)
	wifi_password = it's a "secret"; \$HOME
	timezone = Europe/Berlin
TEXT
check first running set-up grown secrets service wifi
check second running set-up grown secrets service people

settings <<-TEXT
	hostname = -bad-
	ssh_key = ssh-ed25519 nonsense
	hostnam = typo
TEXT
check wrong running errors set-up readonly-on
check readonly running read-only service people write
check readonly-again running read-only people

# With a new facerecd.txt it makes the root writable and starts again (which
# ends qemu), to do what the file says.
settings <<-TEXT
	hostname = pi-gate
TEXT
boot unlock
wait "$qemu" || true
check again running again service people
echo 'the image does what it should'
