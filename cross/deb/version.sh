#!/bin/sh
# Prints the package's version, from git: v1.2.3 is 1.2.3; later commits sort
# after it, and everything sorts before the first release.
set -eu
cd "$(dirname "$0")/../.."
if [ -n "${DEB_VERSION:-}" ]; then echo "$DEB_VERSION"; exit 0; fi
dirty=
git diff --quiet HEAD -- 2>/dev/null || dirty=+changed
if found=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
	echo "$(echo "${found#v}" | sed 's/-\([0-9]*\)-g\([0-9a-f]*\)$/+\1.\2/; s/-/~/')$dirty"
else
	echo "0~$(git log -1 --format=%cd --date=format:%Y%m%d%H%M 2>/dev/null || echo 0).$(git rev-parse --short HEAD 2>/dev/null || echo unknown)$dirty"
fi
