#!/bin/sh
# Proves that the package has the same bytes wherever it is built, and has
# lintian look at it.
#
#   cross/deb/check.sh ARCH
#
# The second build is in another folder, without Go's cache, with another umask
# and time zone. lintian is installed where it is missing (Debian, as root).
set -eu
arch=$1
cd "$(dirname "$0")/../.."
here=$PWD

# Said once: the tree may change meanwhile.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
DEB_VERSION=$(cross/deb/version.sh)
version=$(git describe --tags --always --dirty)
export SOURCE_DATE_EPOCH DEB_VERSION
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
git ls-files -z --cached --others --exclude-standard --deduplicate | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh |
	tar --null --files-from=- --create --file=- | tar -x -C "$elsewhere"
mkdir -p "$elsewhere/.cache"
ln -s "$here/.cache/litert" "$elsewhere/.cache/litert"

make -s deb "ARCH=$arch" "VERSION=$version"
first=$here/dist/facerecd_${DEB_VERSION}_$arch.deb
echo 'building it again, elsewhere and from nothing ...'
(umask 077 && TZ=Asia/Tokyo GOCACHE="$elsewhere/go-cache" make -s -C "$elsewhere" deb "ARCH=$arch" "VERSION=$version")
if ! cmp "$first" "$elsewhere/dist/$(basename "$first")"; then
	echo "the package is not reproducible: compare $first with a second build, file by file" >&2
	for deb in "$first" "$elsewhere/dist/$(basename "$first")"; do
		dpkg-deb --fsys-tarfile "$deb" | tar -t -v --full-time >"$elsewhere/$(echo "$deb" | cksum | cut -d ' ' -f 1).list"
	done
	diff "$elsewhere"/*.list >&2 || true
	exit 1
fi
echo "the same bytes twice: $(sha256sum <"$first" | cut -c 1-64)"

if ! command -v lintian >/dev/null; then
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends lintian </dev/null
fi
lintian --allow-root --fail-on error "$first"
