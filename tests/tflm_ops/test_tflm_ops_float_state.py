"""Integer mixers with a float32 state: C gives the bits of the definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from float_state_cases import assert_exact, float_state_case
from integer_cases import Case, run_case
from operator_harness import build_layers

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import validate
from scanlet.emit.operator_source import render_component
from scanlet.emit.parameters.custom_options import decode, encode
from scanlet.errors import GraphError
from scanlet.execution.host import HostInterpreter, build_library
from scanlet.graph.serialization import graph_from_bytes, graph_to_bytes
from scanlet.planning.integer_layout import LAYOUTS
from scanlet.planning.packing import pack_layer, packed_shapes, packed_types
from scanlet.planning.plan import make_plan
from scanlet.targets import find

#: A target of each layout.
TARGETS = {
    "portable": "generic",
    "arm_dsp": "cortex-m7",
    "arm_mve": "cortex-m55",
    "xtensa": "esp32",
    "xtensa_s3": "esp32s3",
}
#: (tile, shapes and options); each is a layer of one program a target.
LAYERS: tuple[tuple[int, dict[str, Any]], ...] = (
    (1, {}),
    (2, {"activation": "int16", "d_state": 1, "d_conv": 1, "dt_rank": 1}),
    (4, {"activation": "int16", "norm": "rms", "residual": True, "pooling": "mean"}),
    (4, {"linear": True, "d_inner": 16, "d_state": 16, "dt_rank": 4, "steep": True}),
    (5, {"activation": "int16", "linear": True, "pooling": "last", "residual": True}),
    (8, {"activation": "int16", "reverse": True, "d_state": 9, "dt_rank": 5, "d_out": 13}),
    (4, {"features": 1, "d_inner": 1, "d_out": 1, "d_state": 2, "dt_rank": 1}),
)


@pytest.fixture(scope="module", params=list(TARGETS.values()))
def target(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def program(target: str) -> Path:
    plans = [case_of(i, seed=0).plan(tile, target, i) for i, (tile, _) in enumerate(LAYERS)]
    return build_layers(plans, target=target)


def case_of(index: int, **changes: Any) -> Case:
    return float_state_case(**{"literals": index, **LAYERS[index][1], **changes})


@pytest.mark.parametrize("index", range(len(LAYERS)))
@pytest.mark.parametrize("length", [1, 3, 14, 19])
def test_c_equals_the_definition(program: Path, target: str, index: int, length: int) -> None:
    case = case_of(index, seed=length, length=length, extreme=length == 14)
    plan = case.plan(LAYERS[index][0], target)
    y, h = run_case(program, plan, case, layer=index)
    assert_exact(y, case)
    np.testing.assert_array_equal(h, case.state())


def test_cases_have_a_signal() -> None:
    """What the tests compare is not just the ends of the range."""
    outputs = [case_of(i, seed=1, length=19).expected() for i in range(len(LAYERS))]
    assert sum(len(np.unique(y)) for y in outputs) > 0.5 * sum(y.size for y in outputs)


@pytest.mark.parametrize("tile", [1, 3, 4])
def test_a_stream_in_chunks_is_the_whole(target: str, tile: int) -> None:
    chunks = [1, 2, 7, 4, 10, 50, 31]
    case = float_state_case(5, length=sum(chunks), mode="stream", activation="int16")
    plan = case.plan(tile, target)
    assert [buffer.name for buffer in plan.state] == ["h", "history"]
    y, h = run_case(build_layers([plan], target=target), plan, case, chunks=chunks)
    assert_exact(y, case)
    np.testing.assert_array_equal(h, case.state())


def test_a_reset_begins_a_stream_anew(target: str) -> None:
    case = float_state_case(6, length=9, mode="stream")
    plan = case.plan(4, target)
    twice = Case(case.op, case.weights, np.concatenate([case.x, case.x], axis=1))
    program = build_layers([plan], target=target)
    y, _ = run_case(program, plan, twice, chunks=[5, 4, 0, 9])
    assert_exact(y[:9], case)
    assert_exact(y[9:], case)


def test_results_beyond_the_range_saturate(target: str) -> None:
    case = float_state_case(7, length=6, activation="int16")
    case.weights["D"] *= np.float32(2.0) ** np.arange(0, 100, 10, np.float32)
    plan = case.plan(4, target)
    y, _ = run_case(build_layers([plan], target=target), plan, case)
    assert_exact(y, case)


@pytest.mark.parametrize("name", ["generic", "cortex-m55"])
def test_the_interpreter_runs_a_float_state(name: str) -> None:
    whole = float_state_case(9, length=12, mode="stream")
    graph = Case(whole.op, whole.weights, whole.x[:, :6]).graph()
    plan = make_plan(graph, find(name))
    component = render_component(plan.layers, name="model", uses_gelu=False, target=plan.target)
    tflite = write_model(graph, plan.layers)
    (operator,) = validate(tflite, sealed=True).operators
    assert operator.parameters.more.state == "float32"
    interpreter = HostInterpreter(tflite, build_library(component, name="model"))
    for _ in range(2):
        parts = [interpreter.run(whole.x[:, i : i + 6])[0][0] for i in (0, 6)]
        assert_exact(np.concatenate(parts), whole)
        interpreter.reset()


def test_the_state_is_part_of_the_signature() -> None:
    """With nothing else changed, not even the weights' names."""
    plan = float_state_case(8).plan(4, "generic")
    other = replace(plan, op=replace(plan.op))
    object.__setattr__(other.op, "state", "int16")
    assert encode(plan) != encode(other)
    decoded = [decode(encode(layer)) for layer in (plan, other)]
    assert [block.more.state for block in decoded] == ["float32", "int16"]


def test_weights_of_another_state_are_refused() -> None:
    case = float_state_case(8)
    with pytest.raises(GraphError, match="odd weights"):
        replace(case.op, state="int16")
    with pytest.raises(GraphError, match="odd weights"):
        replace(case.op, weights=case.op.weights[:-1])
    with pytest.raises(GraphError, match="no state 'bfloat16'"):
        replace(case.op, state="bfloat16")


@pytest.mark.parametrize("kernels", sorted(LAYOUTS))
@pytest.mark.parametrize("d_state", [3, 8])
def test_packed_shapes_and_types_fit_the_data(kernels: str, d_state: int) -> None:
    case = float_state_case(0, d_state=d_state, linear=True)
    plan = case.plan(3, TARGETS[kernels])
    packed = {weight.name: weight.data for weight in pack_layer(plan, case.weights)}
    assert {name: data.shape for name, data in packed.items()} == packed_shapes(plan)
    assert {name: str(data.dtype) for name, data in packed.items()} == packed_types(plan)
    by_turns = case.weights["bc_scales"].reshape(2, -1).T.ravel()
    np.testing.assert_array_equal(packed["bc_scales"], by_turns)


def test_a_float_state_survives_being_stored() -> None:
    graph = float_state_case(3).graph()
    again = graph_from_bytes(graph_to_bytes(graph))
    assert again.nodes[0].op == graph.nodes[0].op
    assert graph_to_bytes(again) == graph_to_bytes(graph)
