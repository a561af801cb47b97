"""Bad models, inputs and files are refused before anything costly, with what to do."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from frontend_models import Classifier, Shell, mixer, random_inputs
from torch import nn

from scanlet.errors import InputError, InvalidModelError, ModelFileError, UnsupportedModelError
from scanlet.frontend import capture
from scanlet.progress import told

X = torch.zeros(1, 11, 4)


@pytest.fixture(scope="module")
def model() -> Classifier:
    return Classifier(mixer("own"))


@pytest.fixture(scope="module")
def pt2(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("pt2") / "model.pt2"
    torch.export.save(torch.export.export(model, (X,), strict=False), path)
    return path


def test_training_mode_is_refused(model):
    with pytest.raises(InvalidModelError, match=r"model\.eval\(\)"):
        capture(copy.deepcopy(model).train(), X)


def test_a_part_in_training_mode_is_named():
    model = Shell(lambda m, x: m.drop(m.fc(x)), fc=nn.Linear(4, 4), drop=nn.Dropout())
    model.drop.train()
    with pytest.raises(InvalidModelError, match="drop is in training mode"):
        capture(model, X)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(model, value):
    damaged = copy.deepcopy(model)
    with torch.no_grad():
        damaged.head.weight[1, 2] = value
    with pytest.raises(InvalidModelError, match=r"head\.weight"):
        capture(damaged, X)
    with pytest.raises(InvalidModelError, match=r"head\.weight"):
        capture(torch.export.export(damaged, (X,), strict=False))


def test_nan_statistics_are_named():
    model = Shell(lambda m, x: m.norm(x.mT), norm=nn.BatchNorm1d(4))
    model.norm.running_var[0] = torch.nan
    with pytest.raises(InvalidModelError, match=r"norm\.running_var"):
        capture(model, X)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_are_refused(model, dtype):
    with pytest.raises(InvalidModelError, match=r"model\.float\(\)"):
        capture(copy.deepcopy(model).to(dtype), X)


def test_weights_on_the_meta_device_are_refused():
    with torch.device("meta"):
        model = nn.Linear(4, 4).eval()
    with pytest.raises(InvalidModelError, match="meta"):
        capture(model, X)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (torch.zeros(2, 11, 4), "batch"),
        (torch.zeros(1, 0, 4), "L >= 1"),
        (torch.zeros(0, 11, 4), "empty"),
        (torch.zeros(1, 11, 5), r"shape \(1, 11, 5\): .*11x5"),
        (torch.zeros(1, 11, 4, dtype=torch.float64), "float64"),
        (torch.zeros(1, 11, 4, dtype=torch.bool), "bool"),
        (torch.tensor(1.0), "batch"),
        (np.zeros((1, 11, 4), np.float32), "ndarray"),
        ({"x": X}, "dict"),
        ((), "empty"),
        ((X, X), "does not run"),
        (None, "no example inputs"),
    ],
)
def test_unfit_example_inputs_are_refused(model, inputs, text):
    with pytest.raises(InputError, match=text) as caught:
        capture(model, inputs)
    assert caught.value.hint


def test_example_inputs_come_from_the_model_or_the_program(model, pt2):
    own = copy.deepcopy(model)
    own.example_input_array = X
    assert capture(own).graph.inputs[0].shape == (1, 11, 4)
    assert capture(pt2).graph.inputs[0].shape == (1, 11, 4)


def test_a_tensor_and_a_tuple_of_one_mean_the_same(model):
    a, b = capture(model, X), capture(model, (X,))
    assert [node.op for node in a.graph.nodes] == [node.op for node in b.graph.nodes]


def test_inputs_that_do_not_fit_a_program_are_refused(pt2):
    with pytest.raises(InputError, match="does not run"):
        capture(pt2, torch.zeros(1, 12, 4))


def test_a_program_with_a_bigger_batch_is_refused():
    program = torch.export.export(nn.Linear(4, 2).eval(), (torch.zeros(3, 4),), strict=False)
    with pytest.raises(InputError, match="batch"):
        capture(program)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_refused(pt2, tmp_path, keep):
    data = pt2.read_bytes()
    (tmp_path / "short.pt2").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ModelFileError, match=r"short\.pt2"):
        capture(tmp_path / "short.pt2")


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "noise.pt2").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ModelFileError, match=r"torch\.export\.save"):
        capture(tmp_path / "noise.pt2")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "state.pt2")
    with pytest.raises(ModelFileError, match=r"state\.pt2"):
        capture(str(tmp_path / "state.pt2"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        capture(tmp_path / "absent.pt2")
    with pytest.raises(ModelFileError, match="directory"):
        capture(tmp_path)


def test_something_that_is_no_model_is_refused():
    with pytest.raises(InputError, match="function"):
        capture(lambda x: x, X)


def test_a_model_that_returns_no_tensor_is_refused():
    with pytest.raises(UnsupportedModelError, match="no tensor"):
        capture(Shell(lambda *_: None), X)


class Steps:
    """A listener that keeps the names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def stage(self, name: str) -> None:
        self.names.append(name)

    def step(self, name: str, *_: object) -> None:
        self.names.append(name)

    def note(self, text: str) -> None:
        raise AssertionError(text)


def test_progress_names_the_steps(model):
    listener = Steps()
    with told(listener):
        capture(model, X)
    steps = listener.names
    assert any("recognising" in step for step in steps)
    assert "verifying layers.0" in steps


def test_the_reference_does_not_follow_later_changes(model):
    changing = copy.deepcopy(model)
    captured = capture(changing, X)
    arrays = [x.astype(np.float32) for x in random_inputs(captured)]
    before = captured.reference(*arrays)[0]
    with torch.no_grad():
        changing.head.weight.zero_()
    np.testing.assert_array_equal(captured.reference(*arrays)[0], before)
