"""Diagonal time-invariant models: scanlet's own module, and S4D layers, which are taken apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from s4d_originals import S4D, S4DClassifier
from torch import Tensor, nn

from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend import Capture, capture
from scanlet.graph.operators import DiagonalSSM as DiagonalOperator
from scanlet.nn import DiagonalSSM, diagonal_scan


def check(model: nn.Module, x: Tensor) -> list[DiagonalOperator]:
    captured: Capture = capture(model, (x,))
    with torch.no_grad():
        want = model(x).numpy()
    (got,) = captured.graph.evaluate([x.numpy()])
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
    assert all((record.deviation or 0) < 1e-5 for record in captured.mixers)
    return [node.op for node in captured.graph.nodes if isinstance(node.op, DiagonalOperator)]


@pytest.mark.parametrize("complex", [True, False])
def test_the_trainable_module_is_recognised(complex: bool) -> None:
    torch.manual_seed(0)
    model = DiagonalSSM(6, 8, complex=complex).eval()
    (op,) = check(model, torch.randn(1, 40, 6))
    assert (op.d_state, op.complex) == (4 if complex else 8, complex)


@pytest.mark.parametrize("complex", [True, False])
def test_the_convolution_that_is_trained_is_the_recurrence(complex: bool) -> None:
    torch.manual_seed(1)
    model = DiagonalSSM(6, 8, complex=complex).double()
    x = torch.randn(2, 300, 6, dtype=torch.float64)
    scanned = diagonal_scan(x, model.log_dt, model.log_A_real, model.A_imag, model.C, model.D)
    torch.testing.assert_close(model(x), scanned, rtol=1e-9, atol=1e-9)


def test_the_trainable_module_trains() -> None:
    torch.manual_seed(2)
    model = DiagonalSSM(4, 8)
    x = torch.randn(4, 30, 4)
    target = torch.cumsum(x, 1) / 5
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        loss = (model(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("transposed", [True, False])
def test_s4d_layers_in_a_network_are_taken_apart(transposed: bool) -> None:
    torch.manual_seed(3)
    model = S4DClassifier(3, 8, transposed=transposed).eval()
    ops = check(model, torch.randn(1, 50, 3))
    assert [(op.d_inner, op.d_state) for op in ops] == [(8, 8)] * 2
    assert isinstance(model.layers[0], S4D)  # the user's model stays as it was


def test_a_layer_with_s4ds_parameters_and_another_function_is_refused() -> None:
    model = S4DClassifier(3, 8, scale=1.1).eval()
    with pytest.raises(RecognitionError, match=r"layers\.0: .*computes something else") as caught:
        capture(model, (torch.randn(1, 20, 3),))
    assert "scanlet.nn.DiagonalSSM" in str(caught.value)


def test_a_program_of_s4d_is_refused_with_what_to_do() -> None:
    x = torch.randn(1, 20, 3)
    program = torch.export.export(S4DClassifier(3, 8).eval(), (x,))
    with pytest.raises(UnsupportedModelError, match="an S4D layer in an exported program"):
        capture(program, (x,))


def test_a_program_of_the_trainable_module_compiles() -> None:
    torch.manual_seed(4)
    x = torch.randn(1, 20, 3)
    model = nn.Sequential(nn.Linear(3, 4), DiagonalSSM(4, 8)).eval()
    captured = capture(torch.export.export(model, (x,)), (x,))
    assert [record.dialect for record in captured.mixers] == ["diagonal"]


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("C", torch.zeros(6, 3, 2), r"C has shape \(6, 3, 2\)"),
        ("log_dt", torch.zeros(5), r"log_dt has shape \(5,\)"),
        ("log_A_real", torch.zeros(6), r"log_A_real has shape \(6,\)"),
        ("B", torch.zeros(6), "also has B"),
        ("C", None, "has no parameter C"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(
    name: str, tensor: Tensor | None, message: str
) -> None:
    model = DiagonalSSM(6, 8).eval()
    setattr(model, name, None if tensor is None else nn.Parameter(tensor))
    model.forward = lambda x: x + 1  # type: ignore[method-assign]
    with pytest.raises(RecognitionError, match=message):
        capture(model, (torch.randn(1, 4, 6),))


def test_an_odd_number_of_complex_states_is_refused() -> None:
    with pytest.raises(ValueError, match="conjugate pairs"):
        DiagonalSSM(4, 5)
