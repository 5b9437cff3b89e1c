#!/usr/bin/env python3
"""Tries landmark crops on one half of the people, and checks them on the other.

    make build && python3 models/build/tune.py --images DIR
    .cache/models-venv/bin/python models/build/tune.py --images DIR --passes 2

DIR is a folder in LFW's layout. Each crop is measured by `facerecd eval`, through
the daemon's own code: false rejects at a false-accept rate of 1e-3 over every
pair of photos of that half. That needs Python alone.

With --passes 2 the shipped crop is kept, and one look at the landmarks is
compared with two (passes.py); the daemon cannot do that, so it needs the
builder's packages.
"""

import argparse
import itertools
import json
import pathlib
import random
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCALES = [1.0, 1.05, 1.1, 1.15, 1.2, 1.3]
SHIFTS = [-0.08, -0.04, 0.0]


def halves(images: pathlib.Path) -> list[list[pathlib.Path]]:
    people = sorted(p for p in images.iterdir() if p.is_dir())
    return [people[0::2], people[1::2]]


def split(images: pathlib.Path, into: pathlib.Path) -> None:
    """Links half of the people into `into`/a/images and half into `into`/b/images,
    with a pairs.txt each, which `facerecd eval` asks for."""
    for name, chosen in zip("ab", halves(images)):
        folder = into / name / "images"
        folder.mkdir(parents=True)
        for person in chosen:
            (folder / person.name).symlink_to(person.resolve())
        photos = {p: sorted(int(f.stem[-4:]) for f in p.glob("*.jpg")) for p in chosen}
        several = [p for p in chosen if len(photos[p]) > 1]
        draw = random.Random(19)
        same = [f"{p.name}\t{photos[p][0]}\t{photos[p][1]}" for p in several]
        different = []
        for p in several:
            other = draw.choice([q for q in chosen if q != p])
            different.append(f"{p.name}\t{photos[p][0]}\t{other.name}\t{photos[other][0]}")
        (into / name / "pairs.txt").write_text("\n".join([str(len(same)), *same, *different]) + "\n")


def measure(pack: pathlib.Path, data: pathlib.Path) -> float:
    out = subprocess.run(
        [ROOT / "bin/facerecd", "eval", "--identify", "--json", "--models", pack,
         "--images", data / "images", "--pairs", data / "pairs.txt"],
        check=True, capture_output=True, text=True, cwd=ROOT)
    return 100 * json.loads(out.stdout)["quality"]["frr_before"]


def try_crops(images: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        split(images, scratch)
        pack = scratch / "pack"
        shutil.copytree(ROOT / "models", pack, ignore=shutil.ignore_patterns("build", "LICENSES"))
        manifest = json.loads((pack / "manifest.json").read_text())
        print("| scale | shift | false rejects, tuned half | other half |\n| --- | --- | --- | --- |")
        for scale, shift in itertools.product(SCALES, SHIFTS):
            manifest["pipeline"]["landmarks"] |= {"crop_scale": scale, "crop_shift": [0, shift]}
            (pack / "manifest.json").write_text(json.dumps(manifest))
            print(f"| {scale} | {shift} | {measure(pack, scratch / 'a'):.2f} % | {measure(pack, scratch / 'b'):.2f} % |", flush=True)


def try_passes(images: pathlib.Path) -> None:
    import passes  # needs numpy and LiteRT, which trying crops does not

    tuned, other = ([photo for person in half for photo in sorted(person.glob("*.jpg"))] for half in halves(images))
    for line in passes.compare(tuned, other, ROOT / "models"):
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=pathlib.Path, required=True)
    parser.add_argument("--passes", type=int, choices=(1, 2), default=1,
                        help="1: try crops for the one look (the default); 2: compare one look with two")
    args = parser.parse_args()
    (try_crops if args.passes == 1 else try_passes)(args.images)


if __name__ == "__main__":
    main()
