"""Builds the model pack: fetch, rewrite, quantise, describe.

    python models/build/make.py --out models

The same input gives the same bytes on every machine. The ranges of activations
come from calibration/*.json; --calibrate DIR measures them again on a folder of
photos of people and rewrites those files.
"""

import argparse
import pathlib

import calibrate
import equalise
import fetch
import manifest
import measured
import quantise
import surgery

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "models"

# What stays float: layers that cost next to nothing there and whose rounding
# harms most. At the end it would go straight into the result; at the start of
# the embedding, two layers made half of the whole error.
KEEP_FLOAT = {
    "detector": ["classifier_face_4", "regressor_face_4", "scores", "boxes"],
    "detector_short": [
        # The blocks of 8x8: two thirds of the error, a tenth of the work.
        *(f"conv2d_{n}" for n in range(12, 17)), *(f"activation_{n}" for n in range(12, 17)),
        "classificator_8", "classificator_16", "regressor_8", "regressor_16",
        "reshape", "reshape_1", "reshape_2", "reshape_3", "scores", "boxes",
    ],
    "landmarks": ["onet/conv6-1/conv6-1", "box", "landmarks", "probability"],
    "embedding": [
        "MobileFaceNet/MobileFaceNet/Conv2d_0/BatchNorm/FusedBatchNorm",
        "MobileFaceNet/MobileFaceNet/SeparableConv2d/BatchNorm/FusedBatchNorm",
        "MobileFaceNet/Logits/SeparableConv2d/BatchNorm/FusedBatchNorm",
        "MobileFaceNet/Logits/Conv/BatchNorm/FusedBatchNorm",
        "MobileFaceNet/Logits/LinearConv1x1/BatchNorm/FusedBatchNorm",
        "embedding",
    ],
}


def float_models(cache: pathlib.Path) -> dict[str, bytes]:
    return {role: surgery.SURGERY[role](fetch.model(source, cache)) for role, source in fetch.SOURCES.items()}


def quantised(role: str, model: bytes, ranges: dict) -> bytes:
    # The full-range detector has PADs too, but ships as it was measured.
    model, ranges = equalise.equalise(model, ranges, through_pad=role == "detector_short")
    return quantise.quantise(model, ranges | {"image": quantise.pixels(role)}, KEEP_FLOAT[role])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent, help="folder of the model pack")
    parser.add_argument("--cache", type=pathlib.Path, default=CACHE, help="where fetched packages are kept")
    parser.add_argument("--calibrate", type=pathlib.Path, metavar="DIR", help="measure ranges again on these photos")
    parser.add_argument("--float", action="store_true", help="also write the rewritten float models, as *.float.tflite")
    args = parser.parse_args()

    models = float_models(args.cache)
    if args.calibrate:
        for role, record in calibrate.observe_all(args.calibrate, models).items():
            calibrate.save(HERE / "calibration" / f"{role}.json", record)

    args.out.mkdir(parents=True, exist_ok=True)
    described = {}
    for role, model in models.items():
        record = calibrate.load(HERE / "calibration" / f"{role}.json")
        content = quantised(role, model, record["ranges"])
        (args.out / f"{role}.tflite").write_bytes(content)
        if args.float:
            (args.out / f"{role}.float.tflite").write_bytes(model)
        described[role] = manifest.describe(role, content, record["from"])
        print(f"{role}.tflite {len(content)} bytes, sha256 {fetch.digest(content)}")
    manifest.write(args.out / "manifest.json", described, measured.load())


if __name__ == "__main__":
    main()
