"""Writes manifest.json: what is in the pack, where it came from, and how the
daemon is to use it."""

import json
import pathlib
import re

import numpy as np

import fetch
from pipeline import SETTINGS, Model


def describe(role: str, content: bytes, calibration: str) -> dict:
    source = fetch.SOURCES[role]
    model = Model(content)
    return {
        "file": f"{role}.tflite",
        "sha256": fetch.digest(content),
        "bytes": len(content),
        "licence": source.licence,
        "source": {
            "package": source.package,
            "version": source.version,
            "file": source.file,
            "package_sha256": source.package_sha256,
            "sha256": source.sha256,
        },
        "input": [tensor("image", model.input)],
        "output": [tensor(name, detail) for name, detail in zip(model.names, model.outputs)],
        "calibration": calibration,
    }


def tensor(name: str, detail: dict) -> dict:
    scale, zero = detail["quantization"]
    return {
        "name": name,
        "shape": [int(v) for v in detail["shape"]],
        "type": np.dtype(detail["dtype"]).name,
        "scale": float(scale),
        "zero_point": int(zero),
    }


def write(path: pathlib.Path, models: dict[str, dict], measured: dict, pack_id: str = "facerecd-int8-1") -> None:
    pack = {
        "version": 1,
        "id": pack_id,
        "models": models,
        "pipeline": SETTINGS,
        "decision": measured["decision"],
        "accuracy": measured["accuracy"],
    }
    path.write_text(pretty(pack))


def pretty(value) -> str:
    """JSON for people: a list of numbers stays on one line."""
    inline = lambda match: "[" + ", ".join(re.findall(r"[^\s,\[\]]+", match[0])) + "]"
    return re.sub(r"\[[-+.\deE,\s]*\]", inline, json.dumps(value, indent=2)) + "\n"
