"""What was measured with the pack, kept as numbers in measured.json because the
photos are not the project's to give. `evaluate.py` makes them."""

import json
import pathlib

PATH = pathlib.Path(__file__).resolve().parent / "measured.json"


def load() -> dict:
    return json.loads(PATH.read_text())


def save(figures: dict) -> None:
    PATH.write_text(json.dumps(figures, indent=2) + "\n")
