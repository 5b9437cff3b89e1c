#!/usr/bin/env python3
"""Compares facerecd with other ways to recognise the faces of the same photos:

    bench/compare.py [--images DIR] [--frames N] [--rounds N] [--cpu-time] [--core N]

It makes the whole table on one core, in one run. The contenders take turns, so
that whatever else the machine does meets them all, and each has one thread. What
the table has of each is the median frame of its best round. The Python packages,
pinned in requirements.txt, go to .cache/bench-venv. Needs Linux, `make build deps`,
and Python 3.11 or 3.12 on x86-64 or aarch64.
"""

import argparse
import hashlib
import json
import pathlib
import platform
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / ".cache" / "bench-venv"

CONTENDERS = {
    "Python LiteRT + OpenCV, same models": ["contender_litert.py"],
    "the same, with all the daemon's steps": ["contender_litert.py", "--all-steps"],
    "Python face_recognition 1.3.0 (dlib)": ["contender_face_recognition.py"],
}
CAMERAS = [("yuyv", "640x480"), ("mjpeg", "1280x720")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default=str(ROOT / ".cache" / "photos"))
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--cpu-time", action="store_true", help="for a machine that is busy with something else")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    python = venv()
    result = {"machine": machine(), "clock": "cpu" if args.cpu_time else "wall", "frames": args.frames, "rounds": args.rounds, "cameras": {}}
    for fmt, size in CAMERAS:
        best = {}
        for _ in range(args.rounds):
            for name, ms in one_round(python, args, fmt, size).items():
                best[name] = min(best.get(name, ms), ms)
        result["cameras"][f"{fmt} {size}"] = best
    print(json.dumps(result, indent=2) if args.json else table(result))


def one_round(python, args, fmt, size):
    clock = ["--cpu-time"] if args.cpu_time else []
    pinned = ["taskset", "-c", str(args.core)]
    ours = run(pinned + [
        str(ROOT / "bin" / "facerecd"), "bench", "--images", args.images, "--camera-format", fmt, "--size", size,
        "--frames", str(max(args.frames, 20)), "--warmup", "10", "--people", "1000", "--json", *clock])
    times = {"facerecd": ours["end_to_end_ms"], "its models alone": ours["raw_model_ms"]}
    for name, (program, *more) in CONTENDERS.items():
        out = run(pinned + [
            str(python), str(HERE / program), "--images", args.images, "--format", fmt, "--size", size,
            "--frames", str(args.frames), *more, *clock])
        times[name] = statistics.median(out["ms"])
    return times


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def table(result):
    lines = [f"{result['machine']}; one core, {result['clock']} time, median of {result['frames']} frames, best of {result['rounds']} rounds", ""]
    names = list(next(iter(result["cameras"].values())))
    lines += ["| ms a frame with one face | " + " | ".join(result["cameras"]) + " |", "|---" * (len(result["cameras"]) + 1) + "|"]
    for name in names:
        cells = []
        for times in result["cameras"].values():
            cells.append(f"{times[name]:.2f} ({times[name] / times['facerecd']:.2f} x)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine():
    try:
        model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        model = platform.machine()
    return model


def venv():
    """Makes the Python environment, unless it is there as requirements ask."""
    wanted = HERE / "requirements.txt"
    stamp = VENV / ".stamp"
    digest = hashlib.sha256(wanted.read_bytes() + (HERE / "requirements-face.txt").read_bytes()).hexdigest()
    python = VENV / "bin" / "python"
    if stamp.exists() and stamp.read_text() == digest:
        return python
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [*pip, "--only-binary=:all:", "-r", str(wanted)],
        # The two are source packages without anything to compile, and ask for
        # dlib, in whose place dlib-bin is.
        [*pip, "--no-deps", "--no-build-isolation", "-r", str(HERE / "requirements-face.txt")],
    ):
        subprocess.run(command, check=True)
    stamp.write_text(digest)
    return python


if __name__ == "__main__":
    main()
