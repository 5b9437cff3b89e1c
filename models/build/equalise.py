"""Evens out the channels of a float model before it is quantised.

An int8 tensor has one scale for all its channels, so a channel that stays small
gets few of the 256 steps. Convolutions, sums, RELU, PRELU and pooling let a
positive factor per channel through: multiplying a channel where it is made and
dividing where it is used leaves the function as it was, and lets every channel
use the full range.

Weights have a scale per output channel, so before a depthwise convolution this
costs nothing. Before a full convolution it trades weight steps for activation
steps, so there the factor is only the square root. (A square root is exact on
every machine; other powers are not.) See Nagel et al., "Data-free quantization
through weight equalization and bias correction" (2019).
"""

import numpy as np

from graph import Graph

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
CARRIERS = ("ADD", "PRELU", "MAX_POOL_2D", "RESIZE_BILINEAR")
SMALLEST = 1e-2  # a channel this far below the largest is as good as empty


def equalise(model: bytes, ranges: dict[str, np.ndarray], through_pad: bool = False) -> tuple[bytes, dict[str, np.ndarray]]:
    """Also across a PAD that appends channels, if through_pad is set."""
    g, ranges = Graph(model), dict(ranges)
    for tensors in _streams(g, through_pad):
        makers = [op for op in g.ops if int(op.outputs[0]) in tensors and g.kind(op) in CONVOLUTIONS]
        users = [op for op in g.ops if int(op.inputs[0]) in tensors and g.kind(op) in CONVOLUTIONS]
        extent = _joint([np.abs(ranges[g.name(t)]).max(0) for t in tensors])
        factor = extent.max() / np.maximum(extent, extent.max() * np.float32(SMALLEST))
        if any(g.kind(op) == "CONV_2D" for op in users):
            factor = np.sqrt(factor)
        for op in makers:
            _scale(g, int(op.inputs[1]), factor, axis=0 if g.kind(op) == "CONV_2D" else 3)
            _scale(g, int(op.inputs[2]), factor, axis=0)
        for op in users:
            _scale(g, int(op.inputs[1]), 1 / factor, axis=3)
        for t in tensors:
            ranges[g.name(t)] = ranges[g.name(t)] * factor[:ranges[g.name(t)].shape[1]]
    g.compact()
    return g.bytes(), ranges


def _joint(extents: list[np.ndarray]) -> np.ndarray:
    """The greatest extent of each channel. PAD appends empty channels, so the
    tensors before it have fewer than those after it."""
    widest = max(map(len, extents))
    return np.maximum.reduce([np.pad(extent, (0, widest - len(extent))) for extent in extents])


def _streams(g: Graph, through_pad: bool) -> list[list[int]]:
    """Groups of tensors that must share their factors, because sums or the like
    join them, and that begin and end in convolutions only."""
    leader: dict[int, int] = {}

    def find(t: int) -> int:
        while leader.setdefault(t, t) != t:
            t = leader[t]
        return t

    closed = {int(i) for i in (*g.sub.inputs, *g.sub.outputs)}
    for op in g.ops:
        computed = [int(i) for i in op.inputs if g.constant(int(i)) is None]
        if g.kind(op) in CARRIERS or through_pad and g.kind(op) == "PAD" and _appends(g, op):
            for t in computed:
                leader[find(t)] = find(int(op.outputs[0]))
        elif g.kind(op) in CONVOLUTIONS:
            for t in (*computed, int(op.outputs[0])):
                find(t)
        else:
            closed.update((*computed, *map(int, op.outputs)))
    groups: dict[int, list[int]] = {}
    for t in sorted(leader):
        groups.setdefault(find(t), []).append(t)
    return [group for group in groups.values() if not closed & set(group)]


def _scale(g: Graph, constant: int, factor: np.ndarray, axis: int) -> None:
    value = g.constant(constant)
    factor = factor[:value.shape[axis]]
    g.set_constant(constant, value * factor.reshape([-1 if i == axis else 1 for i in range(value.ndim)]))


def _appends(g: Graph, pad) -> bool:
    """Whether a PAD only adds channels behind those that are there."""
    paddings = g.constant(int(pad.inputs[1])).copy()
    paddings[-1, 1] = 0
    return not paddings.any()
