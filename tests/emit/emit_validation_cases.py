"""Hand-made files of one operator each, sealed: right ones, and ones that scanlet never writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scanlet.emit import seal
from scanlet.emit.tflite.assembly import Assembly, FlatOperator, FlatTensor
from scanlet.emit.tflite.serialize import serialize
from scanlet.graph import Quantization

Q8, PROBABILITY = Quantization((0.5,), (3,)), Quantization((1 / 256,), (-128,))


def f32(name: str, *shape: int, data: np.ndarray | None = None) -> FlatTensor:
    content = None if data is None else np.asarray(data, np.float32).tobytes()
    return FlatTensor(name, shape, "float32", content)


def i32(name: str, values: Any) -> FlatTensor:
    array = np.asarray(values, np.int32)
    return FlatTensor(name, array.shape, "int32", array.tobytes())


def i8(name: str, *shape: int, data: bytes | None = None, q: Quantization | None = Q8):
    return FlatTensor(name, shape, "int8", data, q)


def sealed(
    name: str, tensors: list[FlatTensor], *, version: int = 1, inputs: Any = None, **options: Any
) -> bytes:
    """A file of one operator that reads all tensors but the last and writes that."""
    assembly = Assembly()
    count = len(tensors) - 1
    assembly.tensors = [*tensors, f32("given", 1)]  # an input where all else is constant
    reads = tuple(range(count)) if inputs is None else inputs
    assembly.operators = [FlatOperator(name, version, reads, (count,), options)]
    given = [i for i in range(count) if tensors[i].data is None] or [count + 1]
    metadata = {seal.METADATA_NAME: seal.EMPTY}
    return seal.attach(serialize(assembly, given, [count], description="", metadata=metadata))


CONV = {
    "Padding": 1,
    "StrideW": 1,
    "StrideH": 1,
    "FusedActivationFunction": 0,
    "DilationWFactor": 1,
    "DilationHFactor": 1,
}
POOL = {
    "Padding": 1,
    "StrideW": 2,
    "StrideH": 1,
    "FilterWidth": 2,
    "FilterHeight": 1,
    "FusedActivationFunction": 0,
}
SLICE = dict.fromkeys(("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"), 0)
FC = {"FusedActivationFunction": 0, "KeepNumDims": True}
IMAGE = f32("x", 1, 1, 6, 2)
KERNEL = f32("k", 3, 1, 2, 2, data=np.ones(12))
BIAS = f32("b", 3, data=np.ones(3))
X = f32("x", 1, 4)
NONE = {"FusedActivationFunction": 0}


def sliced(begin: list[int], end: list[int], strides: list[int], *out: int) -> tuple:
    bounds = [i32(n, v) for n, v in zip("bes", (begin, end, strides), strict=True)]
    return "STRIDED_SLICE", [f32("x", 1, 8), *bounds, f32("y", *out)], SLICE


def conv8(kernel_q: Quantization, bias_q: Quantization, bias: str = "int32") -> tuple:
    width = np.dtype(bias).itemsize
    return (
        "CONV_2D",
        [
            i8("x", 1, 1, 6, 2),
            i8("k", 3, 1, 2, 2, data=bytes(12), q=kernel_q),
            FlatTensor("b", (3,), bias, bytes(3 * width), bias_q),
            i8("y", 1, 1, 5, 3),
        ],
        CONV,
    )


GOOD = {
    "relu": ("RELU", [X, f32("y", 1, 4)], {}),
    "slice": sliced([0, 1], [1, 7], [1, 2], 1, 3),
    "conv": ("CONV_2D", [IMAGE, KERNEL, BIAS, f32("y", 1, 1, 5, 3)], CONV),
    "conv8": conv8(Quantization((0.1,) * 3, (0,), 0), Quantization((0.05,) * 3, (0,), 0)),
    "pool": ("MAX_POOL_2D", [IMAGE, f32("y", 1, 1, 3, 2)], POOL),
    "fc": ("FULLY_CONNECTED", [X, f32("w", 3, 4, data=np.ones(12)), f32("y", 1, 3)], FC),
    "mean": ("MEAN", [X, i32("a", [1]), f32("y", 1)], {"KeepDims": False}),
    "gather": (
        "GATHER",
        [f32("t", 3, 2, data=np.ones(6)), i32("i", [2, 0]), f32("y", 2, 2)],
        {"Axis": 0, "BatchDims": 0},
    ),
    "pad": ("PAD", [X, i32("p", [[0, 0], [1, 2]]), f32("y", 1, 7)], {}),
    "transpose": ("TRANSPOSE", [X, i32("p", [1, 0]), f32("y", 4, 1)], {}),
    "reshape": ("RESHAPE", [X, i32("s", [2, 2]), f32("y", 2, 2)], {"NewShape": [2, 2]}),
    "concat": ("CONCATENATION", [X, f32("z", 1, 2), f32("y", 1, 6)], {"Axis": 1, **NONE}),
    "softmax": ("SOFTMAX", [X, f32("y", 1, 4)], {"Beta": 1.0}),
    "add": ("ADD", [X, f32("z", 4), f32("y", 1, 4)], NONE),
}
AXIS = {"Axis": 0, "BatchDims": 0}
TABLE = f32("t", 3, 2, data=np.ones(6))
BAD = {
    "shape of the output": ("RELU", [X, f32("y", 1, 5)], {}, "follow from its inputs"),
    "type of the output": ("RELU", [X, i8("y", 1, 4)], {}, "follow from its inputs"),
    "int8 without a scale": ("RELU", [i8("x", 4, q=None), i8("y", 4, q=None)], {}, "no kernel"),
    "no int8 kernel": ("EXP", [i8("x", 4), i8("y", 4)], {}, "no kernel"),
    "no integer kernel": (
        "RELU",
        [FlatTensor("x", (4,), "int32"), FlatTensor("y", (4,), "int32")],
        {},
        "no kernel",
    ),
    "another scale": (
        "RELU6",
        [i8("x", 4), i8("y", 4, q=Quantization((0.25,), (3,)))],
        {},
        "rescale",
    ),
    "rank": ("RELU", [f32("x", *[1] * 7), f32("y", *[1] * 7)], {}, "rank 7"),
    "memory": ("RELU", [f32("x", 1, 150_000_000), f32("y", 1, 150_000_000)], {}, "268,435,456"),
    "tanh scale": ("TANH", [i8("x", 4), i8("y", 4)], {}, "does not write steps"),
    "zero point": ("RELU", [i8("x", 4, q=Quantization((1.0,), (200,))), i8("y", 4)], {}, "zero p"),
    "scale": ("RELU", [i8("x", 4, q=Quantization((1e-35,), (0,))), i8("y", 4)], {}, "a scale of"),
    "scale of a float": (
        "RELU",
        [FlatTensor("x", (4,), "float32", None, Q8), f32("y", 4)],
        {},
        "with a scale",
    ),
    "slice backward": (*sliced([0, 7], [1, 2], [1, -1], 1, 5), "takes 7:2:-1"),
    "slice beyond": (*sliced([0, 0], [1, 9], [1, 1], 1, 9), "takes 0:9:1 of 8"),
    "slice mask": (*sliced([0, 1], [1, 7], [1, 2], 1, 3)[:2], {**SLICE, "EndMask": 1}, "mask"),
    "slice bounds too short": (
        "STRIDED_SLICE",
        [f32("x", 1, 8), i32("b", [0]), i32("e", [1]), i32("s", [1]), f32("y", 1, 8)],
        SLICE,
        "no int32 constant of shape",
    ),
    "stride 0": (
        "CONV_2D",
        [IMAGE, KERNEL, BIAS, f32("y", 1, 1, 5, 3)],
        {**CONV, "StrideW": 0},
        "stride 0",
    ),
    "dilation": (
        "CONV_2D",
        [IMAGE, KERNEL, BIAS, f32("y", 1, 1, 5, 3)],
        {**CONV, "DilationWFactor": 1 << 30},
        "dilation",
    ),
    "activation": (
        "CONV_2D",
        [IMAGE, KERNEL, BIAS, f32("y", 1, 1, 5, 3)],
        {**CONV, "FusedActivationFunction": 5},
        "fused activation",
    ),
    "no bias": ("CONV_2D", [IMAGE, KERNEL, f32("y", 1, 1, 5, 3)], CONV, "2 inputs"),
    "short bias": (
        "CONV_2D",
        [IMAGE, KERNEL, f32("b", 2, data=np.ones(2)), f32("y", 1, 1, 5, 3)],
        CONV,
        "bias",
    ),
    "filter of other channels": (
        "CONV_2D",
        [IMAGE, f32("k", 3, 1, 2, 1, data=np.ones(6)), BIAS, f32("y", 1, 1, 5, 3)],
        CONV,
        "filter",
    ),
    "weights from an input": (
        "FULLY_CONNECTED",
        [X, f32("w", 3, 4), f32("y", 1, 3)],
        FC,
        "not constant",
    ),
    "weights of another width": (
        "FULLY_CONNECTED",
        [X, f32("w", 3, 5, data=np.ones(15)), f32("y", 1, 3)],
        FC,
        "multiplies",
    ),
    "bias in other steps": (
        *conv8(Quantization((0.1,) * 3, (0,), 0), Quantization((0.06,) * 3, (0,), 0)),
        "other steps",
    ),
    "a gain beyond": (
        *conv8(Quantization((1e6,) * 3, (0,), 0), Quantization((5e5,) * 3, (0,), 0)),
        "scales a sum up",
    ),
    "int64 bias of int8": (
        *conv8(Quantization((0.1,) * 3, (0,), 0), Quantization((0.05,) * 3, (0,), 0), "int64"),
        "bias int64",
    ),
    "pool beyond": (
        "MAX_POOL_2D",
        [IMAGE, f32("y", 1, 1, 3, 2)],
        {**POOL, "FilterWidth": 7},
        "window of 7",
    ),
    "axis beyond": ("MEAN", [X, i32("a", [2]), f32("y", 1)], {"KeepDims": False}, "axes"),
    "axis twice": ("MEAN", [X, i32("a", [1, -1]), f32("y", 1)], {"KeepDims": False}, "twice"),
    "five axes": (
        "MEAN",
        [f32("x", 1, 1, 1, 1, 1), i32("a", [0, 1, 2, 3, 4]), f32("y")],
        {"KeepDims": False},
        "4 at most",
    ),
    "index beyond": ("GATHER", [TABLE, i32("i", [3, 0]), f32("y", 2, 2)], AXIS, "of 3 rows"),
    "negative index": ("GATHER", [TABLE, i32("i", [-1, 0]), f32("y", 2, 2)], AXIS, "of 3 rows"),
    "axis of a gather": (
        "GATHER",
        [TABLE, i32("i", [1, 0]), f32("y", 2, 2)],
        {**AXIS, "Axis": 5},
        "axis 5",
    ),
    "negative padding": ("PAD", [X, i32("p", [[0, 0], [-1, 2]]), f32("y", 1, 5)], {}, "pads by"),
    "padding from an input": ("PAD", [X, f32("p", 2, 2), f32("y", 1, 5)], {}, "no int32 constant"),
    "no permutation": ("TRANSPOSE", [X, i32("p", [1, 1]), f32("y", 4, 4)], {}, "orders the axes"),
    "permutation beyond": ("TRANSPOSE", [X, i32("p", [0, 9]), f32("y", 1, 4)], {}, "orders"),
    "reshape to more": (
        "RESHAPE",
        [X, i32("s", [2, 3]), f32("y", 2, 3)],
        {"NewShape": [2, 3]},
        "makes",
    ),
    "reshape told otherwise": (
        "RESHAPE",
        [X, i32("s", [4, 1]), f32("y", 2, 2)],
        {"NewShape": [2, 2]},
        "is told",
    ),
    "concatenation of others": (
        "CONCATENATION",
        [X, f32("z", 2, 2), f32("y", 1, 6)],
        {"Axis": 1, **NONE},
        "joins",
    ),
    "concatenation of eleven": (
        "CONCATENATION",
        [*(f32(f"x{i}", 1, 1) for i in range(11)), f32("y", 1, 11)],
        {"Axis": 1, **NONE},
        "11 inputs",
    ),
    "beta": ("SOFTMAX", [X, f32("y", 1, 4)], {"Beta": float("nan")}, "beta"),
    "softmax of tiny steps": (
        "SOFTMAX",
        [
            i8("x", 4, q=Quantization((1e-9,), (0,))),
            i8("y", 4, q=Quantization((1 / 256,), (-128,))),
        ],
        {"Beta": 1.0},
        "reads steps",
    ),
    "broadcast": ("ADD", [X, f32("z", 3), f32("y", 1, 4)], NONE, "broadcasts"),
    "sum of unlike steps": (
        "ADD",
        [i8("x", 4, q=Quantization((1e6,), (0,))), i8("z", 4), i8("y", 4)],
        NONE,
        "scales a step up",
    ),
    "a name for terminals": ("RELU", [f32("x\x1b[2J", 4), f32("y", 4)], {}, "unprintable"),
    "name twice": ("RELU", [f32("x", 4), f32("x", 4)], {}, "same name"),
    "dequantize of floats": ("DEQUANTIZE", [X, f32("y", 1, 4)], {}, "reads float32"),
    "dequantize without a scale": ("DEQUANTIZE", [i8("x", 4, q=None), f32("y", 4)], {}, "no scale"),
}
