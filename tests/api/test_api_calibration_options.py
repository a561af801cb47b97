"""Observers, labels of the calibration data, and modules in float that fusion would swallow."""

from __future__ import annotations

import json

import numpy as np
import pytest
from api_integer_models import Case, make_case

import scanlet
from scanlet.quantization.observers import OBSERVERS


@pytest.fixture(scope="module")
def classifier() -> Case:
    return make_case("classifier")


def scale_of_input(compiled: scanlet.Compiled) -> float:
    quantization = compiled.inputs[0].quantization
    assert quantization is not None
    return quantization.scales[0]


def test_the_observer_chooses_the_ranges_and_is_reported(classifier, tmp_path):
    data = np.random.default_rng(3).standard_normal((200, 1, 12, 5)).astype(np.float32)
    usual = data.max() - data.min()
    data[2, 0, 3, 1] = 400  # one of 12,000 values
    given = {"calibration_data": list(data), "tolerance": 2.0}
    compiled = {name: classifier.compile(observer=name, **given) for name in OBSERVERS}
    scales = {name: scale_of_input(one) for name, one in compiled.items()}
    assert scales["minmax"] == pytest.approx((400 - data.min()) / 255, rel=0.02)
    assert scales["percentile"] < 1.1 * usual / 255
    assert usual / 255 < scales["mse"] <= scales["minmax"]
    assert scale_of_input(classifier.compile(**given)) == scales["minmax"]
    compiled["mse"].save(tmp_path / "p")
    report = json.loads((tmp_path / "p" / "report.json").read_text())
    assert report["quantization"]["observer"] == "mse"


def test_accuracy_before_and_after_is_that_on_the_calibration_labels(classifier, tmp_path):
    before = np.argmax(np.concatenate([classifier.expected(x) for x in classifier.data]), axis=1)
    classes = before.copy()
    classes[:10] = (classes[:10] + 1) % 3
    compiled = classifier.compile(calibration_labels=classes)
    after = np.argmax(compiled.run(classifier.data[:, 0]), axis=1)
    assert compiled.report["verification"]["accuracy"] == {
        "pytorch": 0.75,
        "compiled": pytest.approx(np.mean(after == classes)),
    }
    compiled.save(tmp_path / "p")
    assert "75.00 % in PyTorch" in (tmp_path / "p" / "report.html").read_text()


def test_labels_count_in_float32_too_and_without_them_there_is_no_accuracy(classifier):
    classes = [0] * len(classifier.data)
    compiled = classifier.compile("float32", calibration_labels=classes)
    accuracy = compiled.report["verification"]["accuracy"]
    assert accuracy["pytorch"] == accuracy["compiled"]
    assert classifier.compile("float32").report["verification"]["accuracy"] is None


def test_labels_without_data_are_refused(classifier):
    with pytest.raises(scanlet.InputError, match="belong to calibration_data"):
        classifier.compile("float32", calibration_data=None, calibration_labels=[0])


@pytest.mark.parametrize("modules", [["embed"], ["embed", "head"]])
def test_a_linear_that_would_be_composed_with_the_mixer_can_stay_in_float(classifier, modules):
    compiled = classifier.compile(float_modules=modules)
    islands = compiled.report["quantization"]["islands"]
    assert sorted(module for island in islands for module in island["modules"]) == sorted(modules)
    assert "SELECTIVE_SSM" in [op["name"] for op in compiled.report["operators"]]
    assert compiled.report["verification"]["label_agreement"] > 0.9


def test_a_sample_out_of_proportion_is_named_where_verification_fails(classifier):
    data = list(classifier.data)
    data[7] = data[7] * 1e4
    with pytest.raises(scanlet.VerificationError, match="calibration sample 7 ") as caught:
        classifier.compile(calibration_data=data, tolerance=1e-3)
    assert "remove it if it does not occur in use" in str(caught.value)


def test_a_linear_in_a_stream_can_stay_in_float(classifier):
    compiled = classifier.compile(float_modules=["embed"], mode="stream", chunk=4, pooling="mean")
    islands = compiled.report["quantization"]["islands"]
    assert [island["modules"] for island in islands] == [["embed"]]
