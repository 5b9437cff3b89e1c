"""What each step of the embedding's quantisation is worth.

    python models/build/ablate.py --images DIR --pairs FILE

Detector and landmarks are the shipped ones, so only the embedding changes from
row to row: 1 - cosine to the float embedding of the same crop, and the figures
of the LFW protocol.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

import calibrate
import equalise
import evaluate
import lfw
import make
import observe
import pipeline
import quantise


def variants(model: bytes, inputs: list[np.ndarray]):
    full, cut = (observe.ranges(model, inputs, q) for q in (1.0, calibrate.QUANTILE))
    keep = make.KEEP_FLOAT["embedding"]
    last = keep[-4:]
    build = lambda m, r, floats: quantise.quantise(m, r | {"image": quantise.pixels("embedding")}, floats)
    yield "int8, min/max", build(model, full, [])
    yield "+ last layers float", build(model, full, last)
    yield "+ channels equalised", build(*equalise.equalise(model, full), last)
    yield "+ ranges cut at 99 %", build(*equalise.equalise(model, cut), last)
    yield "+ first two layers float", build(*equalise.equalise(model, cut), keep)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path, default=make.HERE.parent)
    parser.add_argument("--cache", type=pathlib.Path, default=make.CACHE)
    args = parser.parse_args()

    floats = make.float_models(args.cache)
    build = lambda models: pipeline.Pipeline(*(pipeline.Model(models[role]) for role in evaluate.ROLES))
    shipped = build({role: (args.models / f"{role}.tflite").read_bytes() for role in evaluate.ROLES})
    pairs = lfw.read_pairs(args.pairs)
    crops = {}
    for name in pairs.names:
        image = np.asarray(Image.open(args.images / name).convert("RGB"))
        face = pipeline.central(shipped.detect(image), image)
        if face is not None:
            crops[name] = shipped.embedding_input(image, shipped.locate(image, face.box)[0])

    def embed(content: bytes) -> dict[str, np.ndarray]:
        model = pipeline.Model(content)
        return {name: vector / np.linalg.norm(vector) for name, vector in ((n, model(x)[0]) for n, x in crops.items())}

    want = embed(floats["embedding"])
    print("float32", lfw.score(pairs, want))
    photos = calibrate.photos(args.images, calibrate.PHOTOS, seed=1)
    for label, content in variants(floats["embedding"], calibrate.crops(photos, build(floats))["embedding"]):
        got = embed(content)
        off = np.mean([1 - want[name] @ got[name] for name in crops])
        print(f"{label}: {off:.4f}", lfw.score(pairs, got), f"{len(content)} bytes", flush=True)


if __name__ == "__main__":
    main()
