"""Integer mixers through the flatbuffer and the real interpreter: the definition's bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from integer_cases import Case, random_case

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import validate
from scanlet.emit.operator_source import render_component
from scanlet.emit.parameters.custom_options import decode, encode
from scanlet.errors import ExecutionError, ModelFileError
from scanlet.execution.host import HostInterpreter, build_library
from scanlet.planning.plan import make_plan
from scanlet.targets import find


def built(case: Case, target: str, tile: int = 4) -> tuple[bytes, dict[str, str]]:
    """The flatbuffer and the component of a case alone."""
    graph = case.graph()
    plan = make_plan(graph, find(target), tile=tile)
    component = render_component(plan.layers, name="model", uses_gelu=False, target=plan.target)
    return write_model(graph, plan.layers), component


@pytest.mark.parametrize("target", ["generic", "esp32s3", "cortex-m55"])
@pytest.mark.parametrize(
    "options",
    [
        {"length": 11, "pooling": "mean"},
        {"length": 7, "activation": "int16", "norm": "layer", "residual": True, "reverse": True},
    ],
)
def test_the_interpreter_gives_the_definition_s_bits(target: str, options: dict[str, Any]) -> None:
    case = random_case(8, **options)
    tflite, component = built(case, target)
    (y,) = HostInterpreter(tflite, build_library(component, name="model")).run(case.x)
    assert y.dtype == case.op.activation
    np.testing.assert_array_equal(y[0], case.expected())


def test_a_stream_carries_its_state_through_the_interpreter() -> None:
    whole = random_case(9, length=12, mode="stream")
    chunk = Case(whole.op, whole.weights, whole.x[:, :4])
    tflite, component = built(chunk, "generic", tile=3)
    interpreter = HostInterpreter(tflite, build_library(component, name="model"))
    for _ in range(2):
        parts = [interpreter.run(whole.x[:, i : i + 4])[0][0] for i in (0, 4, 8)]
        np.testing.assert_array_equal(np.concatenate(parts), whole.expected())
        interpreter.reset()


def test_a_model_for_other_kernels_is_refused_by_the_interpreter() -> None:
    case = random_case(8)
    tflite, _ = built(case, "cortex-m7")
    _, component = built(case, "generic")
    with pytest.raises(ExecutionError, match="compile model and operator together"):
        HostInterpreter(tflite, build_library(component, name="model"))


def test_the_reader_tells_what_a_parameter_block_holds() -> None:
    case = random_case(8, activation="int16", norm="rms", residual=True)
    tflite, _ = built(case, "cortex-m55")
    description = validate(tflite, sealed=True)
    (operator,) = description.operators
    block = operator.parameters
    op = case.op
    assert (block.d_inner, block.d_state, block.dt_rank) == (op.d_inner, op.d_state, op.dt_rank)
    assert (block.norm, block.residual, block.weights) == ("rms", True, op.weights)
    assert block.more is not None
    assert block.more.activation == "int16"
    for field in ("delta_fraction", "norm_fraction", "norm_eps", "residual_factor"):
        assert getattr(block.more, field) == getattr(op, field)
    types = {description.tensors[index].dtype for index in operator.inputs}
    assert types == {"int8", "int16", "int32"}


def test_a_damaged_integer_block_is_refused_by_the_reader() -> None:
    case = random_case(8)
    tflite, _ = built(case, "generic")
    block = validate(tflite).operators[0].custom_options
    for position in range(len(block)):
        damaged = block[:position] + bytes([block[position] ^ 0x10]) + block[position + 1 :]
        with pytest.raises(ModelFileError):
            decode(damaged)
    with pytest.raises(ModelFileError, match="bytes"):
        decode(block[:-1])


def test_every_literal_is_part_of_the_signature() -> None:
    case = random_case(8, norm="layer", residual=True)
    plan = case.plan(4, "generic")
    blocks = {encode(plan)}
    changes: list[dict[str, Any]] = [
        {"activation": "int16"},
        *({name: getattr(plan.op, name) + 1} for name in (
            "input_zero_point", "output_zero_point", "delta_fraction",
            "norm_fraction", "norm_eps", "residual_factor",
        )),
    ]  # fmt: skip
    for change in changes:
        blocks.add(encode(replace(plan, op=replace(plan.op, **change))))
    assert len(blocks) == len(changes) + 1
