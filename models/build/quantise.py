"""Turns a float model into int8, given the range of every tensor."""

import logging
import re

import numpy as np
from ai_edge_quantizer import qtyping, quantizer, recipe
from ai_edge_quantizer.algorithm_manager import AlgorithmName

from pipeline import SETTINGS


def pixels(role: str) -> np.ndarray:
    """The range of a model's input: that of a byte, normalised."""
    s = SETTINGS[role]
    reach = np.float32(127.5) / np.float32(s["std"])
    return np.array([[-reach], [reach]], np.float32)


def quantise(model: bytes, ranges: dict[str, np.ndarray], keep_float: list[str]) -> bytes:
    """Weights get a scale per output channel, activations one per tensor; the
    operators whose output tensors are in keep_float stay as they are."""
    logging.getLogger().setLevel(logging.ERROR)
    worker = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    for name in keep_float:
        worker.update_quantization_recipe(
            re.escape(name), qtyping.TFLOperationName.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE)
    statistics = {
        name: {"min": np.full((1, 1), low.min(), np.float32), "max": np.full((1, 1), high.max(), np.float32)}
        for name, (low, high) in ranges.items()}
    return bytes(worker.quantize(statistics, enable_progress_report=False, enable_progress_bar=False).quantized_model)
