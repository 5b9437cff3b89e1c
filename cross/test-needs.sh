#!/bin/sh
# Installs what the tests need beyond Go and Python, where it is missing: a real
# MQTT broker, libjpeg-turbo, ffmpeg, systemd's judgement of the unit, a browser
# for the page, and a C compiler for the race detector.
set -eu
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps mosquitto and ldconfig

missing() {
	command -v mosquitto >/dev/null || echo mosquitto
	command -v mosquitto_pub >/dev/null || echo mosquitto-clients
	ldconfig -p | grep -q 'libturbojpeg\.so\.0' || echo "$turbojpeg"
	command -v ffmpeg >/dev/null || echo ffmpeg
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || echo "$browser"
	command -v systemd-analyze >/dev/null || echo systemd
	command -v gcc >/dev/null || echo gcc
	test -e /usr/include/stdlib.h || echo libc6-dev
}

# As Debian calls them.
turbojpeg=libturbojpeg0 browser=chromium
if grep -qs '^ID=ubuntu' /etc/os-release; then turbojpeg=libturbojpeg browser=chromium-browser; fi

packages=$(echo $(missing))
if [ -z "$packages" ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
	echo "the tests need $packages (Debian's names): install them, then run make test again" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
	as_root='sudo -n'
	if ! $as_root true 2>/dev/null; then
		echo "the tests need more packages: run sudo apt-get install $packages, then make test again" >&2
		exit 1
	fi
fi

echo "installing what the tests need: $packages"
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages </dev/null

if systemctl is-active --quiet mosquitto 2>/dev/null; then
	echo "note: Debian started mosquitto on port 1883, the port of make run's own broker; the tests use neither."
	echo "      To free it: sudo systemctl disable --now mosquitto"
fi

still=$(echo $(missing))
if [ -n "$still" ]; then
	echo "installed, yet not found: $still; see apt's output above" >&2
	exit 1
fi
