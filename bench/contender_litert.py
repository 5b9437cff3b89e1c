"""The daemon's own models through LiteRT's Python interpreter and OpenCV, as
somebody writes it who knows both: every step over pixels in OpenCV, every step
over anchors in one numpy expression, tensors without copies.

With --all-steps it also does what the daemon does beside that: it shrinks frames
without aliasing, lets the landmark network look at weak detections, and measures
the face's quality."""

import pathlib

import frames

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

DETECTOR, CELLS, LANDMARKS, FACE = 192, 48, 48, 112
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
SCORE, OVERLAP, PROBABILITY = 0.3, 0.3, 0.5
WEAK, CERTAIN, SURE, LOOKS = 0.05, 0.5, 0.98, 6


class Model:
    def __init__(self, path, mean, std):
        self.net = Interpreter(model_path=str(path), num_threads=1)
        self.net.allocate_tensors()
        (detail,) = self.net.get_input_details()
        scale, zero = detail["quantization"]
        self.input = self.net.tensor(detail["index"])
        (signature,) = self.net.get_signature_list().values()
        details = self.net.get_signature_runner().get_output_details()
        self.outputs = {name: (self.net.tensor(details[name]["index"]), details[name]) for name in signature["outputs"]}
        # A table from a level to the input's integer.
        levels = np.rint((np.arange(256) - mean) / std / scale + zero)
        self.table = np.clip(levels, -128, 127).astype(np.int8).view(np.uint8)

    def __call__(self, rgb):
        cv2.LUT(rgb, self.table, dst=self.input()[0].view(np.uint8))
        self.net.invoke()

    def output(self, name):
        tensor, detail = self.outputs[name]
        value = tensor()[0]
        if detail["dtype"] == np.float32:
            return value
        scale, zero = detail["quantization"]
        return np.float32(scale) * (value.astype(np.float32) - zero)


def make(models, all_steps):
    models = pathlib.Path(models)
    detector = Model(models / "detector.tflite", 127.5, 127.5)
    landmarks = Model(models / "landmarks.tflite", 127.5, 128)
    embedding = Model(models / "embedding.tflite", 127.5, 128)
    known = np.random.default_rng(1).normal(size=(frames.PEOPLE, 192)).astype(np.float32)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    step = DETECTOR / CELLS
    ys, xs = np.mgrid[0:CELLS, 0:CELLS]
    anchors = (np.stack([xs, ys], -1).reshape(-1, 2) + 0.5) * step
    floor = WEAK if all_steps else SCORE
    least = np.log(floor / (1 - floor))
    shrink = cv2.INTER_AREA if all_steps else cv2.INTER_LINEAR
    canvas = np.zeros((DETECTOR, DETECTOR, 3), np.uint8)
    a = TEMPLATE - TEMPLATE.mean(0)

    def detect(rgb):
        height, width = rgb.shape[:2]
        scale = max(width, height) / DETECTOR
        w, h = round(width / scale), round(height / scale)
        x, y = (DETECTOR - w) // 2, (DETECTOR - h) // 2
        cv2.resize(rgb, (w, h), dst=canvas[y:y + h, x:x + w], interpolation=shrink)
        detector(canvas)
        logits = detector.output("scores").reshape(-1)
        (at,) = np.nonzero(logits >= least)
        if not len(at):
            return []
        scores = 1 / (1 + np.exp(-logits[at]))
        raw = detector.output("boxes")[at, :4]
        centre = (raw[:, :2] + anchors[at] - (x, y)) * scale
        extent = raw[:, 2:] * scale
        boxes = np.concatenate([centre - extent / 2, extent], 1)
        order = np.argsort(-scores)
        boxes, scores, found = boxes[order], scores[order], []
        while len(boxes):
            top, end = np.maximum(boxes[0, :2], boxes[:, :2]), np.minimum(boxes[0, :2] + boxes[0, 2:], boxes[:, :2] + boxes[:, 2:])
            inner = np.clip(end - top, 0, None).prod(1)
            same = inner > OVERLAP * (boxes[0, 2:].prod() + boxes[:, 2:].prod(1) - inner)
            same[0] = True
            found.append((np.average(boxes[same], 0, scores[same]), scores[0]))
            boxes, scores = boxes[~same], scores[~same]
        return found

    def doubts(rgb, found):
        """Lets the landmark network decide on what is not certain."""
        looks = 0
        for box, score in found:
            if score >= CERTAIN:
                yield box
            elif looks < LOOKS:
                looks += 1
                if locate(rgb, box, SURE) is not None:
                    yield box

    def measure(face):
        gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        middle = gray[FACE // 4:FACE - FACE // 8, FACE // 5:FACE - FACE // 5]
        mean, deviation = cv2.meanStdDev(middle)
        detail = cv2.norm(cv2.Laplacian(middle, cv2.CV_16S)) / middle.size ** 0.5
        return mean[0, 0], deviation[0, 0], detail / (deviation[0, 0] + 1)

    def locate(rgb, box, least=PROBABILITY):
        side = max(box[2], box[3])
        zoom = side * 1.1 / LANDMARKS
        corner = box[:2] + box[2:] / 2 + (0, -0.04 * side) - zoom * LANDMARKS / 2
        # x and y exchanged, as the network wants it; pixel centres at halves.
        view = np.array([[0, zoom, corner[0] + zoom / 2 - 0.5], [zoom, 0, corner[1] + zoom / 2 - 0.5]])
        landmarks(cv2.warpAffine(rgb, view, (LANDMARKS, LANDMARKS), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))
        if landmarks.output("probability")[1] < least:
            return None
        points = landmarks.output("landmarks").reshape(2, 5).T * LANDMARKS
        return points * zoom + corner

    def align(rgb, points):
        b = points - points.mean(0)
        norm = (b * b).sum()
        re, im = (a * b).sum() / norm, (b[:, 0] * a[:, 1] - b[:, 1] * a[:, 0]).sum() / norm
        linear = np.array([[re, -im], [im, re]])
        shift = TEMPLATE.mean(0) - linear @ points.mean(0)
        shift += linear @ (0.5, 0.5) - 0.5
        return cv2.warpAffine(rgb, np.column_stack([linear, shift]), (FACE, FACE), flags=cv2.INTER_LINEAR)

    def look(rgb):
        faces = 0
        found = detect(rgb)
        for box in doubts(rgb, found) if all_steps else [box for box, _ in found]:
            points = locate(rgb, box)
            if points is None:
                continue
            face = align(rgb, points)
            if all_steps:
                measure(face)
            embedding(face)
            vector = embedding.output("embedding").reshape(-1)
            vector = vector / np.linalg.norm(vector)
            (known @ vector).argmax()
            faces += 1
        return faces

    return look


if __name__ == "__main__":
    frames.main(make)
