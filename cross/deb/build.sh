#!/bin/sh
# Makes dist/facerecd_VERSION_ARCH.deb.
#
#   cross/deb/build.sh amd64|arm64 [DIST]
#
# Packs what make has built and fetched: bin/linux-ARCH/facerecd, the runtime,
# the models, and bin/facerecd, which is asked for its manual. The same commit
# gives the same bytes: every time in the package is the commit's.
set -eu
umask 022
export LC_ALL=C TZ=UTC
arch=$1
cd "$(dirname "$0")/../.."
dist=${2:-dist}
go=${GO:-go}
# nfpm writes .deb files without Debian's tools. It is run, not imported: a
# module of the project's would be one more thing in everybody's build.
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2

version=$(cross/deb/version.sh)
# git refuses a checkout that belongs to somebody else: then a time of ours.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH

# What is installed, laid out as it will be.
stage=.cache/deb/$arch
rm -rf "$stage"
root=$stage/root share=$stage/root/usr/share
install -D -m 755 -t "$root/usr/bin" "bin/linux-$arch/facerecd"
install -D -m 644 -t "$root/usr/lib/facerecd" ".cache/litert/$arch/libLiteRt.so"
install -m 755 -t "$root/usr/lib/facerecd" deploy/debian/make-token
install -D -m 644 -t "$root/usr/lib/facerecd/models" models/*.tflite models/manifest.json
install -D -m 644 -t "$root/usr/lib/systemd/system" deploy/systemd/*.service
install -D -m 644 deploy/systemd/facerecd.sysusers "$root/usr/lib/sysusers.d/facerecd.conf"
install -D -m 644 deploy/debian/lintian-overrides "$share/lintian/overrides/facerecd"

doc=$share/doc/facerecd
install -D -m 644 -t "$doc" deploy/debian/copyright deploy/debian/README.md CHANGELOG.md
install -m 644 models/README.md "$doc/models.md"
$go run ./cross/release/parts -binary "bin/linux-$arch/facerecd" -licences "$doc/LICENSES.modules"
printf 'facerecd (%s) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' "$version" \
	"$(sed -n 's/^maintainer: *//p' cross/deb/nfpm.yaml)" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" >"$doc/changelog"
gzip -9n "$doc/LICENSES.modules" "$doc/models.md" "$doc/CHANGELOG.md" "$doc/changelog"

$go run ./cross/deb/reference -program bin/facerecd -config deploy/systemd/facerecd.yaml \
	-version "$version" -date "$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)" -out "$share"
gzip -9n "$share"/man/man?/*
install -D -m 640 -t "$stage/etc" deploy/systemd/facerecd.yaml

# What the library itself asks for: readelf --version-info.
case $arch in
amd64) LIBC='libc6 (>= 2.27)' LIBSTDCXX='libstdc++6 (>= 6)' ;;
arm64) LIBC='libc6 (>= 2.34)' LIBSTDCXX='libstdc++6 (>= 12)' ;;
*) echo "no package for $arch: amd64 or arm64" >&2; exit 2 ;;
esac
INSTALLED_SIZE=$(du -k --apparent-size -s "$root" | cut -f 1)
export LIBC LIBSTDCXX INSTALLED_SIZE ARCH="$arch" VERSION="$version" STAGE="$stage"
mkdir -p "$dist"
rm -f "$dist"/facerecd_*_"$arch".deb
$go run "$nfpm" package --config cross/deb/nfpm.yaml --packager deb --target "$dist/facerecd_${version}_$arch.deb"
ls -l "$dist/facerecd_${version}_$arch.deb"
