"""The generic C library's integer functions, under the sanitizers, against the interpreter."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from emit_cases import one_node, run_in_wheel, weights
from emit_integer_cases import (
    PRECISIONS,
    integer_cases,
    joint,
    quantize,
    real_inputs,
    stored_inputs,
)
from generic_runner import run_generic

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.generic.source import render_generic
from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import Binary, Gather, Linear, Reduce, Unary
from scanlet.planning.plan import make_plan
from scanlet.targets import find

#: Cases compiled together: a compiler's time for one function grows faster than its length.
TOGETHER = 14
PARTS = 10


def extreme(tensor: Tensor, fill: str) -> np.ndarray:
    """The lowest or the highest stored values, or both by turns."""
    info = np.iinfo(tensor.dtype)
    values = np.full(tensor.size, info.max if fill == "high" else info.min)
    if fill == "both":
        values[::2] = info.max
    return values.astype(tensor.dtype).reshape(tensor.shape)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("precision", PRECISIONS)
def test_operators_agree_with_the_interpreter_within_a_step(precision, part, tmp_path):
    """On ordinary inputs and on the extremes of the type."""
    chosen = integer_cases(precision)[part::PARTS]
    assert 0 < len(chosen) <= TOGETHER
    graph, ordinary = joint(chosen)
    batches = [ordinary]
    for fill in ("low", "high", "both"):
        batches.append(
            [
                extreme(tensor, fill) if tensor.quantization else array
                for tensor, array in zip(graph.inputs, ordinary, strict=True)
            ]
        )
    for inputs, outputs in zip(batches, run_generic(graph, tmp_path, *batches), strict=True):
        remaining = list(inputs)
        for case, mine in zip(chosen, outputs, strict=True):
            given = [remaining.pop(0) for _ in case.inputs]
            (theirs,) = run_in_wheel(write_model(case.graph), *given)
            assert mine.dtype == theirs.dtype
            steps = np.abs(mine.astype(int) - theirs.astype(int)).max()
            assert steps <= 1, f"{case.name}: {steps} steps"


def island_graph() -> Graph:
    """A Linear, an island of exp and log, and a Linear again."""
    graph = one_node(Linear(), (1, 5, 4), weights(6, 4), weights(6))
    y = graph.add(Unary("exp"), graph.outputs, name="e")
    y = graph.add(Binary("add"), [y, constant("one", np.array(1.0))], name="plus")
    y = graph.add(Unary("log"), [y], name="softplus")
    y = graph.add(Reduce("mean", (1,)), [y], name="mean")
    graph.outputs = [graph.add(Linear(), [y, constant("w2", weights(3, 6))], name="scores")]
    return graph


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_network_with_a_float_island_agrees_with_the_interpreter(precision, tmp_path):
    graph = island_graph()
    made = quantize(graph, precision)
    assert [island.nodes for island in made.islands] == [("e", "plus", "softplus")]
    inputs = stored_inputs(made.graph, real_inputs(graph, seed=7))
    ((mine,),) = run_generic(made.graph, tmp_path, inputs)
    (theirs,) = run_in_wheel(write_model(made.graph), *inputs)
    assert np.abs(mine.astype(int) - theirs.astype(int)).max() <= 2  # two roundings in a row


def test_a_token_out_of_range_is_reported(tmp_path):
    graph = Graph([Tensor("tokens", (3,), "int32")], [], [])
    table = constant("table", np.arange(8.0).reshape(4, 2))
    graph.outputs = [graph.add(Gather(0), [table, graph.inputs[0]], name="y", dtype="float32")]
    made = quantize(graph, "int8").graph
    ((good,),) = run_generic(made, tmp_path, [np.array([3, 0, 1], np.int32)])
    assert good.dtype == np.int8
    done = run_generic(made, tmp_path, [np.array([3, 0, 4], np.int32)], expect=3)
    assert done == []


def test_the_header_states_types_scales_and_zero_points():
    graph = quantize(one_node(Linear(), (1, 4), weights(3, 4)), "int8").graph
    files = render_generic(graph, make_plan(graph, find("generic")), name="m")
    header = files["m_model.h"]
    for kind, tensor in (("INPUT", graph.inputs[0]), ("OUTPUT", graph.outputs[0])):
        scale = float(re.search(rf"#define M_{kind}_0_SCALE (\S+)f\n", header).group(1))
        zero = int(re.search(rf"#define M_{kind}_0_ZERO_POINT \((\S+)\)\n", header).group(1))
        assert (np.float32(scale),) == np.float32(tensor.quantization.scales)
        assert (zero,) == tensor.quantization.zero_points
    assert "int m_run(const int8_t* input0, int8_t* output0);" in header


def test_the_sources_hold_no_libm_and_no_double(tmp_path: Path):
    graph, inputs = joint(integer_cases("int16x8")[::12])
    run_generic(graph, tmp_path, inputs)
    text = "".join(path.read_text() for path in tmp_path.rglob("*.[ch]") if path.name != "main.c")
    assert not re.search(r"\bdouble\b|math\.h|malloc", re.sub(r"//.*", "", text))
