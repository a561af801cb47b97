"""What calibration says about a mixer, against its stages computed by torch step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from small_networks import E, F, K, L, N, R, add_mixer, draw, new_graph

from scanlet.errors import CalibrationError
from scanlet.graph.operators import SelectiveSSM
from scanlet.quantization.calibration import calibrate


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


OPTIONS: list[tuple[set[str], dict[str, Any]]] = [
    (set(), {}),
    ({"input_weight", "input_bias"}, {"pooling": "mean"}),
    ({"norm_weight", "norm_bias"}, {"norm": "layer", "norm_eps": 1e-5, "residual": True}),
    ({"norm_weight"}, {"norm": "rms", "norm_eps": 1e-5, "pooling": "last", "reverse": True}),
]


def direct_stages(
    x: np.ndarray, w: dict[str, np.ndarray], op: SelectiveSSM
) -> dict[str, np.ndarray]:
    """The stages of one sample by torch, step by step; (L, ...) each."""
    t = {name: torch.from_numpy(value) for name, value in w.items()}
    r = torch.from_numpy(x[0])
    found = {}
    if op.reverse:
        r = r.flip(0)
    if "input_weight" in t:
        found["input"] = r
        r = torch.nn.functional.linear(r, t["input_weight"], t["input_bias"])
    found["r"] = n = r
    if op.norm == "layer":
        n = torch.nn.functional.layer_norm(r, (F,), eps=op.norm_eps)
    elif op.norm == "rms":
        n = torch.nn.functional.rms_norm(r, (F,), eps=op.norm_eps)
    found["normalized"] = n
    n = n * t.get("norm_weight", torch.ones(F)) + t.get("norm_bias", torch.zeros(F))
    found["x"], found["z"] = torch.nn.functional.linear(
        n, t["in_proj_weight"], t["in_proj_bias"]
    ).chunk(2, dim=-1)
    found["conv"] = torch.nn.functional.conv1d(
        found["x"].mT[None], t["conv_weight"][:, None], t["conv_bias"], padding=K - 1, groups=E
    )[0, :, : len(x[0])].mT
    u = found["u"] = torch.nn.functional.silu(found["conv"])
    found["dbc"] = u @ t["x_proj_weight"].mT
    dt, b, c = found["dbc"].split([R, N, N], dim=-1)
    found["delta_argument"] = dt @ t["dt_proj_weight"].mT + t["dt_proj_bias"]
    delta = found["delta"] = torch.log1p(torch.exp(found["delta_argument"]))
    found["du"] = delta * u
    states, h = [], torch.zeros(E, N, dtype=torch.float64)
    for step in range(len(u)):
        h = torch.exp(delta[step, :, None] * t["A"]) * h + torch.outer(found["du"][step], b[step])
        states.append(h)
    found["h"] = torch.stack(states)
    found["y"] = torch.einsum("len,ln->le", found["h"], c) + t["D"] * u
    g = found["g"] = found["y"] * torch.nn.functional.silu(found["z"])
    if op.pooling:
        found["pooled"] = g.mean(dim=0, keepdim=True) if op.pooling == "mean" else g[-1:]
    return {name: value.numpy() for name, value in found.items()}


@pytest.mark.parametrize(("optional", "options"), OPTIONS)
def test_the_statistics_of_a_mixer_are_those_of_its_stages(
    optional: set[str], options: dict[str, Any], rng: np.random.Generator
) -> None:
    graph, x = new_graph()
    y, weights = add_mixer(graph, x, rng, optional, **options)
    graph.outputs = [y]
    samples = draw(rng, 40)
    calibration = calibrate(graph, samples)
    found = calibration.mixers[y.name]
    op = graph.nodes[0].op
    assert isinstance(op, SelectiveSSM)
    stages = [direct_stages(sample, weights, op) for sample in samples]
    stage = {name: np.concatenate([s[name] for s in stages]) for name in stages[0]}
    largest = {name: np.abs(values).max(axis=0) for name, values in stage.items()}

    def close(value: Any, wanted: Any) -> None:
        assert_allclose(value, wanted, rtol=1e-3, atol=1e-4)

    close(found.r, (stage["r"].min(), stage["r"].max()))
    close(found.norm, largest["normalized"].max() if op.norm else 0)
    for name in ("x", "dbc", "delta", "du", "h", "y", "g"):
        close(getattr(found, name), largest[name])
    for name in ("z", "conv"):
        close(getattr(found, name), np.stack([stage[name].min(0), stage[name].max(0)], axis=1))
    close(found.u, largest["u"].max())
    close(found.delta_argument, (stage["delta_argument"].min(), stage["delta_argument"].max()))
    if op.pooling:
        close(found.pooled, largest["pooled"])
    else:
        assert found.pooled is None
    assert found.out == calibration.range(y.name)
    read = {
        "in_proj_weight": stage["normalized"],
        "x_proj_weight": stage["u"],
        "dt_proj_weight": stage["dbc"][:, :R],
        "out_proj_weight": stage["pooled" if op.pooling else "g"],
    }
    if "input_weight" in weights:
        read["input_weight"] = stage["input"]
    assert set(found.moments) == set(read)
    for name, inputs in read.items():
        close(found.moments[name][0], inputs.T @ inputs / len(inputs))
        close(found.moments[name][1], inputs.mean(axis=0))


def test_chunks_of_a_stream_count_as_one_sequence(rng: np.random.Generator) -> None:
    seed = int(rng.integers(1 << 30))
    whole, x = new_graph(4 * L)
    whole.outputs = [add_mixer(whole, x, np.random.default_rng(seed))[0]]
    chunked, x = new_graph(L)
    chunked.outputs = [add_mixer(chunked, x, np.random.default_rng(seed), mode="stream")[0]]
    sequence = draw(rng, 1, 4 * L)[0]
    wanted = calibrate(whole, [sequence]).mixers["mixer"]
    found = calibrate(chunked, np.split(sequence, 4, axis=1)).mixers["mixer"]
    assert_allclose(found.h, wanted.h, rtol=1e-4)
    assert_allclose(found.conv, wanted.conv, rtol=1e-4)
    assert_allclose(found.out, wanted.out, rtol=1e-4)


def test_dead_stages_of_a_mixer_are_warned_of(rng: np.random.Generator) -> None:
    graph, x = new_graph()
    graph.outputs = [add_mixer(graph, x, rng)[0]]
    for tensor in graph.nodes[0].inputs:
        if tensor.name == "mixer.x_proj_weight":
            tensor.data = np.zeros(tensor.shape)
    warnings = calibrate(graph, draw(rng, 3)).warnings
    assert any("mixer 'mixer'" in w and "dbc, h" in w for w in warnings)


def test_a_mixer_that_overflows_is_named_with_its_stage(rng: np.random.Generator) -> None:
    graph, x = new_graph()
    graph.outputs = [add_mixer(graph, x, rng)[0]]
    with pytest.raises(CalibrationError, match=r"mixer 'mixer': the stage 'x' becomes"):
        calibrate(graph, [np.full((1, L, F), 3e38)])
