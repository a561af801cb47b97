"""Operators that move data: RESHAPE, TRANSPOSE, STRIDED_SLICE, CONCATENATION, PAD, GATHER."""

from __future__ import annotations

import numpy as np
import tflite

from scanlet.emit.tflite.assembly import Assembly
from scanlet.errors import EmitError
from scanlet.graph import Node
from scanlet.graph.operators import Concatenate, Gather, Pad, Reshape, StridedSlice, Transpose

MAX_CONCATENATED = 10
#: Of the kernels that extend shapes to four axes.
MAX_RANK = 4
#: From this rank on, TRANSPOSE carries version 4 (as the TFLite converter writes it).
TRANSPOSE_VERSION_4_RANK = 5


def reshape(assembly: Assembly, node: Node, op: Reshape) -> None:  # noqa: ARG001
    """RESHAPE; the shape is both an input tensor and an option, as readers expect either."""
    source = assembly.index(node.inputs[0])
    assembly.reshape(source, assembly.produce(node.output))


def transpose(assembly: Assembly, node: Node, op: Transpose) -> None:
    """TRANSPOSE with the permutation as an int32 tensor."""
    inputs = [assembly.index(node.inputs[0]), assembly.integers(op.perm)]
    version = 4 if len(op.perm) >= TRANSPOSE_VERSION_4_RANK else 1
    assembly.operator("TRANSPOSE", inputs, assembly.produce(node.output), version=version)


def strided_slice(assembly: Assembly, node: Node, op: StridedSlice) -> None:
    """STRIDED_SLICE; bounds are resolved, so every mask is zero."""
    _check_rank(node)
    x = node.inputs[0]
    bounds = [
        slice(b, e, s).indices(n)
        for b, e, s, n in zip(op.begin, op.end, op.strides, x.shape, strict=True)
    ]
    inputs = [assembly.index(x), *(assembly.integers(axis) for axis in zip(*bounds, strict=True))]
    assembly.operator(
        "STRIDED_SLICE",
        inputs,
        assembly.produce(node.output),
        BeginMask=0,
        EndMask=0,
        EllipsisMask=0,
        NewAxisMask=0,
        ShrinkAxisMask=0,
    )


def concatenate(assembly: Assembly, node: Node, op: Concatenate) -> None:
    """CONCATENATION of at most ten tensors."""
    if len(node.inputs) > MAX_CONCATENATED:
        raise EmitError(
            f"concatenation of {len(node.inputs)} tensors; TFLite Micro takes {MAX_CONCATENATED}",
            where=node.source.module or node.output.name,
        )
    assembly.operator(
        "CONCATENATION",
        [assembly.index(tensor) for tensor in node.inputs],
        assembly.produce(node.output),
        Axis=op.axis,
        FusedActivationFunction=tflite.ActivationFunctionType.NONE,
    )


def pad(assembly: Assembly, node: Node, op: Pad) -> None:
    """PAD with zeros; the (before, after) pairs are an int32 tensor of shape (rank, 2)."""
    _check_rank(node)
    inputs = [assembly.index(node.inputs[0]), assembly.integers(np.asarray(op.padding))]
    assembly.operator("PAD", inputs, assembly.produce(node.output))


def gather(assembly: Assembly, node: Node, op: Gather) -> None:
    """GATHER; TFLM takes int32 indices, which int64 tensors are stored as anyway."""
    inputs = [assembly.index(tensor) for tensor in node.inputs]
    assembly.operator("GATHER", inputs, assembly.produce(node.output), Axis=op.axis, BatchDims=0)


def _check_rank(node: Node) -> None:
    rank = len(node.inputs[0].shape)
    if rank > MAX_RANK:
        raise EmitError(
            f"{type(node.op).__name__} on a tensor of rank {rank}; TFLite Micro takes {MAX_RANK}",
            where=node.source.module or node.output.name,
        )
