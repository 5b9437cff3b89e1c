"""Watches a float model work: the range of every channel of every computed
tensor, over a set of inputs."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from graph import Graph


def ranges(model: bytes, inputs, quantile: float) -> dict[str, np.ndarray]:
    """For every computed tensor, 2 x channels: the least and the greatest
    value. An extreme counts if it lies within the quantile of the per-input
    extremes, so that one odd input in many cannot stretch a range."""
    g = Graph(model)
    net = Interpreter(model_content=model, num_threads=1, experimental_preserve_all_tensors=True)
    net.allocate_tensors()
    image = net.get_input_details()[0]["index"]
    watched = {g.name(int(i)): int(i) for op in g.ops for i in op.outputs}
    seen = {name: [] for name in watched}
    for x in inputs:
        net.set_tensor(image, x[None])
        net.invoke()
        for name, index in watched.items():
            value = net.get_tensor(index)
            flat = value.reshape(-1, value.shape[-1])
            seen[name].append((flat.min(0), flat.max(0)))
    result = {}
    for name, extremes in seen.items():
        low = np.quantile([low for low, _ in extremes], 1 - quantile, axis=0)
        high = np.quantile([high for _, high in extremes], quantile, axis=0)
        result[name] = np.stack([low, high])
    return result
