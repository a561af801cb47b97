"""Registration: `prepare` refuses what does not fit, in words; both styles of TFLM compile."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_harness import (
    STRICT,
    build_layers,
    compile_files,
    make_plan,
    random_weights,
    render,
    run_layer,
)
from registration_harness import (
    INT32,
    NO_MEMORY,
    ODD_ADDRESS,
    Call,
    Tensor,
    build_interpreter,
    refusal,
    run,
)

from scanlet.emit.parameters.custom_options import encode, encode_gelu
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import pack_layer

HERE = Path(__file__).parent


class Layer:
    """A layer, its weights, and its well-formed node."""

    def __init__(self, index: int, optional: frozenset[str] = frozenset(), **options: Any) -> None:
        self.weights = random_weights(np.random.default_rng(index), optional)
        self.plan: LayerPlan = make_plan(self.weights, index=index, **options)

    def node(self, x: np.ndarray, calls: int = 0) -> Call:
        packed = pack_layer(self.plan, self.weights)
        shape = (1, self.plan.d_out) if self.plan.op.pooling else (1, len(x), self.plan.d_out)
        return Call(
            encode(self.plan),
            (Tensor((1, *x.shape), x), *(Tensor(w.data.shape, w.data) for w in packed)),
            (Tensor(shape, np.zeros(shape)),),
            calls,
        )


LAYERS = (
    Layer(0, frozenset({"input_weight"})),
    Layer(1, pooling="mean"),
    Layer(2, mode="stream"),
)
#: In the model of another component.
STRANGER = Layer(3, norm="rms")


@pytest.fixture(scope="module")
def interpreter() -> Path:
    return build_interpreter(render([layer.plan for layer in LAYERS]))


def sequence(layer: Layer, length: int) -> np.ndarray:
    rng = np.random.default_rng(length)
    return rng.standard_normal((length, layer.plan.in_features), np.float32)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("length", [1, 6])
def test_a_well_formed_node_runs_and_resets(interpreter: Path, layer: Layer, length: int) -> None:
    plan = layer.plan
    x = sequence(layer, length)
    (result,) = run(interpreter, layer.node(x, calls=3))
    assert result.status == 0, result.message
    stream = plan.op.mode == "stream"
    assert result.scratch_bytes == plan.scratch_bytes + (0 if stream else plan.state_bytes)
    assert result.persistent_bytes >= (plan.state_bytes if stream else 0)
    program = build_layers([layer.plan])
    clear = [length] if stream else [0, length]
    chunks = [length, *clear, 0, length]  # the last call follows a reset
    expected, _ = run_layer(program, plan, layer.weights, np.concatenate([x] * 3), chunks=chunks)
    assert result.outputs.tobytes() == expected.tobytes()


def test_gelu_runs_over_any_shape(interpreter: Path) -> None:
    data = np.linspace(-3, 3, 24, dtype=np.float32)
    nodes = []
    for shape in ((24,), (2, 3, 4), (1, 2, 3, 2, 2), ()):
        values = data[: int(np.prod(shape))]
        tensor = Tensor(shape, values)
        nodes.append(Call(encode_gelu(), (tensor,), (tensor,), 1))
    whole, *others = run(interpreter, *nodes)
    assert whole.status == 0
    assert whole.outputs[23] == pytest.approx(2.99595031)  # torch.nn.functional.gelu(3)
    for result in others:
        assert result.status == 0
        assert result.outputs.tobytes() == whole.outputs[: result.outputs.size].tobytes()


def test_another_model_s_layer_is_refused(interpreter: Path) -> None:
    message = refusal(interpreter, STRANGER.node(sequence(STRANGER, 4)))
    assert "not generated for" in message
    assert "compile model and operator together" in message
    signature = struct.unpack_from("<I", encode(STRANGER.plan), 8)[0]
    assert f"0x{signature:x}" in message


NODE = LAYERS[0].node(sequence(LAYERS[0], 4))
X, WEIGHT, *_ = NODE.inputs
Y = NODE.outputs[0]


def with_input(index: int, **changes: Any) -> Call:
    inputs = list(NODE.inputs)
    inputs[index] = replace(inputs[index], **changes)
    return replace(NODE, inputs=tuple(inputs))


def with_output(**changes: Any) -> Call:
    return replace(NODE, outputs=(replace(Y, **changes),))


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (with_input(0, shape=(1, 0, 5)), "a sequence of 0 steps"),
        (with_input(0, shape=(1, -3, 5)), "a sequence of -3 steps"),
        (with_input(0, shape=(2, 4, 5)), "axis 0 of input 0 is 2"),
        (with_input(0, shape=(1, 4, 6)), "axis 2 of input 0 is 6"),
        (with_input(0, shape=(4, 5)), "input 0 has rank 2, expected 3"),
        (with_input(0, shape=None), "input 0 is missing"),
        (with_input(0, type=INT32), "input 0 has type 2, expected float32"),
        (with_input(1, type=INT32), "input 1 has type 2, expected float32"),
        (with_input(1, shape=(2, 5, 5)), "axis 2 of input 1 is 5"),
        (with_input(1, shape=(40,)), "input 1 has rank 1, expected 3"),
        (with_input(1, memory=NO_MEMORY), "input 1 is no constant"),
        (with_input(2, memory=ODD_ADDRESS), "input 2 is no constant at an aligned address"),
        (with_output(shape=(1, 3, 7)), "axis 1 of output 0 is 3"),
        (with_output(shape=(1, 7)), "output 0 has rank 2, expected 3"),
        (with_output(type=INT32), "output 0 has type 2, expected float32"),
        (replace(NODE, inputs=NODE.inputs[:-1]), "inputs, expected"),
        (replace(NODE, inputs=(*NODE.inputs, X)), "inputs, expected"),
        (replace(NODE, inputs=()), "0 inputs, expected"),
        (replace(NODE, outputs=()), "0 outputs, expected 1"),
        (replace(NODE, outputs=(Y, Y)), "2 outputs, expected 1"),
        (replace(NODE, options=b""), "no parameter block"),
        (replace(NODE, options=NODE.options[:51]), "no parameter block"),
        (replace(NODE, options=NODE.options[:-1]), "was not generated for this model's layer"),
        (replace(NODE, options=encode_gelu()), "GELU with"),
        (Call(encode_gelu(), (replace(X, type=INT32),), (X,)), "input 0 has type 2"),
        (Call(encode_gelu(), (X,), (Y,)), "axis 2 of output 0 is 7"),
        (Call(encode_gelu(), (Tensor((1,) * 9),), (Tensor((1,) * 9),)), "rank 9"),
        (Call(encode_gelu(), (Tensor(None),), (X,)), "input 0 is missing"),
        (with_input(0, shape=(1, 2**30, 5)), "a sequence of 1073741824 steps, at most"),
        (with_input(0, memory=ODD_ADDRESS), "input 0 is a constant at an odd address"),
        (Call(encode_gelu(), (Tensor((2, -3)),), (X,)), "GELU with -3 along axis 1"),
        (Call(encode_gelu(), (Tensor((2**16, 2**16)),), (X,)), "GELU with 65536 along axis 1"),
        (Call(encode_gelu(), (replace(X, memory=ODD_ADDRESS),), (X,)), "at an odd address"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(interpreter: Path, node: Call, words: str) -> None:
    assert words in refusal(interpreter, node)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(options=st.lists(st.binary(max_size=80), min_size=20, max_size=20))
def test_random_options_are_refused(interpreter: Path, options: list[bytes]) -> None:
    for result in run(interpreter, *(replace(NODE, options=o) for o in options)):
        assert result.status != 0
        assert result.message.startswith("SELECTIVE_SSM: ")


def test_options_with_any_byte_changed_are_refused(interpreter: Path) -> None:
    nodes = []
    for position in range(len(NODE.options)):
        damaged = bytearray(NODE.options)
        damaged[position] ^= 0x41
        nodes.append(replace(NODE, options=bytes(damaged)))
    assert all(result.status != 0 for result in run(interpreter, *nodes))


@pytest.mark.parametrize("style", ["global", "namespaced"])
@pytest.mark.parametrize("standard", ["gnu++14", "gnu++17"])
def test_device_sources_compile_in_both_styles_of_tflm(style: str, standard: str) -> None:
    plans = [LAYERS[0].plan]
    files = {**render(plans, "first"), **render(plans, "second"), "host_abi.h": "#error host only"}
    files["user.cc"] = """\
#include "selective_ssm_first_registration.h"
#include "selective_ssm_second_registration.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
template <typename Resolver>
void Fill(Resolver* resolver) {
  resolver->AddCustom("SELECTIVE_SSM", first_register_selective_ssm());
  resolver->AddCustom("SELECTIVE_SSM", second_register_selective_ssm());
}
using namespace tflite;
#ifdef NAMESPACED
using namespace tflite::micro;
#endif
void Use() {
  MicroMutableOpResolver<2> resolver;
  Fill(&resolver);
}
"""
    sources = [f"selective_ssm_{name}_registration.cc" for name in ("first", "second")]
    stubs = [f"-I{HERE / 'stubs_common'}", f"-I{HERE / f'stubs_{style}'}"]
    defines = ["-DNAMESPACED"] if style == "namespaced" else []
    strict = [flag for flag in STRICT if flag != "-Wvla"]
    command = ["g++", f"-std={standard}", "-fno-exceptions", "-fno-rtti", "-fsyntax-only", *strict]
    compile_files(files, [*command, *stubs, *defines, *sources, "user.cc"], None)
