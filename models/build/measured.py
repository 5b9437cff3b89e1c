"""What was measured with the pack, kept as numbers in measured.json because the
photos are not the project's to give. It comes from the daemon's own code:

    facerecd eval --images DIR --pairs FILE --identify --calibrate 5e-5 --json \\
        --models .cache/packs/float32 --against models > eval.json
    python models/build/measured.py eval.json "lfw-dev: what the photos are"
"""

import json
import math
import pathlib
import sys

PATH = pathlib.Path(__file__).resolve().parent / "measured.json"
MARGIN = 0.05
KEYS = ["pairs", "accuracy", "std", "threshold", "tar_at_far_1e3", "not_detected", "identification"]


def load() -> dict:
    return json.loads(PATH.read_text())


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 5) if isinstance(value, float) else value


def main() -> None:
    float32 = json.loads(pathlib.Path(sys.argv[1]).read_text())
    int8 = float32["against"]
    fit = int8["calibration"]
    figures = {
        "decision": {
            "threshold": math.ceil(fit["threshold"] * 100) / 100,
            "margin": MARGIN,
            "confidence": {"slope": round(fit["slope"], 3), "offset": round(fit["offset"], 3)},
        },
        "accuracy": {
            "data": sys.argv[2],
            "command": "facerecd eval --images DIR --pairs FILE --identify --calibrate 5e-5",
            "float32": {key: float32[key] for key in KEYS},
            "int8": {key: int8[key] for key in KEYS},
        },
    }
    PATH.write_text(json.dumps(rounded(figures), indent=2) + "\n")


if __name__ == "__main__":
    main()
