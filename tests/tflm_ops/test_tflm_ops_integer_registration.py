"""Registration of integer layers: types, shapes and limits are checked; float and integers mix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from integer_cases import Case, random_case
from operator_harness import make_plan, random_weights, render
from registration_harness import (
    DTYPES,
    FLOAT32,
    INT8,
    INT16,
    INT32,
    Call,
    Tensor,
    build_interpreter,
    refusal,
    run,
)

from scanlet.emit.parameters.custom_options import encode
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import pack_layer

TARGET = "cortex-m7"
TYPES = {name: number for number, name in DTYPES.items()}

SEQUENCE = random_case(0, length=6, activation="int16")
POOLED = random_case(1, length=5, pooling="mean")
STREAM = random_case(2, length=4, mode="stream")
CASES = (SEQUENCE, POOLED, STREAM)
PLANS = [case.plan(4, TARGET, index) for index, case in enumerate(CASES)]
FLOAT_WEIGHTS = random_weights(np.random.default_rng(3))
FLOAT_PLAN = make_plan(FLOAT_WEIGHTS, index=3)


@pytest.fixture(scope="module")
def interpreter() -> Path:
    return build_interpreter(render([*PLANS, FLOAT_PLAN], target=TARGET))


def node(case: Case, plan: LayerPlan, calls: int = 0) -> Call:
    packed = [weight.data for weight in pack_layer(plan, case.weights)]
    y = np.zeros((1, *case.expected().shape))
    kind = TYPES[case.op.activation]
    return Call(
        encode(plan),
        (
            Tensor(case.x.shape, case.x, kind),
            *(Tensor(data.shape, data, TYPES[str(data.dtype)]) for data in packed),
        ),
        (Tensor(y.shape, y, kind),),
        calls,
    )


@pytest.mark.parametrize("index", range(len(CASES)))
def test_a_well_formed_integer_node_runs_and_resets(interpreter: Path, index: int) -> None:
    case, plan = CASES[index], PLANS[index]
    (result,) = run(interpreter, node(case, plan, calls=2))  # reset between the two
    assert result.status == 0, result.message
    assert result.data == case.expected().tobytes() * 2
    stream = case.op.mode == "stream"
    assert result.scratch_bytes == plan.scratch_bytes + (0 if stream else plan.state_bytes)


def test_float_and_integer_layers_live_in_one_component(interpreter: Path) -> None:
    x = np.random.default_rng(0).standard_normal((1, 5, 7), np.float32)
    weights = [weight.data for weight in pack_layer(FLOAT_PLAN, FLOAT_WEIGHTS)]
    call = Call(
        encode(FLOAT_PLAN),
        (Tensor(x.shape, x), *(Tensor(data.shape, data) for data in weights)),
        (Tensor((1, 5, 7), np.zeros((1, 5, 7))),),
        1,
    )
    floats, integers = run(interpreter, call, node(SEQUENCE, PLANS[0], calls=1))
    meaning = FLOAT_PLAN.op.evaluate(x, *FLOAT_WEIGHTS.values())
    np.testing.assert_allclose(floats.outputs, meaning.ravel(), atol=1e-4)
    assert integers.data == SEQUENCE.expected().tobytes()


NODE = node(SEQUENCE, PLANS[0])
Y = NODE.outputs[0]


def with_input(index: int, **changes: Any) -> Call:
    inputs = list(NODE.inputs)
    inputs[index] = replace(inputs[index], **changes)
    return replace(NODE, inputs=tuple(inputs))


LONG = replace(
    node(POOLED, PLANS[1]),
    inputs=(Tensor((1, 65536, 5), type=INT8), *node(POOLED, PLANS[1]).inputs[1:]),
)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (with_input(0, type=FLOAT32), "input 0 has type 1, expected int16"),
        (with_input(0, type=INT8), "input 0 has type 9, expected int16"),
        (with_input(1, type=INT16), "input 1 has type 7, expected int8"),
        (with_input(2, type=INT16), "input 2 has type 7, expected int32"),
        (with_input(3, type=INT8), "input 3 has type 9, expected int16"),
        (with_input(1, shape=(24, 10)), "axis 1 of input 1 is 10"),
        (with_input(2, shape=(20, 2)), "axis 0 of input 2 is 20"),
        (replace(NODE, outputs=(replace(Y, type=INT32),)), "output 0 has type 2, expected int16"),
        (replace(NODE, inputs=NODE.inputs[:-1]), "inputs, expected"),
        (replace(NODE, options=NODE.options[:52]), "not generated for"),
        (replace(NODE, options=NODE.options + b"\0"), "no parameter block"),
        (replace(NODE, options=encode(FLOAT_PLAN)), "inputs, expected"),
        (LONG, "a mean over 65536 steps, at most 65535"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(interpreter: Path, call: Call, words: str) -> None:
    assert words in refusal(interpreter, call)


@pytest.mark.parametrize("target", ["generic", "cortex-m55"])
def test_weights_packed_for_other_kernels_are_refused(interpreter: Path, target: str) -> None:
    message = refusal(interpreter, node(SEQUENCE, SEQUENCE.plan(4, target)))
    assert "compile model and operator together" in message


@pytest.mark.parametrize("field", ["input_zero_point", "delta_fraction", "norm_eps"])
def test_other_literals_are_refused(interpreter: Path, field: str) -> None:
    """A model whose numbers differ from the generated code's, its shapes being equal."""
    op = replace(SEQUENCE.op, **{field: getattr(SEQUENCE.op, field) + 1})
    other = replace(PLANS[0], op=op)
    assert "was not generated for" in refusal(interpreter, replace(NODE, options=encode(other)))


def test_integer_options_with_any_byte_changed_are_refused(interpreter: Path) -> None:
    nodes = []
    for position in range(len(NODE.options)):
        damaged = bytearray(NODE.options)
        damaged[position] ^= 0x41
        nodes.append(replace(NODE, options=bytes(damaged)))
    assert all(result.status != 0 for result in run(interpreter, *nodes))
