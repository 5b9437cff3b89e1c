"""A TFLite model as an editable graph: reading, writing, and the few questions
that surgery asks."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OPS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
FLOAT32 = schema.TensorType.FLOAT32
FLOAT16 = schema.TensorType.FLOAT16


class Graph:
    """One model with one subgraph."""

    def __init__(self, data: bytes):
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        (self.sub,) = self.model.subgraphs
        for code in self.model.operatorCodes:
            # Files from before 2020 have only the one-byte field filled in.
            code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)

    def bytes(self) -> bytes:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @property
    def ops(self):
        return self.sub.operators

    @ops.setter
    def ops(self, ops):
        self.sub.operators = ops

    def kind(self, op) -> str:
        return OPS[self.model.operatorCodes[op.opcodeIndex].builtinCode]

    def tensor(self, index: int):
        return self.sub.tensors[index]

    def name(self, index: int) -> str:
        return self.tensor(index).name.decode()

    def constant(self, index: int) -> np.ndarray | None:
        """The value of a constant tensor, or None when it is computed."""
        tensor = self.tensor(index)
        data = self.model.buffers[tensor.buffer].data
        if data is None or len(data) == 0:
            return None
        dtype = {FLOAT32: "<f4", FLOAT16: "<f2", schema.TensorType.INT32: "<i4"}[tensor.type]
        shape = tensor.shape if tensor.shape is not None else ()
        return np.asarray(data, np.uint8).view(dtype).reshape(shape)

    def set_constant(self, index: int, value: np.ndarray) -> None:
        """Gives a tensor its own buffer with this value."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        tensor = self.tensor(index)
        tensor.buffer = len(self.model.buffers) - 1
        tensor.type = {"float32": FLOAT32, "int32": schema.TensorType.INT32}[value.dtype.name]
        tensor.shape = np.asarray(value.shape, np.int32)

    def producer(self, index: int):
        return next((op for op in self.ops if index in op.outputs), None)

    def consumers(self, index: int) -> list:
        return [op for op in self.ops if index in op.inputs]

    def opcode(self, kind: str, version: int = 1) -> int:
        """The index of an operator code, added if the model has none."""
        builtin = getattr(schema.BuiltinOperator, kind)
        for i, code in enumerate(self.model.operatorCodes):
            if code.builtinCode == builtin:
                return i
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def operator(self, kind: str, inputs: list[int], outputs: list[int]):
        op = schema.OperatorT()
        op.opcodeIndex = self.opcode(kind)
        op.inputs, op.outputs = np.asarray(inputs, np.int32), np.asarray(outputs, np.int32)
        return op

    def compact(self) -> None:
        """Drops the tensors, buffers and operator codes that surgery left
        unused, and renumbers the rest in the order of first use."""
        used = list(dict.fromkeys(
            int(i) for group in
            [self.sub.inputs, *(g for op in self.ops for g in (op.inputs, op.outputs)), self.sub.outputs]
            for i in group if i >= 0))
        to = {old: new for new, old in enumerate(used)} | {-1: -1}
        self.sub.tensors = [self.sub.tensors[i] for i in used]
        self.sub.inputs = np.asarray([to[int(i)] for i in self.sub.inputs], np.int32)
        self.sub.outputs = np.asarray([to[int(i)] for i in self.sub.outputs], np.int32)
        codes = list(dict.fromkeys(op.opcodeIndex for op in self.ops))
        for op in self.ops:
            op.inputs = np.asarray([to[int(i)] for i in op.inputs], np.int32)
            op.outputs = np.asarray([to[int(i)] for i in op.outputs], np.int32)
            op.opcodeIndex = codes.index(op.opcodeIndex)
        self.model.operatorCodes = [self.model.operatorCodes[i] for i in codes]
        old, self.model.buffers = self.model.buffers, [schema.BufferT()]  # buffer 0 is empty by convention
        self.model.metadata, self.model.metadataBuffer = None, None
        for tensor in self.sub.tensors:
            data = old[tensor.buffer].data
            tensor.buffer = 0
            if data is not None and len(data):
                buffer = schema.BufferT()
                buffer.data = data
                self.model.buffers.append(buffer)
                tensor.buffer = len(self.model.buffers) - 1
        names = [t.name for t in self.sub.tensors]
        assert len(set(names)) == len(names), "calibration goes by tensor name, so names must be unique"
