#!/usr/bin/env python3
"""Fetches what the repository does not hold, into .cache/:

    fetch.py runtime [--arch amd64|arm64|all]   libLiteRt.so, which runs the models
    fetch.py gpu [--arch amd64|arm64|all]       the same, with the library for GPUs beside it
    fetch.py photos                             the demo photos, and the demo camera's folder
    fetch.py backgrounds                        photos without people, to measure detection on

Packages come through pip, from whichever index it is set up to use, and their
hashes are pinned in the requirements.txt files. Each file that is kept has its
own hash here, so a file that is already right is not fetched again. Needs
Python 3.9 and pip, nothing else.
"""

import argparse
import hashlib
import os
import pathlib
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache"

# Per GOARCH: pip's name of the platform, and sha256 of the library. The aarch64
# wheel says glibc 2.27 but its library asks for 2.34.
RUNTIMES = {
    "amd64": ("manylinux_2_27_x86_64", "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb"),
    "arm64": ("manylinux_2_27_aarch64", "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b"),
}
# From the same wheels: libLiteRtWebGpuAccelerator.so, which docs/gpu.md is about.
ACCELERATORS = {
    "amd64": "b67f193ae6eb8ad3a15349f54aba696c97d6f981c92bc2eb1096cbe9e2835b25",
    "arm64": "5f271fa4a36f9dd8d1f8514971b2e80f46bd92b1066509cdd9c0716723d6091a",
}
RUNTIME_LICENCE = "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4"

PHOTOS = {
    "biden.jpg": "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
    "obama.jpg": "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
    "obama2.jpg": "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
    "obama3.jpg": "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
    "obama_partial_face.jpg": "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
    "obama_partial_face2.jpg": "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
}

