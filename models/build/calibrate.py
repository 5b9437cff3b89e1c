"""Calibration: which values flow through each float model on the crops that the
pipeline itself makes. Only ranges are kept, never a picture."""

import json
import pathlib

import numpy as np
from PIL import Image, ImageFilter

import observe
import pipeline

PHOTOS = 600
# The range an int8 tensor covers: of the extremes seen in each input, the value
# that one in a hundred exceeds. Lower cuts more than it sharpens.
QUANTILE = 0.99


def photos(folder: pathlib.Path, count: int, seed: int) -> list[np.ndarray]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.choice(len(paths), min(count, len(paths)), replace=False))
    return [vary(Image.open(paths[i]).convert("RGB"), rng) for i in chosen]


def vary(photo: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """What a camera would have made of it: mirrored or not, nearer or farther,
    sharper or softer, brighter or darker."""
    if rng.random() < 0.5:
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        scale = rng.uniform(0.35, 1)
        photo = photo.resize([max(1, round(side * scale)) for side in photo.size], Image.Resampling.BOX)
    if rng.random() < 0.3:
        photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    pixels = np.asarray(photo, np.float32)
    if rng.random() < 0.5:
        pixels = pixels * rng.uniform(0.4, 1.5) + rng.uniform(-25, 25)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def wall(images: list[np.ndarray], across: int) -> np.ndarray:
    """Photos side by side: small faces, as in a room."""
    side = max(max(image.shape[:2]) for image in images)
    canvas = np.zeros((across * side, across * side, 3), np.uint8)
    for i, image in enumerate(images[: across * across]):
        y, x = i // across * side, i % across * side
        canvas[y:y + image.shape[0], x:x + image.shape[1]] = image
    return canvas


def crops(images: list[np.ndarray], pipe: pipeline.Pipeline) -> dict[str, list[np.ndarray]]:
    """The inputs of the networks over these photos."""
    inputs = {"detector": [], "detector_short": [], "landmarks": [], "embedding": []}
    walls = [wall(images[at:], across) for across in (2, 3) for at in range(0, len(images) // 4, across * across)]
    for image in walls + images:
        inputs["detector"].append(pipe.detector_input(image)[0])
        inputs["detector_short"].append(pipe.detector_short_input(image))
    for image in images:
        face = pipeline.central(pipe.detect(image), image)
        if face is None:
            continue
        inputs["landmarks"].append(pipe.landmarks_input(image, face.box)[0])
        points, _ = pipe.locate(image, face.box)
        inputs["embedding"].append(pipe.embedding_input(image, points))
    return inputs


def observe_all(folder: pathlib.Path, models: dict[str, bytes]) -> dict[str, dict]:
    pipe = pipeline.Pipeline(*(pipeline.Model(models[role]) for role in ("detector", "landmarks", "embedding")))
    inputs = crops(photos(folder, PHOTOS, seed=1), pipe)
    return {
        role: {
            "from": f"{len(inputs[role])} inputs the pipeline made of {PHOTOS} varied photos of {folder.parent.name}",
            "ranges": observe.ranges(models[role], inputs[role], QUANTILE),
        }
        for role in models}


def save(path: pathlib.Path, record: dict) -> None:
    rounded = lambda row: [float(f"{v:.4g}") for v in row]
    lines = [f'  "from": {json.dumps(record["from"])}', '  "ranges": {']
    tensors = [
        f"    {json.dumps(name)}: [{json.dumps(rounded(low))},\n      {json.dumps(rounded(high))}]"
        for name, (low, high) in record["ranges"].items()]
    path.write_text("{\n" + lines[0] + ",\n" + lines[1] + "\n" + ",\n".join(tensors) + "\n  }\n}\n")


def load(path: pathlib.Path) -> dict:
    record = json.loads(path.read_text())
    record["ranges"] = {name: np.asarray(pair, np.float32) for name, pair in record["ranges"].items()}
    return record
