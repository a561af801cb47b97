"""What an integer precision refuses or warns of, and that it names the argument or tensor."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from api_integer_models import Case, make_case
from torch import nn

import scanlet
from scanlet.nn import MambaMixer

X = np.random.default_rng(9).standard_normal((8, 1, 12, 5)).astype(np.float32)


class Pointwise(nn.Module):
    """Linear -> `function` -> mixer -> mean -> Linear."""

    def __init__(self, function) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 5)
        self.mixer = MambaMixer(5, d_state=2)
        self.head = nn.Linear(5, 2)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(self.function(self.embed(x))).mean(1))


def pointwise(function) -> Case:
    torch.manual_seed(10)
    return Case(Pointwise(function).eval(), X, X)


@pytest.fixture(scope="module")
def classifier() -> Case:
    return make_case("classifier")


@pytest.fixture(scope="module")
def compiled(classifier) -> scanlet.Compiled:
    return classifier.compile()


def with_nan() -> list[np.ndarray]:
    data = X.copy()
    data[3, 0, 2, 1] = np.nan
    return list(data)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"precision": "int-8"}, scanlet.InputError, "choose one of float32, int8, int16x8"),
        ({"calibration_data": None}, scanlet.CalibrationError, "needs calibration_data"),
        ({"calibration_data": iter(())}, scanlet.InputError, "iterable is empty"),
        ({"calibration_data": 7}, scanlet.InputError, "list of samples expected, got int"),
        (
            {"calibration_data": [X[0], X[1, :, :5]]},
            scanlet.InputError,
            r"calibration_data\[1\]: input 'x' has shape \(1, 5, 5\).*\(1, 12, 5\)",
        ),
        ({"calibration_data": X[:, 0]}, scanlet.InputError, r"\[x\[i : i \+ 1\] for i in"),
        ({"calibration_data": with_nan()}, scanlet.InputError, r"data\[3\].*'x' is NaN"),
        (
            {"calibration_data": [(X[0], 2)]},
            scanlet.InputError,
            r"data\[0\]: input 'x' is not an array(?s:.*)no labels",
        ),
        ({"calibration_data": ["x.npy"]}, scanlet.InputError, "not an array of numbers"),
        ({"state": "int8"}, scanlet.InputError, r"state is 'int8'(?s:.*)one of int16, float32"),
        ({"precision": "float32", "state": "int16"}, scanlet.InputError, "integer precisions"),
        (
            {"precision": "float32", "float_modules": ["head"]},
            scanlet.InputError,
            "integer precisions",
        ),
        (
            {"float_modules": ["hed"]},
            scanlet.InputError,
            "'hed'(?s:.*)operators: embed, head, mixer",
        ),
        ({"observer": "max"}, scanlet.InputError, "choose one of minmax, percentile, mse"),
        ({"precision": "float32", "observer": "mse"}, scanlet.InputError, "integer precisions"),
        ({"calibration_labels": [0, 1]}, scanlet.InputError, r"2 calibration_labels for \d+"),
        ({"calibration_labels": [0.5] * 3}, scanlet.InputError, r"float64 of shape \(3,\)"),
        ({"memory_limit": 1500}, scanlet.TargetError, "needs"),
    ],
)
def test_an_integer_precision_refuses_a_bad_argument(classifier, arguments, error, text):
    with pytest.raises(error, match=text):
        classifier.compile(**arguments)


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize(
    ("function", "text"),
    [
        (torch.log, r"tensor 'log': \d+ of 480 values are NaN"),
        (lambda x: torch.exp(400 * x), r"tensor 'exp': \d+ of 480 values are infinite"),
    ],
)
def test_activations_that_are_not_finite_are_refused_by_name(precision, function, text):
    with pytest.raises(scanlet.CalibrationError, match=text):
        pointwise(function).compile(precision)


def test_tokens_beyond_the_table_are_refused():
    tokens = make_case("tokens")
    with pytest.raises(scanlet.InputError, match=r"data\[1\].*indices from 20 to .* has 11 rows"):
        tokens.compile(calibration_data=[tokens.data[0], tokens.data[1] % 2 + 20])
    with pytest.raises(scanlet.InputError, match="'tokens' takes integers"):
        tokens.compile(calibration_data=[tokens.data[0] + 0.5])
    # Whole numbers in another type are as good.
    tokens.compile(calibration_data=list(tokens.data.astype(np.float64)))


def test_one_sample_is_warned_of_with_the_consequence(classifier):
    report = classifier.compile(calibration_data=[classifier.data[0]]).report
    (warning,) = [text for text in report["warnings"] if "single sample" in text]
    assert "exceeds its range will saturate" in warning


def test_constant_tensors_are_warned_of_by_name_and_the_project_is_still_written(tmp_path):
    compiled = pointwise(lambda x: torch.relu(x - 1e4)).compile(labels=["a", "b"])
    warnings = compiled.report["warnings"]
    assert any("tensor 'relu' is 0 on all samples" in text for text in warnings)
    assert any("mixer 'mixer'" in text and "zero on all samples" in text for text in warnings)
    project = compiled.save(tmp_path / "p")
    rows = json.loads((project / "report.json").read_text())["quantization"]["sensitivity"]
    assert [row["noise_db"] for row in rows if row["name"] == "relu"] == [None]
    page = (project / "report.html").read_text()
    assert "tensor &#39;relu&#39; is 0 on all samples" in page
    assert '<td class="number">exact</td>' in page


def test_an_input_that_never_changes_is_warned_of(classifier):
    ones = [np.ones((1, 12, 5), np.float32)] * 4
    compiled = classifier.compile(calibration_data=ones, normalization=(0.0, 1.0))
    assert any("tensor 'x' is 1 on all samples" in text for text in compiled.report["warnings"])


def test_a_failed_verification_names_the_worst_tensor_and_repeats_the_warnings(classifier):
    arguments = {"tolerance": 1e-6, "calibration_data": [classifier.data[0]]}
    with pytest.raises(scanlet.VerificationError, match="deviates") as caught:
        classifier.compile(**arguments)
    assert 'precision="int16x8", or float_modules= with the module of' in str(caught.value)
    assert "single sample" in str(caught.value)
    with pytest.raises(scanlet.VerificationError) as caught:
        classifier.compile("int16x8", **arguments)
    assert "int16x8" not in str(caught.value)


def test_a_nan_weight_is_refused_before_calibration(classifier):
    model = copy.deepcopy(classifier.model)
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    with pytest.raises(scanlet.InvalidModelError, match=r"head\.weight"):
        Case(model, X, X).compile()


def test_what_no_integer_stands_for_is_refused_at_run_time(compiled, classifier):
    x = classifier.unseen[:1].copy()
    with pytest.raises(scanlet.InputError, match="run_raw takes stored int8"):
        compiled.run_raw(x)
    with pytest.raises(scanlet.InputError, match="holds -300 to -300, which is beyond int8"):
        compiled.run_raw(np.full((1, 12, 5), -300))
    x[0, 3, 1] = np.nan
    for on in (None, "cortex-m4"):
        with pytest.raises(scanlet.InputError, match="'x' holds NaN"):
            compiled.run(x, on=on)


def test_values_beyond_the_range_saturate(compiled):
    far = np.full((1, 12, 5), 1e6, np.float32)
    np.testing.assert_array_equal(
        compiled.run_raw(np.full((1, 12, 5), 127, np.int8)),
        compiled.run_raw(compiled.stored_inputs([far])[0]),
    )
    np.testing.assert_array_equal(compiled.run(far), compiled.run(np.inf * far))
