"""Evens out the channels of a float model before it is quantised.

An int8 tensor has one scale for all its channels, so a channel that stays small
gets few of the 256 steps. Convolution, RELU and PRELU let a positive factor per
channel through: multiplying a channel where it is made and dividing where it is
used leaves the function as it was, and lets every channel use the full range.
Weights have a scale per output channel, so between a convolution and a
depthwise one this costs nothing; before a full convolution it trades weight
steps for activation steps, so there the factor is only the square root. (A
square root is exact on every machine; other powers are not.) See Nagel et al.,
"Data-free quantization through weight equalization and bias correction" (2019).
"""

import numpy as np

from graph import Graph

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def equalise(model: bytes, ranges: dict[str, np.ndarray]) -> tuple[bytes, dict[str, np.ndarray]]:
    g, ranges = Graph(model), dict(ranges)
    for maker in [op for op in g.ops if g.kind(op) in CONVOLUTIONS]:
        tensors, user = _path(g, int(maker.outputs[0]))
        if user is None:
            continue
        extent = np.maximum.reduce([np.abs(ranges[g.name(t)]).max(0) for t in tensors])
        extent = np.maximum(extent, extent.max() * 1e-2)
        factor = extent.max() / extent
        if g.kind(user) == "CONV_2D":
            factor = np.sqrt(factor)
        factor = factor.astype(np.float32)
        _scale(g, int(maker.inputs[1]), factor, axis=0 if g.kind(maker) == "CONV_2D" else 3)
        _scale(g, int(maker.inputs[2]), factor, axis=0)
        _scale(g, int(user.inputs[1]), 1 / factor, axis=3)
        for t in tensors:
            ranges[g.name(t)] = ranges[g.name(t)] * factor
    g.compact()
    return g.bytes(), ranges


def _path(g: Graph, start: int):
    """The tensors from a convolution to the only convolution that uses it,
    with nothing but PRELU or pooling between."""
    tensors = [start]
    while True:
        users = g.consumers(tensors[-1])
        if len(users) != 1 or tensors[-1] in g.sub.outputs:
            return tensors, None
        if g.kind(users[0]) in CONVOLUTIONS:
            return tensors, users[0]
        if g.kind(users[0]) not in ("PRELU", "MAX_POOL_2D"):
            return tensors, None
        tensors.append(int(users[0].outputs[0]))


def _scale(g: Graph, constant: int, factor: np.ndarray, axis: int) -> None:
    value = g.constant(constant)
    g.set_constant(constant, value * factor.reshape([-1 if i == axis else 1 for i in range(value.ndim)]))
