#!/bin/sh
# Switches a guest off and on: a fresh one in which the package is installed, in
# order at first, then by cutting its power CUTS times in the middle of the work.
#
#   cross/vm/boots.sh ARCH SHARE CUTS
#
# The guest's part is power_test.go. Its disk is the host's file without the
# host's cache, so that what it was not told to write is gone; what was
# acknowledged is in SHARE/ledger.
set -eu
arch=$1 share=$(cd "$2" && pwd) cuts=$3
cd "$(dirname "$0")"
export KEEP="$share/kept.qcow2" CACHE=none
rm -f "$KEEP" "$share/ledger"

# boot WHICH TEST: one start of the guest, until it is off.
boot() {
	echo "export VM_SUITES=vm VM_BOOT=$1 VM_RUN='^$2\$'" >"$share/env"
	./run.sh "$arch" "$share" 1200
}
check=TestWhatWasAcknowledgedBeforeThePowerWentIsThere
lines() { grep -c "^$1" "$share/ledger" || true; }

# await WORD N: until the ledger has more than N lines of it.
await() {
	until [ "$(lines "$1")" -gt "$2" ]; do
		kill -0 $boot 2>/dev/null || { cat "$share/boot.txt"; exit 1; }
		sleep 0.2
	done
}

echo '== a fresh guest'
boot first TestFreshGuestRecognisesWhoWasEnrolledWithCurl
n=0
while [ "$n" -lt "$cuts" ]; do
	echo "== again, until the power is cut: $((n + 1)) of $cuts"
	ready=$(lines ready)
	boot again $check >"$share/boot.txt" 2>&1 &
	boot=$!
	await ready "$ready"
	await enrolled $(($(lines enrolled) + 1)) # the work is under way
	sleep "$(awk -v seed="$(od -An -N4 -tu4 /dev/urandom)" 'BEGIN { srand(seed); print rand() * 15 }')"
	kill -9 "$(cat "$share/qemu.pid")"
	wait $boot || true
	grep 'people enrolled' "$share/boot.txt" || { cat "$share/boot.txt"; exit 1; }
	n=$((n + 1))
done
echo '== the last time'
boot last $check
qemu-img check -q "$KEEP"
rm -f "$KEEP" "$share/env"
