"""Labeled Faces in the Wild: reading a pairs file, and the figures its protocol
defines."""

import dataclasses
import pathlib

import numpy as np


@dataclasses.dataclass
class Pairs:
    left: list[str]
    right: list[str]
    same: np.ndarray
    fold: np.ndarray

    @property
    def names(self) -> list[str]:
        return sorted(set(self.left) | set(self.right))


def photo(person: str, number: str | int) -> str:
    return f"{person}/{person}_{int(number):04d}.jpg"


def read_pairs(path: pathlib.Path) -> Pairs:
    lines = [line.split("\t") for line in path.read_text().splitlines() if line.strip()]
    folds, each = (int(v) for v in lines[0])
    pairs = Pairs([], [], np.zeros(folds * each * 2, bool), np.repeat(np.arange(folds), each * 2))
    for i, fields in enumerate(lines[1:]):
        pairs.same[i] = len(fields) == 3
        one, other = (fields[:2], fields[::2]) if len(fields) == 3 else (fields[:2], fields[2:])
        pairs.left.append(photo(*one))
        pairs.right.append(photo(*other))
    return pairs


def score(pairs: Pairs, vectors: dict[str, np.ndarray | None]) -> dict:
    """Ten-fold accuracy and the rate of true accepts at one false accept in a
    thousand. A pair with a photo in which no face was found counts as
    "different", so it is an error when they are the same person."""
    missing = [name for name in pairs.names if vectors.get(name) is None]
    cosine = np.array([
        -1.0 if vectors.get(a) is None or vectors.get(b) is None else float(vectors[a] @ vectors[b])
        for a, b in zip(pairs.left, pairs.right)])
    accuracies, thresholds = [], []
    for fold in np.unique(pairs.fold):
        train, test = pairs.fold != fold, pairs.fold == fold
        threshold = best_threshold(cosine[train], pairs.same[train])
        thresholds.append(threshold)
        accuracies.append(np.mean((cosine[test] >= threshold) == pairs.same[test]))
    impostors = np.sort(cosine[~pairs.same])[::-1]
    limit = impostors[int(len(impostors) * 1e-3)]
    return {
        "pairs": len(cosine),
        "accuracy": round(float(np.mean(accuracies)), 5),
        "std": round(float(np.std(accuracies)), 5),
        "threshold": round(float(np.mean(thresholds)), 4),
        "tar_at_far_1e3": round(float(np.mean(cosine[pairs.same] > limit)), 5),
        "not_detected": len(missing),
    }


def best_threshold(cosine: np.ndarray, same: np.ndarray) -> float:
    """The middle of the gap at which most pairs are told apart."""
    order = np.argsort(cosine, kind="stable")
    c, s = cosine[order], same[order]
    right = np.concatenate([[0], np.cumsum(~s)]) + s.sum() - np.concatenate([[0], np.cumsum(s)])
    cut = int(np.argmax(right))
    edges = np.concatenate([[c[0] - 1e-3], c, [c[-1] + 1e-3]])
    return float((edges[cut] + edges[cut + 1]) / 2)
