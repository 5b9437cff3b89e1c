"""The recognition pipeline in numpy: what the daemon does, spelled out.

The builder calibrates and measures with it, and the Go code's golden files come
from it. Coordinates are continuous: pixel i covers [i, i+1) and its centre is
i + 0.5. Points and boxes are in pixels of the photo.
"""

import dataclasses
import math

import numpy as np
from ai_edge_litert.interpreter import Interpreter

DETECTOR_SIZE, CELLS = 192, 48
DETECTOR_SHORT_SIZE = 128
LANDMARKS_SIZE = 48
FACE_SIZE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])

SETTINGS = {
    "detector": {"family": "blazeface-full", "mean": 127.5, "std": 127.5, "score_threshold": 0.3, "iou_threshold": 0.3},
    "detector_short": {"family": "blazeface-short", "mean": 127.5, "std": 127.5, "score_threshold": 0.5, "iou_threshold": 0.3},
    "landmarks": {"mean": 127.5, "std": 128, "transposed": True, "crop_scale": 1.1, "crop_shift": [0, -0.04], "passes": 1},
    "embedding": {"mean": 127.5, "std": 128, "size": 192, "norm": [25, 75], "template": TEMPLATE.tolist()},
}


@dataclasses.dataclass
class Detection:
    box: np.ndarray  # x, y, width, height
    score: float
    keypoints: np.ndarray  # 6 x 2: eyes, nose, mouth, ears


@dataclasses.dataclass
class Face:
    detection: Detection
    probability: float  # that the landmark network sees a face
    landmarks: np.ndarray  # 5 x 2: eyes, nose, mouth corners
    embedding: np.ndarray  # unit vector


class Model:
    """A TFLite model that takes and gives real numbers, quantised or not."""

    def __init__(self, content: bytes):
        self._net = Interpreter(model_content=content, num_threads=1)
        self._net.allocate_tensors()
        (self.input,) = self._net.get_input_details()
        (signature,) = self._net.get_signature_list().values()
        runner = self._net.get_signature_runner()
        self.names = sorted(signature["outputs"])
        self.outputs = [runner.get_output_details()[name] for name in self.names]

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The input tensor as the model stores it."""
        if self.input["dtype"] == np.float32:
            return x.astype(np.float32)[None]
        scale, zero = self.input["quantization"]
        info = np.iinfo(self.input["dtype"])
        return np.clip(np.rint(x / np.float32(scale)) + zero, info.min, info.max).astype(self.input["dtype"])[None]

    def raw(self, stored: np.ndarray) -> list[np.ndarray]:
        self._net.set_tensor(self.input["index"], stored)
        self._net.invoke()
        return [self._net.get_tensor(d["index"]) for d in self.outputs]

    def __call__(self, x: np.ndarray) -> list[np.ndarray]:
        real = []
        for detail, value in zip(self.outputs, self.raw(self.encode(x))):
            if value.dtype != np.float32:
                scale, zero = detail["quantization"]
                value = np.float32(scale) * (value.astype(np.float32) - zero)
            real.append(value[0])
        return real


def sample(image: np.ndarray, to_image: np.ndarray, size: int) -> np.ndarray:
    """Draws a size x size picture whose point p shows the image at
    to_image @ [p, 1]. A shrinking pixel is the mean of k x k bilinear samples
    spread evenly over it, k being the shrink factor rounded up; outside the
    image is black."""
    k = max(1, math.ceil(math.sqrt(abs(np.linalg.det(to_image[:, :2]))) - 1e-6))
    steps = (np.arange(size * k) + 0.5) / k
    x = to_image[0, 0] * steps[None, :] + to_image[0, 1] * steps[:, None] + to_image[0, 2] - 0.5
    y = to_image[1, 0] * steps[None, :] + to_image[1, 1] * steps[:, None] + to_image[1, 2] - 0.5
    height, width = image.shape[:2]
    # Two black pixels around the image stand for all that is outside.
    padded = np.zeros((height + 4, width + 4, 3), np.float32)
    padded[2:-2, 2:-2] = image
    x, y = np.clip(x, -2, width + 0.999) + 2, np.clip(y, -2, height + 0.999) + 2
    x0, y0 = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = (x - x0).astype(np.float32)[..., None], (y - y0).astype(np.float32)[..., None]
    at = y0 * (width + 4) + x0
    flat = padded.reshape(-1, 3)
    top = flat[at] * (1 - fx) + flat[at + 1] * fx
    bottom = flat[at + width + 4] * (1 - fx) + flat[at + width + 5] * fx
    fine = top * (1 - fy) + bottom * fy
    return fine.reshape(size, k, size, k, 3).mean(axis=(1, 3))


def letterbox(image: np.ndarray, size: int) -> np.ndarray:
    """The transform under which the whole image, centred, just fits."""
    height, width = image.shape[:2]
    scale = max(width, height) / size
    return np.array([[scale, 0, (width - scale * size) / 2], [0, scale, (height - scale * size) / 2]])


def square(box: np.ndarray, scale: float, shift: tuple[float, float], size: int) -> np.ndarray:
    """The transform that shows a square around a box."""
    side = max(box[2], box[3])
    cx, cy = box[0] + box[2] / 2 + shift[0] * side, box[1] + box[3] / 2 + shift[1] * side
    step = side * scale / size
    return np.array([[step, 0, cx - step * size / 2], [0, step, cy - step * size / 2]])


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ transform[:, :2].T + transform[:, 2]


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least-squares rotation, scale and shift from source to target
    (Umeyama; never a reflection)."""
    a, b = source - source.mean(0), target - target.mean(0)
    # With complex numbers z -> w*z, the best w is <a, b> / <a, a>.
    norm = (a ** 2).sum()
    re, im = (a * b).sum() / norm, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / norm
    linear = np.array([[re, -im], [im, re]])
    return np.column_stack([linear, target.mean(0) - linear @ source.mean(0)])


