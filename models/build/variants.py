"""Writes packs to compare the shipped one with: the same networks in float32,
with int8 weights alone (dynamic range), and with those where XNNPACK has a kernel
for them, which is everywhere but in depthwise convolutions (dynamic-dense).

    python models/build/variants.py --out .cache/packs
    facerecd eval … --models .cache/packs/float32 --against models
"""

import argparse
import logging
import pathlib

from ai_edge_quantizer import quantizer, recipe

import make
import manifest
import measured


DENSE = ("CONV_2D", "FULLY_CONNECTED")


def dynamic(model: bytes, operations: tuple[str, ...] = ("*",)) -> bytes:
    logging.getLogger().setLevel(logging.ERROR)
    (rule,) = recipe.dynamic_wi8_afp32()
    rules = [rule | {"operation": operation} for operation in operations]
    return bytes(quantizer.Quantizer(model, rules).quantize().quantized_model)


def write(folder: pathlib.Path, models: dict[str, bytes], how: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for role, content in models.items():
        (folder / f"{role}.tflite").write_bytes(content)
    described = {role: manifest.describe(role, content, how) for role, content in models.items()}
    manifest.write(folder / "manifest.json", described, measured.load(), f"facerecd-{folder.name}-1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the packs")
    parser.add_argument("--cache", type=pathlib.Path, default=make.CACHE, help="where fetched packages are kept")
    args = parser.parse_args()

    models = make.float_models(args.cache)
    write(args.out / "float32", models, "none: not quantised")
    write(args.out / "dynamic", {role: dynamic(model) for role, model in models.items()}, "none: only weights are int8")
    write(args.out / "dynamic-dense", {role: dynamic(model, DENSE) for role, model in models.items()},
          "none: only weights are int8, and not those of depthwise convolutions")


if __name__ == "__main__":
    main()