# Photos without people, from the sample data of scikit-image (public domain or
# CC0, the motorcycle from the Middlebury stereo data) and scikit-learn (china
# and flower, CC BY 2.0 by danielbuechele and vultilion). Left out: those with
# people in them, and what is no photo of a place or a thing. A cat is in.
BACKGROUNDS = {
    "skimage/data": {
        "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
        "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
        "moon.png": "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577",
        "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
        "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    },
    "sklearn/datasets/images": {
        "china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        "flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    },
}

# What the demo camera shows: somebody whom the other two obama photos enrol,
# and somebody whom nobody enrols.
DEMO = ["biden.jpg", "obama.jpg"]

# pip asks a source package's build backend for its name before it hands the
# package over, which would fetch setuptools and run the package's setup.py.
# This answers in its place; the hash has proved by then which package it is.
NAME_ONLY_BACKEND = '''
import os

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    info = "face_recognition-1.3.0.dist-info"
    os.mkdir(os.path.join(directory, info))
    with open(os.path.join(directory, info, "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\\nName: face-recognition\\nVersion: 1.3.0\\n")
    return info

class __legacy__:
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
'''


class Failure(Exception):
    """Something the user can act on; the text says how."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["runtime", "gpu", "photos", "backgrounds"])
    parser.add_argument("--arch", choices=[*RUNTIMES, "all"], help="runtime and gpu only; default: this machine's")
    args = parser.parse_args()
    if args.what == "photos":
        fetch_photos()
        return
    if args.what == "backgrounds":
        fetch_backgrounds()
        return
    for arch in RUNTIMES if args.arch == "all" else [args.arch or this_arch()]:
        fetch_runtime(arch, gpu=args.what == "gpu")


def this_arch():
    machine = platform.machine().lower()
    names = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    if machine not in names:
        raise Failure(f"LiteRT is not published for {machine}: use a 64-bit system, or name one with --arch")
    return names[machine]


def fetch_runtime(arch, gpu):
    tag, sha256 = RUNTIMES[arch]
    folder = CACHE / "litert" / arch
    wanted = {"libLiteRt.so": sha256, "LICENSE": RUNTIME_LICENCE}
    if gpu:
        wanted["libLiteRtWebGpuAccelerator.so"] = ACCELERATORS[arch]
    if have(folder, wanted):
        print(f"the LiteRT runtime for {arch} is already in {show(folder)}")
        return
    print(f"fetching the LiteRT runtime for {arch} (22 MB) ...", flush=True)
    options = ["--only-binary=:all:", "--platform", tag, "--implementation", "cp", "--python-version", "3.12"]
    with tempfile.TemporaryDirectory() as temp:
        with zipfile.ZipFile(pip_download(HERE / "runtime", options, temp, "*.whl")) as wheel:
            for name in wheel.namelist():
                base = name.rsplit("/", 1)[-1]
                if base in wanted and (name == f"ai_edge_litert/{base}" or name.endswith(".dist-info/licenses/LICENSE")):
                    keep(wheel.read(name), folder / base, wanted[base])
    finish(folder, wanted)


def fetch_photos():
    folder, demo = CACHE / "photos", CACHE / "demo"
    shown = {name: PHOTOS[name] for name in DEMO}
    if have(folder, PHOTOS) and have(demo, shown):
        print(f"the demo photos are already in {show(folder)}")
        return
    print("fetching the demo photos (3 MB) ...", flush=True)
    with tempfile.TemporaryDirectory() as temp:
        backend = pathlib.Path(temp, "backend", "setuptools")
        backend.mkdir(parents=True)
        (backend / "__init__.py").touch()
        (backend / "build_meta.py").write_text(NAME_ONLY_BACKEND)
        options = ["--no-binary=:all:", "--use-pep517", "--no-build-isolation"]
        path = pip_download(HERE / "photos", options, temp, "*.tar.gz", PYTHONPATH=str(backend.parent))
        with tarfile.open(path) as package:
            for name in PHOTOS:
                data = package.extractfile(f"face_recognition-1.3.0/tests/test_images/{name}").read()
                keep(data, folder / name, PHOTOS[name])
                if name in shown:
                    keep(data, demo / name, PHOTOS[name])
    for stray in set(demo.iterdir()) - {demo / name for name in DEMO}:
        stray.unlink()  # an earlier choice; the demo camera plays the whole folder
    finish(folder, PHOTOS)


def fetch_backgrounds():
    folder = CACHE / "backgrounds"
    wanted = {name: sha256 for files in BACKGROUNDS.values() for name, sha256 in files.items()}
    if have(folder, wanted):
        print(f"the backgrounds are already in {show(folder)}")
        return
    print("fetching photos for backgrounds (28 MB) ...", flush=True)
    # The photos are the same in every wheel; the hashes are of these.
    options = ["--only-binary=:all:", "--platform", "manylinux_2_17_x86_64", "--implementation", "cp", "--python-version", "3.12"]
    with tempfile.TemporaryDirectory() as temp:
        pip_download(HERE / "backgrounds", options, temp, "*.whl")
        for path in pathlib.Path(temp).glob("*.whl"):
            with zipfile.ZipFile(path) as wheel:
                held = set(wheel.namelist())
                for inside, files in BACKGROUNDS.items():
                    for name, sha256 in files.items():
                        if f"{inside}/{name}" in held:
                            keep(wheel.read(f"{inside}/{name}"), folder / name, sha256)
    finish(folder, wanted)


def pip_download(requirements, options, temp, pattern, **env):
    """Downloads what the folder's requirements.txt pins; returns a file of it."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        raise Failure(f"{sys.executable} has no pip: install it (on Debian: sudo apt install python3-pip), then try again")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", *options,
               "--require-hashes", "-r", str(requirements / "requirements.txt"), "--dest", temp]
    if subprocess.run(command, env={**os.environ, **env}).returncode != 0:
        raise Failure("pip could not fetch the package, for the reason above: check the network and pip's settings (pip config list), then try again")
    return next(pathlib.Path(temp).glob(pattern))


def have(folder, wanted):
    return all(digest(folder / name) == sha256 for name, sha256 in wanted.items())


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def keep(data, path, sha256):
    """Writes a file whole or not at all, and only if it is the one expected."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise Failure(f"{path.name} has the sha256 {found}, expected {sha256}: the package changed; nothing was kept")
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{os.getpid()}")
    temp.write_bytes(data)
    temp.replace(path)


def finish(folder, wanted):
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise Failure(f"the package no longer holds {', '.join(missing)}")
    print(f"wrote {', '.join(wanted)} to {show(folder)}")


def show(path):
    return os.path.relpath(path)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"fetch.py: {failure}")
    except OSError as failure:
        sys.exit(f"fetch.py: {failure}: free some space or fix the permissions of .cache, then try again")
    except KeyboardInterrupt:
        sys.exit(130)
