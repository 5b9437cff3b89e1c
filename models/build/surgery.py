"""Rewrites the published float graphs so that they quantise well.

Every rewrite keeps the function the network computes; only `one_photo` changes
a shape (the batch). What each is for:

  fold_half      BlazeFace keeps its weights as float16 behind DEQUANTIZE
  fuse_relu      an int8 RELU of its own falls off XNNPACK (3.6 x slower)
  fuse_prelu     MobileFaceNet and O-Net spell PRELU with four or five operators
  fuse_softmax   O-Net spells SOFTMAX with five
  one_photo      MobileFaceNet was exported for a batch of two
  sign           the quantiser and the runtime go by signature
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from graph import FLOAT16, Graph


def fold_half(g: Graph) -> None:
    keep = []
    for op in g.ops:
        if g.kind(op) == "DEQUANTIZE" and g.tensor(op.inputs[0]).type == FLOAT16:
            g.set_constant(int(op.outputs[0]), g.constant(int(op.inputs[0])).astype(np.float32))
        else:
            keep.append(op)
    g.ops = keep


def fuse_relu(g: Graph) -> None:
    fused = []
    for relu in [op for op in g.ops if g.kind(op) == "RELU"]:
        x, y = int(relu.inputs[0]), int(relu.outputs[0])
        before = g.producer(x)
        if len(g.consumers(x)) != 1 or g.kind(before) not in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD"):
            continue
        before.outputs = np.asarray([y], np.int32)
        before.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
        fused.append(relu)
    g.ops = [op for op in g.ops if op not in fused]


def fuse_prelu(g: Graph) -> None:
    """relu(x) + k*(x - |x|) is PRELU with slope 2k; relu(x) + a*-relu(-x) is
    PRELU with slope a."""
    for last in [op for op in g.ops if g.kind(op) == "ADD"]:
        parts = [g.producer(int(i)) for i in last.inputs]
        if [p and g.kind(p) for p in parts] != ["RELU", "MUL"]:
            continue
        relu, mul = parts
        x = int(relu.inputs[0])
        slope = next(g.constant(int(i)) for i in mul.inputs if g.constant(int(i)) is not None)
        branch = next(g.producer(int(i)) for i in mul.inputs if g.constant(int(i)) is None)
        gone = [relu, mul, branch, g.producer(int(branch.inputs[-1]))]
        if g.kind(branch) == "SUB":  # x - |x|
            slope = 2 * slope
        else:  # NEG of RELU of NEG
            gone.append(g.producer(int(gone[-1].inputs[0])))
        alpha = int(next(i for i in mul.inputs if g.constant(int(i)) is not None))
        rank = len(g.tensor(x).shape)
        g.set_constant(alpha, slope.reshape((1,) * (rank - 2) + (-1,)).astype(np.float32))
        prelu = g.operator("PRELU", [x, alpha], [int(last.outputs[0])])
        at = g.ops.index(last)
        g.ops = [prelu if i == at else op for i, op in enumerate(g.ops) if op not in gone]


def fuse_softmax(g: Graph) -> None:
    tail = g.ops[-5:]
    assert [g.kind(op) for op in tail] == ["REDUCE_MAX", "SUB", "EXP", "SUM", "DIV"]
    softmax = g.operator("SOFTMAX", [int(tail[0].inputs[0])], [int(tail[-1].outputs[0])])
    softmax.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
    softmax.builtinOptions = schema.SoftmaxOptionsT()
    softmax.builtinOptions.beta = 1.0
    g.ops = g.ops[:-5] + [softmax]


def one_photo(g: Graph) -> None:
    computed = {int(i) for op in g.ops for i in op.outputs} | {int(i) for i in g.sub.inputs}
    for i in sorted(computed):
        g.tensor(i).shape = np.asarray([1, *g.tensor(i).shape[1:]], np.int32)
    for op in g.ops:
        if g.kind(op) == "RESHAPE":
            shape = g.constant(int(op.inputs[1])).copy()
            shape[0] = 1
            g.set_constant(int(op.inputs[1]), shape)
            if op.builtinOptions is not None:
                op.builtinOptions.newShape = shape


def sign(g: Graph, image: str, outputs: dict[str, str]) -> None:
    """Names the input `image` and the outputs, in the order given: alphabetical,
    so that runtimes that sort and runtimes that do not agree on the index."""
    assert list(outputs) == sorted(outputs)
    (only,) = g.sub.inputs
    by_name = {g.name(int(i)): int(i) for i in g.sub.outputs}
    g.sub.outputs = np.asarray([by_name[old] for old in outputs.values()], np.int32)
    for name, index in [(image, int(only)), *zip(outputs, map(int, g.sub.outputs))]:
        g.tensor(index).name = name.encode()
    g.compact()

    def entries(names, indices):
        maps = []
        for name, index in zip(names, indices):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name.encode(), int(index)
            maps.append(entry)
        return maps

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = entries([image], g.sub.inputs)
    signature.outputs = entries(outputs, g.sub.outputs)
    g.model.signatureDefs = [signature]


def detector(data: bytes) -> bytes:
    g = Graph(data)
    fold_half(g)
    fuse_relu(g)
    sign(g, "image", {"boxes": "reshaped_regressor_face_4", "scores": "reshaped_classifier_face_4"})
    return g.bytes()


def detector_short(data: bytes) -> bytes:
    g = Graph(data)
    fold_half(g)
    fuse_relu(g)
    sign(g, "image", {"boxes": "regressors", "scores": "classificators"})
    return g.bytes()


def landmarks(data: bytes) -> bytes:
    g = Graph(data)
    fuse_prelu(g)
    fuse_softmax(g)
    sign(g, "image", {"box": "onet/conv6-2/conv6-2", "landmarks": "onet/conv6-3/conv6-3", "probability": "onet/prob1"})
    return g.bytes()


def embedding(data: bytes) -> bytes:
    g = Graph(data)
    fuse_prelu(g)
    one_photo(g)
    sign(g, "image", {"embedding": "embeddings"})
    return g.bytes()


SURGERY = {"detector": detector, "detector_short": detector_short, "landmarks": landmarks, "embedding": embedding}
