"""However a stream is cut into chunks, its outputs are the same bits."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from api_stream_models import LEAST, STEPS, compile_stream, expected, model, sequences
from hypothesis import given, settings
from hypothesis import strategies as st

import scanlet

PRECISIONS = ("float32", "int8", "int16x8")
ACCURACY = {"float32": 1e-5, "int8": 0.15, "int16x8": 0.05}
#: Chunks of one stride, and of no whole number of tiles.
CASES = [
    *((kind, precision) for kind in ("fused", "apart") for precision in PRECISIONS),
    ("stepwise", "int8"),
]


@cache
def compiled(kind: str, chunk: int, precision: str) -> scanlet.Compiled:
    return compile_stream(kind, chunk, precision=precision)


def at_the_end(kind: str, y: np.ndarray) -> np.ndarray:
    return y if kind == "stepwise" else y[-1:]


@pytest.mark.parametrize(("kind", "precision"), CASES)
def test_any_chunks_give_the_bits_of_the_whole_sequence(kind: str, precision: str) -> None:
    whole = compiled(kind, STEPS, precision)

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(chunk=st.sampled_from([LEAST[kind], 6]), seed=st.integers(0, 100))
    def check(chunk: int, seed: int) -> None:
        stream = compiled(kind, chunk if precision != "int16x8" else 6, precision)
        (x,) = sequences(1, seed)
        whole.reset()
        stream.reset()
        y = whole.run(x)
        got = at_the_end(kind, stream.run(x))
        np.testing.assert_array_equal(got, y)
        again = np.concatenate([y, whole.run(x)], axis=1) if kind == "stepwise" else whole.run(x)
        carried = stream.run(x)
        np.testing.assert_array_equal(at_the_end(kind, carried), again[:, -y.shape[1] :])
        real = expected(kind, x)
        assert np.abs(y - real).max() <= ACCURACY[precision] * np.abs(real).max()

    check()


@pytest.mark.parametrize("core", ["cortex-m7", "cortex-m55"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("kind", ["fused", "apart"])
def test_cores_give_the_same_bits_for_any_chunks(kind: str, precision: str, core: str) -> None:
    (x,) = sequences(1, 9)
    least = compiled(kind, LEAST[kind], precision)
    results = [c.run(x, on=core) for c in (least, compiled(kind, STEPS, precision))]
    np.testing.assert_array_equal(results[0][-1:], results[1])
    least.reset()
    on_host = least.run(x)
    if precision == "int8" and kind == "fused":
        np.testing.assert_array_equal(results[0], on_host)
    else:
        np.testing.assert_allclose(results[0], on_host, rtol=1e-4, atol=0.05)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_of_a_running_mean_are_means_of_growing_parts(precision: str) -> None:
    stream = compiled("fused", 6, precision)
    (x,) = sequences(1, 3)
    stream.reset()
    y = stream.run(x)
    assert y.shape == (4, 3)
    for row, end in zip(y, (6, 12, 18, 24), strict=True):
        real = expected("fused", x[:, :end])
        assert np.abs(row - real).max() <= ACCURACY[precision] * np.abs(real).max()
    stream.reset()
    np.testing.assert_array_equal(stream.run(x[:, :6]), y[:1])


@pytest.mark.parametrize(
    ("kind", "precision", "pooling"),
    [
        ("fused", "int8", "exponential:5"),
        ("apart", "float32", "exponential:5"),
        ("apart", "int8", "exponential:5"),
        ("fused", "float32", "last"),
        ("apart", "int8", "chunk"),
    ],
)
def test_other_poolings(kind: str, precision: str, pooling: str) -> None:
    stream = compile_stream(kind, 4, precision=precision, pooling=pooling)
    graph = stream.graph
    assert graph is not None
    assert stream.verification is not None
    assert stream.verification.passed
    (x,) = sequences(1, 5)
    stream.reset()
    y = stream.run(x)
    carried: dict = {}
    for row, start in zip(y, range(0, STEPS, 4), strict=True):
        stored = stream.stored_inputs([x[:, start : start + 4]])
        meaning = stream.real_outputs(graph.evaluate(stored, "float32", carried))[0]
        assert np.abs(row - meaning).max() <= (1e-5 if precision == "float32" else 0.03)


def test_a_saved_stream_goes_on_as_before(tmp_path) -> None:
    stream = compile_stream("apart", 2, pooling=scanlet.ExponentialMean(7))
    opened = scanlet.open(stream.save(tmp_path / "p"))
    assert opened.report["stream"] == {
        "inputs": [1], "outputs": [None], "chunk": 2, "least": 2, "captured": STEPS,
        "pooling": "exponential:7",
    }  # fmt: skip
    (x,) = sequences(1, 6)
    stream.reset()
    np.testing.assert_array_equal(opened.run(x), stream.run(x))
    np.testing.assert_allclose(opened.run(x, on="cortex-m4"), stream.run(x), atol=1)


# -- bad input ---------------------------------------------------------------------------------
def test_a_mean_over_a_stream_has_to_be_chosen() -> None:
    with pytest.raises(scanlet.UnsupportedModelError, match="exponential:STEPS"):
        compile_stream("fused", 1, pooling=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chunk": 0}, "chunk is 0"),
        ({"chunk": 3, "kind": "apart"}, "multiple of 2"),
        ({"pooling": "median"}, "exponential:STEPS"),
        ({"kind": "stepwise", "pooling": "mean"}, "nothing in the model pools"),
        ({"mode": "sequence", "chunk": 1, "pooling": None}, "belong to stream mode"),
        ({"mode": "sequence", "pooling": "last"}, "belong to stream mode"),
        ({"calibration_data": [np.zeros((1, 5, 5))], "chunk": 2}, "no whole number of chunks"),
    ],
    ids=str,
)
def test_choices_that_do_not_fit_are_refused(arguments, message) -> None:
    chosen = {"kind": "fused", "chunk": None, **arguments}
    with pytest.raises(scanlet.InputError, match=message):
        compile_stream(**chosen)


def test_a_part_of_a_chunk_is_refused() -> None:
    with pytest.raises(scanlet.InputError, match="chunks of 6"):
        compiled("fused", 6, "float32").run(np.zeros((1, 7, 5), np.float32))


def test_a_model_that_looks_back_from_the_end_is_refused_in_chunks_of_one_step() -> None:
    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model("stepwise").mixer
            self.back = model("stepwise").mixer

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x) + self.back(x.flip(1)).flip(1)

    for example, chunk in ((torch.zeros(1, 1, 5), None), (torch.zeros(1, 8, 5), 1)):
        with pytest.raises(scanlet.UnsupportedModelError, match="backwards"):
            scanlet.compile(Both().eval(), example, mode="stream", chunk=chunk, progress=False)
