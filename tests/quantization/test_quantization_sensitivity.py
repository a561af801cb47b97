"""Signal to quantization noise by tensor, and label agreement."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scanlet.errors import InputError
from scanlet.graph import Graph, Node, Quantization, Tensor, constant
from scanlet.graph.operators import Linear, Unary
from scanlet.quantization.calibration import calibrate
from scanlet.quantization.sensitivity import (
    Sensitivity,
    compare,
    print_calibration,
    print_sensitivity,
    sensitivities,
    stored_inputs,
)

FINE, COARSE = Quantization((2.0**-10,), (0,)), Quantization((0.5,), (3,))


def graphs(rng: np.random.Generator) -> tuple[Graph, Graph]:
    """x -> hidden -> scores; the second one's hidden tensor is coarse, its weight exact."""
    weight = rng.integers(-8, 9, (4, 6)).astype(float)

    def make(quantized: bool) -> Graph:
        def tensor(name: str, width: int, quantization: Quantization) -> Tensor:
            if not quantized:
                return Tensor(name, (1, width))
            return Tensor(name, (1, width), "int16", None, quantization)

        x, hidden = tensor("x", 6, FINE), tensor("hidden", 6, COARSE)
        scores = tensor("scores", 4, Quantization((2.0**-6,), (0,)))
        nodes = [
            Node(Unary("tanh"), [x], [hidden]),
            Node(Linear(), [hidden, constant("w", weight)], [scores]),
        ]
        return Graph([x], [scores], nodes)

    return make(False), make(True)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def draw(rng: np.random.Generator, count: int) -> list[tuple[np.ndarray, ...]]:
    return [(rng.standard_normal((1, 6)).astype(np.float32),) for _ in range(count)]


def test_the_coarse_tensor_is_worst_and_its_noise_is_what_rounding_makes(
    rng: np.random.Generator,
) -> None:
    plain, quantized = graphs(rng)
    samples = draw(rng, 50)
    rows = sensitivities(plain, quantized, samples)
    assert [row.noise_db for row in rows] == sorted(row.noise_db for row in rows)
    by_name = {row.name: row for row in rows}
    assert set(by_name) == {"x", "hidden", "scores"}
    values = np.concatenate([sample[0] for sample in samples]).astype(float)
    hidden = np.tanh(values)
    rounded = np.round(np.tanh(np.round(values * 1024) / 1024) / 0.5) * 0.5
    expected = 10 * np.log10(np.mean(hidden**2) / np.mean((rounded - hidden) ** 2))
    assert_allclose(by_name["hidden"].noise_db, expected, atol=1e-6)
    assert by_name["hidden"].largest_error <= 0.25 + 1e-3
    assert by_name["x"].noise_db > 60 > 25 > by_name["scores"].noise_db
    assert by_name["hidden"].dtype == "int16"


def test_agreement_is_the_share_of_equal_labels(rng: np.random.Generator) -> None:
    plain, quantized = graphs(rng)
    samples = draw(rng, 60)
    found = compare(plain, quantized, samples)
    same = [
        np.argmax(plain.evaluate(s)[0])
        == np.argmax(quantized.evaluate(stored_inputs(quantized, s))[0])
        for s in samples
    ]
    assert 0.5 < np.mean(same) < 1
    assert found.agreement == np.mean(same)
    assert found.samples == 60


def test_equal_graphs_have_no_noise_at_all(rng: np.random.Generator) -> None:
    plain, _ = graphs(rng)
    found = compare(plain, plain.copy(), draw(rng, 3))
    assert found.agreement == 1
    assert all(row.noise_db == np.inf and row.largest_error == 0 for row in found.tensors)


def test_no_sample_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="no samples"):
        compare(*graphs(rng), [])


def test_tables_show_the_worst_tensors_and_every_warning(
    rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Sensitivity(f"t{i}", 10.0 * i, 0.5, "int8") for i in range(5)]
    print_sensitivity(rows, limit=2)
    shown = capsys.readouterr().out
    assert "t0" in shown
    assert "10.0" in shown
    assert "t2" not in shown
    assert "and 3 more" in shown
    plain, _ = graphs(rng)
    print_calibration(calibrate(plain, draw(rng, 1)))
    shown = capsys.readouterr().out
    assert "hidden" in shown
    assert "single sample" in shown
