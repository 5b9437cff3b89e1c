#!/bin/sh
# Makes everything that is published, in dist/: packages, the Pi image, tar files
# for other systems, bills of materials (CycloneDX), and SHA256SUMS.
#
#   cross/release/release.sh
#
# The tree must be as committed (CHANGED=allow lets it be otherwise). Packages,
# tar files and bills have the same bytes wherever they are made from a commit;
# the image has those of the day's Debian. NO_IMAGE=1 leaves it out: it needs root.
set -eu
umask 022
export LC_ALL=C TZ=UTC
cd "$(dirname "$0")/../.."
go=${GO:-go}

if [ "${CHANGED:-}" != allow ] && [ -n "$(git status --porcelain)" ]; then
	echo 'the tree has changes that are not committed; a release is made from a commit:' >&2
	git status --short >&2
	exit 1
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
DEB_VERSION=$(cross/deb/version.sh) # said once
export SOURCE_DATE_EPOCH DEB_VERSION
version=$DEB_VERSION
rm -rf dist
mkdir dist

for arch in amd64 arm64; do
	make deb "ARCH=$arch"
	$go run ./cross/release/parts -binary "bin/linux-$arch/facerecd" -version "$version" -sbom "dist/facerecd_${version}_$arch.cdx.json"

	# For systems without dpkg: the same files, to be laid over /.
	name=facerecd_${version}_linux-$arch
	tree=.cache/release/$name
	rm -rf "$tree"
	mkdir -p "$tree/etc/facerecd"
	cp -r ".cache/deb/$arch/root/." "$tree/"
	rm -rf "$tree/usr/share/lintian"
	cp ".cache/deb/$arch/etc/facerecd.yaml" "$tree/etc/facerecd/"
	install -m 644 LICENSE "$tree/usr/share/doc/facerecd/LICENSE"
	tar -c -C .cache/release --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" |
		gzip -9n >"dist/$name.tar.gz"
done
if [ -z "${NO_IMAGE:-}" ]; then
	rm -f .cache/image/base.key # with Debian's packages of today
	make image
fi
(cd dist && sha256sum -- * >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
ls -l dist