def invert(transform: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(transform[:, :2])
    return np.column_stack([linear, -linear @ transform[:, 2]])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x.astype(np.float64), -100, 100)))


def decode(raw: np.ndarray, logits: np.ndarray, threshold: float, to_image: np.ndarray) -> list[Detection]:
    """Raw boxes and keypoints are offsets from the centre of their cell, in
    pixels of the detector's input."""
    scores = sigmoid(logits.reshape(-1))
    found = []
    step = DETECTOR_SIZE / CELLS
    for i in np.flatnonzero(scores >= threshold):
        centre = np.array([(i % CELLS + 0.5) * step, (i // CELLS + 0.5) * step])
        values = raw[i].astype(np.float64)
        middle, extent = apply(to_image, centre + values[:2]), values[2:4] * to_image[0, 0]
        keypoints = apply(to_image, centre + values[4:].reshape(6, 2))
        found.append(Detection(np.concatenate([middle - extent / 2, extent]), float(scores[i]), keypoints))
    return found


def iou(a: np.ndarray, b: np.ndarray) -> float:
    shared = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    if (shared <= 0).any():
        return 0.0
    inner = shared[0] * shared[1]
    return float(inner / (a[2] * a[3] + b[2] * b[3] - inner))


def merge(found: list[Detection], threshold: float) -> list[Detection]:
    """Weighted suppression: the best box takes in all that overlap it, each
    weighing as much as its score, and keeps the best score."""
    left = sorted(found, key=lambda d: -d.score)
    merged = []
    while left:
        group = [d for d in left if d is left[0] or iou(left[0].box, d.box) > threshold]
        left = [d for d in left if not any(d is g for g in group)]
        weights = np.array([d.score for d in group])
        mean = lambda values: np.tensordot(weights, np.stack(values), 1) / weights.sum()
        merged.append(Detection(mean([d.box for d in group]), group[0].score, mean([d.keypoints for d in group])))
    return merged


class Pipeline:
    def __init__(self, detector: Model, landmarks: Model, embedding: Model, settings: dict = SETTINGS):
        self.detector, self.landmarks, self.embedding, self.settings = detector, landmarks, embedding, settings

    def _normalise(self, role: str, pixels: np.ndarray) -> np.ndarray:
        s = self.settings[role]
        return ((pixels - np.float32(s["mean"])) / np.float32(s["std"])).astype(np.float32)

    # The crops: what each network sees, as real numbers.

    def detector_input(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        to_image = letterbox(image, DETECTOR_SIZE)
        return self._normalise("detector", sample(image, to_image, DETECTOR_SIZE)), to_image

    def detector_short_input(self, image: np.ndarray) -> np.ndarray:
        return self._normalise("detector_short", sample(image, letterbox(image, DETECTOR_SHORT_SIZE), DETECTOR_SHORT_SIZE))

    def landmarks_input(self, image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s = self.settings["landmarks"]
        to_image = square(box, s["crop_scale"], s["crop_shift"], LANDMARKS_SIZE)
        crop = self._normalise("landmarks", sample(image, to_image, LANDMARKS_SIZE))
        return (crop.transpose(1, 0, 2) if s["transposed"] else crop), to_image

    def embedding_input(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        to_image = invert(similarity(points, TEMPLATE))
        return self._normalise("embedding", sample(image, to_image, FACE_SIZE))

    def detect(self, image: np.ndarray) -> list[Detection]:
        s = self.settings["detector"]
        x, to_image = self.detector_input(image)
        raw, logits = self.detector(x)
        return merge(decode(raw, logits, s["score_threshold"], to_image), s["iou_threshold"])

    def locate(self, image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, float]:
        x, to_image = self.landmarks_input(image, box)
        _, points, probability = self.landmarks(x)
        return apply(to_image, points.reshape(2, 5).T.astype(np.float64) * LANDMARKS_SIZE), float(probability[1])

    def embed(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        (vector,) = self.embedding(self.embedding_input(image, points))
        return vector / np.linalg.norm(vector)

    def face(self, image: np.ndarray, detection: Detection) -> Face:
        points, probability = self.locate(image, detection.box)
        return Face(detection, probability, points, self.embed(image, points))


def central(detections: list[Detection], image: np.ndarray) -> Detection | None:
    """The face a portrait is of: the one nearest the middle."""
    height, width = image.shape[:2]
    off = lambda d: math.hypot(d.box[0] + d.box[2] / 2 - width / 2, d.box[1] + d.box[3] / 2 - height / 2)
    return min(detections, key=off, default=None)
