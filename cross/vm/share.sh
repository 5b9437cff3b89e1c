#!/bin/sh
# Makes the folder that the guest runs its tests from.
#
#   cross/vm/share.sh ARCH SHARE
#
# It holds the package, the photos, and the tests, compiled for the guest.
set -eu
arch=$1 share=$2
cd "$(dirname "$0")/../.."
rm -rf "$share"
mkdir -p "$share"
go=${GO:-go}
for package in capture/v4l2 cross/vm; do
	CGO_ENABLED=0 GOARCH=$arch $go test -c -tags vm -trimpath -o "$share/$(basename $package).test" ./$package
done
cp -r .cache/photos "$share/"
cp dist/facerecd_*_"$arch".deb "$share/facerecd.deb"
cp cross/vm/guest-run "$share/run"
