"""Stream mode accepts exactly what works chunk by chunk, and names what does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from passes_builder import Builder, assert_same_meaning, kinds

from scanlet.errors import InputError, UnsupportedModelError
from scanlet.graph import Graph, Tensor
from scanlet.graph.operators import (
    Concatenate,
    Conv1d,
    Flip,
    Gather,
    Linear,
    Norm,
    Pad,
    Pool1d,
    Reshape,
    SelectiveSSM,
    Softmax,
    StridedSlice,
    Transpose,
)
from scanlet.passes import run

Layer = Callable[[Builder, Tensor], Tensor]


def network(layer: Layer) -> Graph:
    """A mixer, then `layer` (in the module "net.layer")."""
    b = Builder(1, 6, 4)
    h = b.mixer(b.unary("tanh", b.x))
    first = len(b.graph.nodes)
    y = layer(b, h)
    for node in b.graph.nodes[first:]:
        node.source = type(node.source)("net.layer", "model.py:7")
    return b.done(y)


REFUSED: dict[str, Layer] = {
    "flip": lambda b, h: b(Flip(1), h),
    "reversed mixer": lambda b, h: b.flip(b.mixer(b.flip(h))),
    "convolution that looks ahead": lambda b, h: b(Conv1d(padding=(1, 1)), h, b.const(3, 3, 4)),
    "convolution without padding": lambda b, h: b(Conv1d(), h, b.const(3, 3, 4)),
    "convolution too late": lambda b, h: b(Conv1d(padding=(3, 0)), h, b.const(3, 3, 4)),
    "stride of no chunk": lambda b, h: b(Conv1d(stride=4, padding=(2, 0)), h, b.const(3, 3, 4)),
    "overlapping pooling windows": lambda b, h: b(Pool1d("mean", 2, 1), h),
    "first step": lambda b, h: b.step(h, 0),
    "softmax over time": lambda b, h: b(Softmax(), b(Transpose((0, 2, 1)), h)),
    "linear over time": lambda b, h: b(Linear(), b(Transpose((0, 2, 1)), h), b.const(3, 6)),
    "norm over time": lambda b, h: b(Norm("rms", 1e-5), b(Transpose((0, 2, 1)), h)),
    "slice": lambda b, h: b(StridedSlice((0, 1, 0), (1, 6, 4), (1, 1, 1)), h),
    "pad": lambda b, h: b(Pad(((0, 0), (1, 0), (0, 0))), h),
    "concatenation": lambda b, h: b(Concatenate(1), h, h),
    "flatten": lambda b, h: b.linear(b(Reshape((1, 24)), h), 2),
    "positions": lambda b, h: b.add(h, b.const(6, 4)),
    "gather": lambda b, h: b(Gather(1), h, b.graph.inputs[0].__class__(
        "i", (2,), "int32", np.array([0, 3], np.int32))),
}  # fmt: skip


@pytest.mark.parametrize("layer", REFUSED, ids=list(REFUSED))
def test_what_mixes_time_is_refused_with_its_module(layer: str) -> None:
    graph = network(REFUSED[layer])
    run(graph)  # fine in sequence mode
    with pytest.raises(UnsupportedModelError, match=r"net\.layer \(model\.py:7\)") as error:
        run(graph, mode="stream")
    assert "sequence" in str(error.value)


ACCEPTED: dict[str, Layer] = {
    "linear": lambda b, h: b.linear(b.norm(b.unary("silu", h)), 3),
    "kernel of one": lambda b, h: b(Conv1d(), h, b.const(3, 1, 4)),
    "pooling windows": lambda b, h: b(Pool1d("mean", 2, 2), h),
    "causal convolution": lambda b, h: b(Conv1d(padding=(2, 0)), h, b.const(3, 3, 4)),
    "zeros ahead of a convolution": lambda b, h: b(
        Conv1d(dilation=2), b(Pad(((0, 0), (4, 0), (0, 0))), h), b.const(3, 3, 4)
    ),
    "convolution whose end is cut": lambda b, h: b(
        StridedSlice((0, 0, 0), (1, 6, 4), (1, 1, 1)),
        b(Conv1d(padding=(2, 2), groups=4), h, b.const(4, 3, 1)),
    ),
    "strided convolution": lambda b, h: b(Conv1d(stride=2, padding=(1, 0)), h, b.const(3, 3, 4)),
    "patches": lambda b, h: b(Conv1d(stride=3), h, b.const(3, 3, 4)),
    "last step": lambda b, h: b.reshape(b.step(h, 5), 1, 4),
    "features concatenated": lambda b, h: b(Concatenate(2), h, b.mixer(h)),
    "channels first and back": lambda b, h: b(
        Softmax(), b(Transpose((0, 2, 1)), b.unary("exp", b(Transpose((0, 2, 1)), h)))
    ),
    "two flips": lambda b, h: b.flip(b.unary("exp", b.flip(h))),
    "heads": lambda b, h: b(Softmax(), b.reshape(h, 1, 6, 2, 2)),
    "flipped features": lambda b, h: b(Flip(2), h),
}


@pytest.mark.parametrize("layer", ACCEPTED, ids=list(ACCEPTED))
def test_what_keeps_steps_apart_is_streamed(layer: str) -> None:
    graph = network(ACCEPTED[layer])
    legal = run(graph, mode="stream")
    assert not kinds(legal, Pad), "zeros along time would come again in each chunk"
    assert {op.mode for op in kinds(legal, SelectiveSSM)} == {"stream"}
    assert {op.mode for op in kinds(run(graph), SelectiveSSM)} == {"sequence"}
    assert_same_meaning(graph, legal)


def test_a_channels_first_input_is_understood() -> None:
    b = Builder(1, 4, 6)
    graph = b.done(b.mixer(b.transpose(b.x, 0, 2, 1)))
    assert kinds(run(graph, mode="stream"), SelectiveSSM)[0].mode == "stream"
    b = Builder(1, 4, 6)
    graph = b.done(b.mixer(b.transpose(b.flip(b.x, 2), 0, 2, 1)))
    with pytest.raises(UnsupportedModelError):
        run(graph, mode="stream")


def test_tokens_are_streamed() -> None:
    b = Builder(1, 6, dtype="int32")
    graph = b.done(b.mixer(b(Gather(0), b.const(10, 4), b.x)))
    assert kinds(run(graph, mode="stream"), SelectiveSSM)[0].mode == "stream"


@pytest.mark.parametrize("length", [1, 6])
def test_a_bidirectional_model_is_refused_even_in_chunks_of_one_step(length: int) -> None:
    b = Builder(1, length, 4)
    graph = b.done(b.add(b.mixer(b.x), b.flip(b.mixer(b.flip(b.x)))))
    with pytest.raises(UnsupportedModelError, match="backwards in time"):
        run(graph, mode="stream")


def test_two_flips_cancel_in_chunks_of_one_step() -> None:
    b = Builder(1, 1, 4)
    graph = b.done(b.mixer(b.flip(b.unary("exp", b.flip(b.x)))))
    assert kinds(run(graph, mode="stream"), SelectiveSSM)[0].mode == "stream"


def test_an_unknown_mode_is_refused() -> None:
    b = Builder(1, 6, 4)
    with pytest.raises(InputError, match="streaming"):
        run(b.done(b.mixer(b.x)), mode="streaming")
