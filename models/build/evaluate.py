"""Measures the pack with the numpy pipeline on photos in the layout of Labeled
Faces in the Wild, and times float, any other packs and int8 in turn. What ships
comes from the daemon's own code (see measured.py); this is the second opinion.

    python models/build/evaluate.py --images DIR --pairs FILE --pack dynamic=.cache/packs/dynamic
"""

import argparse
import itertools
import json
import math
import pathlib
import time

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from PIL import Image

import lfw
import make
import pipeline

ROLES = ("detector", "landmarks", "embedding")
BUILT_IN = ("float32", "int8")
FAR = 5e-5  # of comparisons between different people, how many may pass
MARGIN = 0.05


def embed_all(models: dict[str, bytes], folder: pathlib.Path, names: list[str]) -> dict[str, np.ndarray | None]:
    pipe = pipeline.Pipeline(*(pipeline.Model(models[role]) for role in ROLES))
    vectors = {}
    for name in names:
        image = np.asarray(Image.open(folder / name).convert("RGB"))
        face = pipeline.central(pipe.detect(image), image)
        vectors[name] = None if face is None else pipe.face(image, face).embedding
    return vectors


def every_pair(vectors: dict[str, np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
    """The cosines of all pairs of photos of one person, and of different people."""
    names = [name for name in sorted(vectors) if vectors[name] is not None]
    matrix = np.stack([vectors[name] for name in names])
    people = np.array([name.split("/")[0] for name in names])
    upper = np.triu_indices(len(names), 1)
    cosine, same = (matrix @ matrix.T)[upper], (people[:, None] == people[None, :])[upper]
    return cosine[same], np.sort(cosine[~same])[::-1]


def logistic(genuine: np.ndarray, impostor: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the probability that two photos show one person, if
    both answers are equally likely beforehand."""
    x = np.concatenate([genuine, impostor]).astype(np.float64)
    y = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    weight = np.where(y == 1, 0.5 / len(genuine), 0.5 / len(impostor))
    design, beta = np.stack([x, np.ones_like(x)], 1), np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weight * (y - p))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design
        beta = beta + np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
    return float(beta[0]), float(beta[1])


def open_set(vectors: dict[str, np.ndarray | None], rules: list[tuple[float, float]]) -> list[dict]:
    """Enrols one photo each of half of the people and shows all other photos:
    who is named, rightly or wrongly, under each (threshold, margin)."""
    names = [name for name in sorted(vectors) if vectors[name] is not None]
    people = {person: list(group) for person, group in itertools.groupby(names, key=lambda n: n.split("/")[0])}
    enrolled = list(people)[::2]
    gallery = np.stack([vectors[people[person][0]] for person in enrolled])
    probes = [(person, vectors[name]) for person in people
              for name in (people[person][1:] if person in enrolled else people[person])]
    table = []
    for threshold, margin in rules:
        right = wrong = stranger = strangers = 0
        for person, vector in probes:
            scores = gallery @ vector
            first, second = np.argsort(scores)[::-1][:2]
            named = scores[first] >= threshold and scores[first] - scores[second] >= margin
            known = person in enrolled
            strangers += not known
            right += bool(named and known and enrolled[first] == person)
            wrong += bool(named and known and enrolled[first] != person)
            stranger += bool(named and not known)
        table.append({"threshold": threshold, "margin": margin, "enrolled": len(enrolled), "known": len(probes) - strangers, "right": right,
                      "wrong": wrong, "strangers": strangers, "strangers_named": stranger})
    return table


class Runner:
    """A model in the daemon's runtime, on one thread. It runs on noise; an
    operator that XNNPACK does not take runs too, only slowly."""

    def __init__(self, content: bytes):
        self._model = CompiledModel.from_buffer(content)
        self.accelerated = self._model.is_fully_accelerated()
        self._input, self._output = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        described = pipeline.Model(content)
        noise = np.random.default_rng(1).uniform(-1, 1, described.input["shape"][1:])
        self._input[0].write(described.encode(noise))

    def __call__(self) -> None:
        self._model.run_by_index(0, self._input, self._output)


def milliseconds(runners: dict[str, Runner], runs: int = 300) -> dict[str, float]:
    """Median time of a run: processor time, which is that of the one thread but
    not of other programs, the packs taking turns so that what those do to the
    caches falls on all of them alike."""
    took = {label: [] for label in runners}
    for _ in range(runs):
        for label, run in runners.items():
            start = time.process_time()
            run()
            took[label].append(time.process_time() - start)
    return {label: round(float(np.median(times)) * 1e3, 3) for label, times in took.items()}


def read_pack(folder: pathlib.Path) -> dict[str, bytes]:
    return {role: (folder / f"{role}.tflite").read_bytes() for role in ROLES}


def labelled(text: str) -> tuple[str, pathlib.Path]:
    label, is_pair, folder = text.partition("=")
    if not (label and is_pair and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=DIR")
    if label in BUILT_IN:
        raise argparse.ArgumentTypeError(f"{label!r} is measured anyway: choose another label")
    missing = [f"{role}.tflite" for role in ROLES if not (pathlib.Path(folder) / f"{role}.tflite").is_file()]
    if missing:
        raise argparse.ArgumentTypeError(f"{folder} has no {', '.join(missing)}: variants.py makes packs")
    return label, pathlib.Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path, default=make.HERE.parent)
    parser.add_argument("--pack", type=labelled, action="append", default=[], metavar="LABEL=DIR",
                        help="measure this one too, with the same settings; may be repeated")
    parser.add_argument("--cache", type=pathlib.Path, default=make.CACHE)
    args = parser.parse_args()
    if len({label for label, _ in args.pack}) < len(args.pack):
        parser.error("--pack: two packs have one label")

    pairs = lfw.read_pairs(args.pairs)
    names = sorted(str(path.relative_to(args.images)) for path in args.images.rglob("*.jpg"))
    packs = {"float32": make.float_models(args.cache)}
    packs |= {label: read_pack(folder) for label, folder in args.pack}
    packs["int8"] = read_pack(args.models)
    for label, models in packs.items():
        vectors = embed_all(models, args.images, names)
        genuine, impostor = every_pair(vectors)
        print(label, json.dumps(lfw.score(pairs, vectors)))
        print("  all pairs:", len(genuine), "same,", len(impostor), "different;", {
            f"tar_at_far_{far:g}": round(float(np.mean(genuine > impostor[int(len(impostor) * far)])), 5)
            for far in (1e-3, 1e-4, 1e-5)})
        print("  bytes:", {role: len(models[role]) for role in ROLES}, flush=True)
    total = dict.fromkeys(packs, 0.0)
    for role in ROLES:
        runners = {label: Runner(models[role]) for label, models in packs.items()}
        took = milliseconds(runners)
        total = {label: round(total[label] + took[label], 3) for label in packs}
        print("ms", role, took, "not fully accelerated:",
              ", ".join(label for label, runner in runners.items() if not runner.accelerated) or "none")
    print("ms of the three", total, "of float32", {label: round(total[label] / total["float32"], 2) for label in packs})

    # The int8 pack came last, and is the one that ships.
    threshold = round(math.ceil(impostor[int(len(impostor) * FAR)] * 100) / 100, 2)
    slope, offset = logistic(genuine, impostor)
    print("threshold", threshold, "FAR", float(np.mean(impostor >= threshold)), "TAR", float(np.mean(genuine >= threshold)))
    steps = [round(threshold + step, 2) for step in (-0.04, 0, 0.04, 0.08)]
    for row in open_set(vectors, [(t, m) for t in steps for m in (0, MARGIN, 0.1)]):
        print(" ", json.dumps(row))
    print("confidence: slope", round(slope, 3), "offset", round(offset, 3))


if __name__ == "__main__":
    main()
