"""The parameter block in custom_options: everything comes back, damage is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_harness import make_plan, random_weights

from scanlet.emit.kinds import KIND_GELU, KIND_MAMBA1
from scanlet.emit.parameters.custom_options import SIZES, decode, encode, encode_gelu
from scanlet.emit.parameters.inner_norm import InnerNormParameters
from scanlet.errors import ModelFileError
from scanlet.graph.operators import WEIGHT_ORDER
from scanlet.graph.operators.selective_ssm import INNER_NORM_WEIGHTS, REQUIRED_WEIGHTS

OPTIONAL = frozenset({"input_weight", "norm_weight", "conv_bias"})


def make_block(**options: Any) -> bytes:
    weights = random_weights(np.random.default_rng(0), OPTIONAL)
    return encode(make_plan(weights, **options))


def test_every_parameter_comes_back() -> None:
    weights = random_weights(np.random.default_rng(0), OPTIONAL, d_state=5, d_conv=3)
    options: dict[str, Any] = {"norm": "rms", "norm_eps": 0.5, "residual": True}
    block = decode(encode(make_plan(weights, reverse=True, pooling="last", **options)))
    assert block.kind == KIND_MAMBA1
    assert (block.in_features, block.d_model, block.d_inner) == (5, 7, 10)
    assert (block.d_state, block.dt_rank, block.d_conv, block.d_out) == (5, 2, 3, 7)
    assert (block.norm, block.norm_eps, block.pooling) == ("rms", 0.5, "last")
    assert (block.residual, block.reverse, block.stream) == (True, True, False)
    assert block.weights == tuple(weights)
    assert block.more == InnerNormParameters(None, 0.0)


def test_inner_norms_come_back() -> None:
    weights = random_weights(np.random.default_rng(0), OPTIONAL | INNER_NORM_WEIGHTS)
    block = decode(encode(make_plan(weights, inner_norm="rms", inner_norm_eps=0.25)))
    assert block.more == InnerNormParameters("rms", 0.25)
    assert block.weights == tuple(weights)


def test_a_gelu_comes_back() -> None:
    assert decode(encode_gelu()).kind == KIND_GELU


@pytest.mark.parametrize(
    "options",
    [
        {"reverse": True},
        {"residual": True},
        {"norm": "layer"},
        {"norm": "rms"},
        {"norm_eps": 1e-3},
        {"pooling": "mean"},
        {"pooling": "last"},
        {"mode": "stream"},
        {"inner_norm": "rms"},
        {"inner_norm_eps": 1e-3},
    ],
)
def test_every_option_changes_the_signature(options: dict[str, Any]) -> None:
    assert decode(make_block(**options)).signature != decode(make_block()).signature


@pytest.mark.parametrize(
    "shapes",
    [
        {"features": 6},
        {"d_model": 8},
        {"d_inner": 11},
        {"d_state": 4},
        {"dt_rank": 3},
        {"d_conv": 3},
        {"d_out": 8},
    ],
)
def test_every_shape_changes_the_signature(shapes: dict[str, int]) -> None:
    weights = random_weights(np.random.default_rng(0), OPTIONAL, **shapes)
    assert decode(encode(make_plan(weights))).signature != decode(make_block()).signature


def test_every_optional_weight_changes_the_signature() -> None:
    optional = [name for name in WEIGHT_ORDER if name not in REQUIRED_WEIGHTS]
    optional.remove("input_weight")  # input_bias needs it
    signatures = {
        decode(
            encode(make_plan(random_weights(np.random.default_rng(0), chosen), inner_norm="rms"))
        ).signature
        for chosen in (frozenset({"input_weight", name}) for name in (*optional, "input_weight"))
    }
    assert len(signatures) == len(optional) + 1


def test_tile_and_length_are_no_part_of_a_layer_s_identity() -> None:
    plan = make_plan(random_weights(np.random.default_rng(0)))
    assert encode(replace(plan, tile=8, length=999, index=3, name="other")) == encode(plan)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.binary(max_size=80))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ModelFileError):
        decode(data)


@pytest.mark.parametrize("gelu", [False, True])
def test_a_changed_byte_anywhere_is_refused(gelu: bool) -> None:
    block = encode_gelu() if gelu else make_block()
    for position in range(len(block)):
        for change in (1, 0x80, 0xFF):
            damaged = bytearray(block)
            damaged[position] ^= change
            with pytest.raises(ModelFileError):
                decode(bytes(damaged))


def test_a_block_of_another_length_is_refused() -> None:
    for length in range(len(make_block())):
        words = "no SELECTIVE_SSM" if length in SIZES.values() else f"{length} bytes"
        with pytest.raises(ModelFileError, match=words):
            decode(make_block()[:length])
    with pytest.raises(ModelFileError):
        decode(make_block() + b"\0")
