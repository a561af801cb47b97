"""Scans written as loops become one node, however they are written and whatever names they have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from frontend_models import Shell, spread
from looped_models import (
    STYLES,
    WIDTH,
    Backwards,
    Looped,
    SteppedCell,
    Ungated,
    associative,
    scan_operator,
)
from torch import nn

import scanlet
from scanlet.emit import seal
from scanlet.frontend import Capture, capture
from scanlet.graph.operators import SelectiveSSM


def sequence(length: int) -> torch.Tensor:
    return torch.randn(1, length, WIDTH, generator=torch.Generator().manual_seed(length))


def assert_rolled(captured: Capture, model: nn.Module, x: torch.Tensor, count: int = 1) -> None:
    nodes = [node for node in captured.graph.nodes if isinstance(node.op, SelectiveSSM)]
    assert len(nodes) == count
    assert all(record.deviation < 1e-5 for record in captured.mixers)
    with torch.no_grad():
        want = model.double()(x.double()).numpy()
    model.float()
    (got,) = captured.graph.evaluate([x.double().numpy()])
    assert np.abs(want).max() > 0.01
    np.testing.assert_allclose(got, want, atol=2e-6 * np.abs(want).max())


@pytest.mark.parametrize("style", STYLES)
def test_a_loop_in_any_style_is_one_node(style):
    model, x = spread(Looped(STYLES[style])), sequence(8)
    captured = capture(model, x)
    assert [type(node.op) for node in captured.graph.nodes] == [SelectiveSSM]
    assert captured.mixers[0].dt_rank == 2
    assert_rolled(captured, model, x)


@pytest.mark.parametrize(
    "model",
    [
        SteppedCell(),
        Backwards(STYLES["einsums"]),
        Ungated(STYLES["in_place"]),
        Looped(scan_operator),
        Looped(associative),
    ],
    ids=["stepped", "backwards", "ungated", "scan", "associative_scan"],
)
def test_what_surrounds_the_loop_is_absorbed(model):
    spread(model)
    x = sequence(7)
    assert_rolled(capture(model, x), model, x)


def test_only_the_last_step_of_a_loop_may_be_used():
    model, x = spread(Looped(STYLES["einsums"])), sequence(6)
    last = Shell(lambda m, x: m.loop(x)[:, -1], loop=model)
    assert_rolled(capture(last, x), last, x)


def test_two_loops_in_sequence_are_two_nodes():
    model = Shell(
        lambda m, x: m.two(m.norm(x + m.one(x))),
        one=Looped(STYLES["einsums"]),
        norm=nn.LayerNorm(WIDTH),
        two=Looped(STYLES["in_place"]),
    )
    x = sequence(6)
    captured = capture(model, x)
    assert [record.path for record in captured.mixers] == ["one", "two"]
    assert_rolled(captured, model, x, count=2)


def test_a_loop_in_a_program_without_module_hierarchy_is_one_node():
    model, x = spread(Looped(STYLES["broadcasting"])), sequence(5)
    program = torch.export.export(model, (x,), strict=False)
    for node in program.graph.nodes:
        node.meta.pop("nn_module_stack", None)
    assert_rolled(capture(program), model, x)


@pytest.mark.parametrize("style", ["einsums", "broadcasting", "step_functions", "states_first"])
def test_the_flatbuffer_of_a_loop_does_not_depend_on_the_length(style):
    model = spread(Looped(STYLES[style]))
    short, long = (scanlet.compile(model, (sequence(n),)) for n in (8, 64))
    for compiled, length in ((short, 8), (long, 64)):
        x = sequence(length)
        with torch.no_grad():
            want = model(x).numpy()
        got = compiled.run(x.numpy())
        np.testing.assert_allclose(got, want, atol=1e-5 * np.abs(want).max())
    one, other = (unsealed(compiled.tflite) for compiled in (short, long))
    differing = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    assert differing == [(8, 64)] * 2  # the shapes of input and output


def unsealed(tflite: bytes) -> bytes:
    """The flatbuffer without its checksum."""
    start = tflite.rindex(seal.MAGIC) + len(seal.MAGIC)
    return tflite[:start] + tflite[start + seal.DIGEST_BYTES :]
