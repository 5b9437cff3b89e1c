"""Is a second look of the landmark network worth it? The first look finds the
landmarks in a crop around the detector's box; a second crop is placed by these
landmarks, and they are found again in it. The daemon looks once, so the numpy
pipeline answers.

    python models/build/tune.py --images DIR --passes 2
"""

import dataclasses
import pathlib
import typing

import numpy as np
from PIL import Image

import evaluate
import pipeline


@dataclasses.dataclass
class Look:
    photo: pathlib.Path
    box: np.ndarray  # the detector's
    points: np.ndarray  # what the first look found


@dataclasses.dataclass
class Layout:
    """How landmarks lie in a crop, in shares of its side."""

    middle: np.ndarray
    spread: float  # their distance from the middle, root mean square


def layout(points: np.ndarray, to_image: np.ndarray) -> Layout:
    shares = pipeline.apply(pipeline.invert(to_image), points) / pipeline.LANDMARKS_SIZE
    middle = shares.mean(0)
    return Layout(middle, float(np.sqrt(((shares - middle) ** 2).sum(1).mean())))


def first_crop(settings: dict, box: np.ndarray) -> np.ndarray:
    return pipeline.square(box, settings["crop_scale"], settings["crop_shift"], pipeline.LANDMARKS_SIZE)


def again(settings: dict, box: np.ndarray, points: np.ndarray, middle: np.ndarray, spread: float | None) -> np.ndarray:
    """The box whose crop has the middle of the points there; of the size of the
    first crop, or of that in which the points have this spread."""
    to_image = first_crop(settings, box)
    side = to_image[0, 0] * pipeline.LANDMARKS_SIZE
    if spread is not None:
        side *= layout(points, to_image).spread / spread
    centre = points.mean(0) + (0.5 - middle) * side
    extent = side / settings["crop_scale"]
    return np.concatenate([centre - extent / 2 - np.asarray(settings["crop_shift"]) * extent, [extent, extent]])


def first_looks(pipe: pipeline.Pipeline, photos: list[pathlib.Path]) -> list[Look]:
    looks = []
    for photo in photos:
        image = read(photo)
        face = pipeline.central(pipe.detect(image), image)
        if face is not None:
            looks.append(Look(photo, face.box, pipe.locate(image, face.box)[0]))
    return looks


def usual(settings: dict, looks: list[Look]) -> Layout:
    found = [layout(look.points, first_crop(settings, look.box)) for look in looks]
    return Layout(np.mean([f.middle for f in found], 0), float(np.mean([f.spread for f in found])))


def embeddings(pipe: pipeline.Pipeline, looks: list[Look], middle: np.ndarray | None, spread: float | None) -> dict[str, np.ndarray]:
    """By "person/photo"; without a middle, from the first look alone."""
    vectors = {}
    for look in looks:
        image, points = read(look.photo), look.points
        if middle is not None:
            points, _ = pipe.locate(image, again(pipe.settings["landmarks"], look.box, points, middle, spread))
        vectors[f"{look.photo.parent.name}/{look.photo.name}"] = pipe.embed(image, points)
    return vectors


def figures(vectors: dict[str, np.ndarray]) -> str:
    """False rejects at one false accept in a thousand, over every pair; and d',
    the distance of the two means in standard deviations, which has less noise."""
    same, different = evaluate.every_pair(vectors)
    rejected = np.mean(same <= different[int(len(different) * 1e-3)])
    distance = (same.mean() - different.mean()) / np.sqrt((same.var() + different.var()) / 2)
    return f"{100 * rejected:.2f} %, {distance:.3f}"


def compare(tuned: list[pathlib.Path], other: list[pathlib.Path], models: pathlib.Path) -> typing.Iterator[str]:
    """Rows of a table. What is usual is learnt from the tuned half alone."""
    pipe = pipeline.Pipeline(*(pipeline.Model(content) for content in evaluate.read_pack(models).values()))
    halves = [first_looks(pipe, photos) for photos in (tuned, other)]
    aim = usual(pipe.settings["landmarks"], halves[0])
    yield f"photos with a face: {len(halves[0])} of {len(tuned)}, {len(halves[1])} of {len(other)};" \
          f" landmarks usually in {aim.middle.round(3).tolist()} of the crop, spread {aim.spread:.3f}\n"
    yield "| looks | false rejects and d', tuned half | other half |\n| --- | --- | --- |"
    centre = np.array([0.5, 0.5])
    for label, middle, spread in (
            ("one", None, None),
            ("two: moved, landmarks in the middle", centre, None),
            ("two: moved, landmarks where they usually are", aim.middle, None),
            ("two: the same, and sized as usual", aim.middle, aim.spread),
            ("two: the same, a tenth larger", aim.middle, aim.spread / 1.1)):
        yield f"| {label} | {' | '.join(figures(embeddings(pipe, looks, middle, spread)) for looks in halves)} |"


def read(photo: pathlib.Path) -> np.ndarray:
    return np.asarray(Image.open(photo).convert("RGB"))
