"""Every element people put around a mixer is captured exactly: float64 against float64."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontend_models import Shell, assert_captured_exactly
from hypothesis import given, settings
from torch import nn

from scanlet.frontend import capture
from scanlet.graph.operators import (
    Binary,
    ChannelAffine,
    Conv1d,
    Gather,
    Linear,
    Norm,
    Reshape,
    StridedSlice,
    Unary,
)

L, C = 9, 6
X = torch.zeros(1, L, C)


def rms_norm_by_hand(m: Shell, x: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * m.norm.weight


def rms_norm_as_in_transformers(m: Shell, x: torch.Tensor) -> torch.Tensor:
    variance = x.to(torch.float32).pow(2).mean(-1, keepdim=True)
    return m.norm.weight * (x * torch.rsqrt(variance + 1e-6)).to(torch.float32)


ELEMENTS = {
    "linear": Shell(lambda m, x: m.fc(x), fc=nn.Linear(C, 4)),
    "linear without bias": Shell(lambda m, x: m.fc(x), fc=nn.Linear(C, 4, bias=False)),
    "matmul with a matrix": Shell(lambda m, x: x @ m.fc.weight.T, fc=nn.Linear(C, 4)),
    "matmul from the left": Shell(lambda m, x: m.fc.weight @ x.mT, fc=nn.Linear(C, 4)),
    "matmul with a vector": Shell(lambda m, x: x @ m.fc.bias, fc=nn.Linear(4, C)),
    "addmm": Shell(
        lambda m, x: torch.addmm(m.fc.bias, x[:, 0], m.fc.weight.T, beta=2, alpha=0.5),
        fc=nn.Linear(C, 4),
    ),
    "conv1d": Shell(lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, 8, 3)),
    "conv1d strided, padded": Shell(
        lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, 8, 5, stride=2, padding=2)
    ),
    "conv1d same": Shell(lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, 8, 4, padding="same")),
    "conv1d same, dilated": Shell(
        lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, 8, 4, padding="same", dilation=2)
    ),
    "conv1d valid": Shell(lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, 8, 3, padding="valid")),
    "conv1d dilated": Shell(lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, 8, 3, dilation=3)),
    "conv1d depthwise": Shell(
        lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, C, 3, groups=C, bias=False)
    ),
    "conv1d depthwise, multiplied": Shell(
        lambda m, x: m.conv(x.mT), conv=nn.Conv1d(C, 2 * C, 3, groups=C)
    ),
    "conv1d causal": Shell(
        lambda m, x: m.conv(F.pad(x.mT, (3, 0))).mT, conv=nn.Conv1d(C, C, 4, groups=C)
    ),
    "layer norm": Shell(lambda m, x: m.norm(x), norm=nn.LayerNorm(C)),
    "layer norm, plain": Shell(
        lambda m, x: m.norm(x), norm=nn.LayerNorm(C, elementwise_affine=False)
    ),
    "layer norm without bias": Shell(lambda m, x: m.norm(x), norm=nn.LayerNorm(C, bias=False)),
    "rms norm": Shell(lambda m, x: m.norm(x), norm=nn.RMSNorm(C, eps=1e-5)),
    "rms norm by hand": Shell(rms_norm_by_hand, norm=nn.RMSNorm(C, eps=1e-5)),
    "batch norm (1, C, L)": Shell(lambda m, x: m.norm(x.mT), norm=nn.BatchNorm1d(C)),
    "batch norm (1, C)": Shell(lambda m, x: m.norm(x[:, 2]), norm=nn.BatchNorm1d(C)),
    "batch norm, plain": Shell(lambda m, x: m.norm(x.mT), norm=nn.BatchNorm1d(C, affine=False)),
    "add, alpha": Shell(lambda m, x: torch.add(x, m.fc(x), alpha=0.3), fc=nn.Linear(C, C)),
    "sub, alpha": Shell(lambda m, x: torch.sub(x, m.fc(x), alpha=-2), fc=nn.Linear(C, C)),
    "scalars": Shell(lambda _, x: (2 - x) * 3 / 4 + 1 - x / 0.5),
    "division of a scalar": Shell(lambda _, x: 1.0 / (x.abs() + 1)),
    "division": Shell(lambda m, x: x / m.fc.weight, fc=nn.Linear(C, 1)),
    "maximum, minimum": Shell(lambda _, x: torch.maximum(x, x.mean()) + torch.minimum(x, -x)),
    "clamp": Shell(lambda _, x: x.clamp(-0.5, 1) + x.clamp(min=0.2) + x.clamp(max=0.1)),
    "relu in place": Shell(lambda m, x: m.act(m.fc(x)) * 2, fc=nn.Linear(C, C), act=nn.ReLU(True)),
    "powers": Shell(
        lambda _, x: x**2 + x**3 + x.abs() ** 0.5 + (x.abs() + 1) ** -0.5 + x.square() ** 2
    ),
    "reciprocal, rsqrt, sqrt": Shell(
        lambda _, x: (x.abs() + 1).reciprocal() + (x.abs() + 1).rsqrt() + x.abs().sqrt()
    ),
    "exp, log, neg": Shell(lambda _, x: torch.exp(-x) + torch.log(x.abs() + 1)),
    "mean over time": Shell(lambda _, x: x.mean(dim=1)),
    "mean, kept": Shell(lambda _, x: x - x.mean(1, keepdim=True)),
    "mean of all": Shell(lambda _, x: x.mean()),
    "sum": Shell(lambda _, x: x.sum((1, 2)) + x.sum(-1).sum(-1)),
    "max values": Shell(lambda _, x: x.max(dim=1).values),
    "max over time": Shell(lambda _, x: torch.amax(x, 1) - torch.amin(x, 1)),
    "min values": Shell(lambda _, x: x.min(dim=1, keepdim=True)[0]),
    "statistics": Shell(lambda _, x: torch.cat([x.mean(1), x.std(1), x.var(1, unbiased=False)], 1)),
    "vector norms": Shell(lambda _, x: F.normalize(x, dim=-1) + x.norm(1, -1, keepdim=True)),
    "last step": Shell(lambda _, x: x[:, -1]),
    "last step, kept": Shell(lambda _, x: x[:, -1:, :]),
    "first features": Shell(lambda _, x: x[..., :3]),
    "strided slice": Shell(lambda _, x: x[:, 1:8:3]),
    "narrow": Shell(lambda _, x: x.narrow(1, 2, 4)),
    "index list": Shell(lambda _, x: x[:, [5, 0, 2]]),
    "index range": Shell(lambda _, x: x[:, torch.arange(2, 5)]),
    "index_select": Shell(lambda _, x: x.index_select(2, torch.tensor([0, 5]))),
    "transpose, permute": Shell(lambda _, x: x.transpose(1, 2).permute(2, 0, 1)),
    "mT, movedim": Shell(lambda _, x: x.mT.movedim(0, 1)),
    "t": Shell(lambda _, x: x[:, 0].t()),
    "reshape": Shell(lambda _, x: x.view(1, -1, 3).reshape(1, 2, 3, -1)),
    "flatten": Shell(lambda m, x: m.fc(m.flat(x)), fc=nn.Linear(L * C, 2), flat=nn.Flatten()),
    "unflatten": Shell(lambda _, x: x.unflatten(2, (2, -1))),
    "squeeze, unsqueeze": Shell(lambda _, x: x.unsqueeze(1).squeeze(0).unsqueeze(-1).squeeze()),
    "expand": Shell(lambda _, x: x[:, :1].expand(-1, 4, -1) + x[:, 0].expand(1, C)),
    "repeat": Shell(lambda _, x: x.repeat(1, 2, 1)),
    "cat": Shell(lambda m, x: torch.cat([x, m.fc(x)], -1), fc=nn.Linear(C, 2)),
    "stack": Shell(lambda _, x: torch.stack([x, x * 2, x + 1], 1)),
    "chunk": Shell(lambda _, x: torch.mul(*x.chunk(2, -1))),
    "split": Shell(lambda _, x: x.split([1, 5], -1)[1] + x.split(5, -1)[0]),
    "unbind": Shell(lambda _, x: sum(x.unbind(1))),
    "dropout": Shell(lambda m, x: m.drop(x) + F.dropout(x, 0.5, m.training), drop=nn.Dropout(0.3)),
    "identity": Shell(lambda m, x: m.id(x).contiguous().clone().detach() * 2, id=nn.Identity()),
    "softmax": Shell(lambda _, x: x.softmax(-1)),
    "softmax over time": Shell(lambda _, x: x.softmax(1)),
    "log_softmax": Shell(lambda _, x: F.log_softmax(50 * x, -1)),
    "flip": Shell(lambda _, x: x + x.flip(1)),
    "flip of two axes": Shell(lambda _, x: torch.flip(x, [1, -1])),
    "adaptive average pooling": Shell(
        lambda m, x: m.pool(x.mT).squeeze(-1), pool=nn.AdaptiveAvgPool1d(1)
    ),
    "adaptive pooling to 3": Shell(
        lambda m, x: m.a(x.mT) + m.b(x.mT), a=nn.AdaptiveAvgPool1d(3), b=nn.AdaptiveMaxPool1d(3)
    ),
    "adaptive max pooling": Shell(lambda m, x: m.pool(x.mT), pool=nn.AdaptiveMaxPool1d(1)),
    "average pooling": Shell(lambda m, x: m.pool(x.mT), pool=nn.AvgPool1d(4, 2)),
    "max pooling": Shell(lambda m, x: m.pool(x.mT), pool=nn.MaxPool1d(3)),
    "glu": Shell(lambda _, x: F.glu(x, -1)),
    "constants": Shell(
        lambda m, x: (
            x * torch.linspace(0, 1, L)[:, None]
            + m.fc.weight.sum(0).tanh()
            + torch.zeros_like(x)
            + x.new_ones(C)
        ),
        fc=nn.Linear(C, 3),
    ),
    "size": Shell(lambda _, x: x.sum(1) / math.sqrt(x.size(1)) + x.shape[2]),
}
#: These ask for float32 or depend on the type, which the float64 reference must undo.
CONVERSIONS = {
    "rms norm without eps": Shell(lambda m, x: m.norm(x / 500), norm=nn.RMSNorm(C)),
    "rms norm of transformers": Shell(rms_norm_as_in_transformers, norm=nn.RMSNorm(C, eps=1e-5)),
    "to float32": Shell(lambda _, x: x.to(torch.float32).float().type_as(x) * 2),
}
ACTIVATIONS = {
    name: Shell(lambda m, x: m.act(3 * x), act=act)
    for name, act in {
        "relu": nn.ReLU(),
        "relu6": nn.ReLU6(),
        "hardtanh 0 6": nn.Hardtanh(0, 6),
        "hardtanh": nn.Hardtanh(),
        "silu": nn.SiLU(),
        "gelu": nn.GELU(),
        "gelu tanh": nn.GELU("tanh"),
        "tanh": nn.Tanh(),
        "sigmoid": nn.Sigmoid(),
        "softplus": nn.Softplus(),
        "softplus beta": nn.Softplus(beta=2),
        "log sigmoid": nn.LogSigmoid(),
        "mish": nn.Mish(),
        "hardswish": nn.Hardswish(),
        "hardsigmoid": nn.Hardsigmoid(),
        "leaky relu": nn.LeakyReLU(0.1),
        "prelu": nn.PReLU(),
        "elu": nn.ELU(0.7),
        "selu": nn.SELU(),
        "softsign": nn.Softsign(),
    }.items()
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_an_element_of_the_shell_is_captured_exactly(name):
    assert_captured_exactly(ELEMENTS[name], X)


@pytest.mark.parametrize("name", CONVERSIONS)
@pytest.mark.parametrize("exported", [False, True])
def test_the_float64_reference_is_the_float32_model_with_more_digits(name, exported):
    model = CONVERSIONS[name]
    captured = capture(torch.export.export(model, (X,), strict=False) if exported else model, X)
    x = np.random.default_rng(0).standard_normal((1, L, C)).astype(np.float32)
    (got,), (want,) = captured.graph.evaluate([x]), captured.reference64(x)
    np.testing.assert_allclose(got, want, atol=1e-12)
    np.testing.assert_allclose(captured.reference(x)[0], want, atol=1e-5)
    np.testing.assert_array_equal(captured.reference(x)[0], model(torch.from_numpy(x)).detach())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_captured_exactly(name):
    # PyTorch's softplus is x above 20, 2e-9 off the function itself.
    atol = 1e-8 if {"softplus", "mish", "sigmoid"} & set(name.split()) else 1e-10
    assert_captured_exactly(ACTIVATIONS[name], X, atol=atol)


@pytest.mark.parametrize("name", ["conv1d same", "layer norm", "rms norm", "max pooling", "gelu"])
def test_decomposed_programs_mean_the_same(name):
    """run_decompositions() turns layers into core ATen operators."""
    model = {**ELEMENTS, **ACTIVATIONS}[name]
    program = torch.export.export(model, (X,), strict=False).run_decompositions()
    captured = capture(program)
    x = torch.randn(1, L, C, dtype=torch.float64).numpy()
    (got,), (want,) = captured.graph.evaluate([x]), captured.reference64(x)
    torch.testing.assert_close(got, want, atol=1e-10, rtol=1e-10)


def kinds(captured) -> list[type]:
    return [type(node.op) for node in captured.graph.nodes]


def test_layers_become_the_operators_that_passes_look_for():
    model = Shell(
        lambda m, x: m.fc(F.gelu(m.bn(m.norm(m.stem(x.mT).mT).mT).mT)).mean(1),
        stem=nn.Conv1d(C, 8, 3, stride=2),
        norm=nn.LayerNorm(8),
        bn=nn.BatchNorm1d(8),
        fc=nn.Linear(8, 2),
    )
    found = kinds(capture(model, X))
    for kind in (Conv1d, Norm, ChannelAffine, Unary, Linear):
        assert found.count(kind) == 1


def test_what_changes_nothing_leaves_no_node():
    model = Shell(
        lambda m, x: m.drop(x[:, :, :].contiguous().view(1, L, C).transpose(1, 1).clamp(0)),
        drop=nn.Dropout(),
    )
    assert kinds(capture(model, X)) == [Unary]


def test_a_contiguous_index_is_a_slice_and_another_a_gather():
    assert kinds(capture(Shell(lambda _, x: x[:, [2, 3]]), X)) == [StridedSlice]
    assert kinds(capture(Shell(lambda _, x: x[:, [3, 2]]), X)) == [Gather]


def test_several_inputs_and_outputs_keep_their_order():
    model = Shell(lambda m, a, b: {"z": m.fc(a) + b, "a": (b.mean(1), a)}, fc=nn.Linear(C, 3))
    captured = assert_captured_exactly(model, X, torch.zeros(1, L, 3))
    assert [tensor.shape for tensor in captured.graph.inputs] == [(1, L, C), (1, L, 3)]
    assert [tensor.shape for tensor in captured.graph.outputs] == [(1, L, 3), (1, 3), (1, L, C)]


def test_an_output_returned_twice_is_two_tensors():
    captured = assert_captured_exactly(Shell(lambda _, x: (y := x * 2, y)), X)
    assert captured.graph.outputs[0] is not captured.graph.outputs[1]
    assert kinds(captured) == [Binary, Reshape]


def test_int64_tokens_become_an_int32_input():
    model = Shell(lambda m, t: m.fc(m.table(t)), table=nn.Embedding(5, C), fc=nn.Linear(C, 2))
    captured = assert_captured_exactly(model, torch.zeros(1, 7, dtype=torch.int64))
    assert captured.graph.inputs[0].dtype == "int32"
    assert captured.graph.outputs[0].dtype == "float32"


def test_constants_are_named_after_their_parameters_and_shared():
    model = Shell(lambda m, x: m.fc(m.fc(x)) + m.fc.bias, fc=nn.Linear(C, C))
    captured = capture(model, X)
    constants = {t.name: t for t in captured.graph.tensors() if t.is_constant}
    assert set(constants) == {"fc.weight", "fc.bias"}
    assert constants["fc.weight"].data.dtype == "float32"


class Pool(nn.Module):
    def forward(self, x):
        return x.mean(1)  # the line that the test names


def test_every_node_tells_module_and_line():
    captured = capture(nn.Sequential(nn.Linear(C, 4), nn.ReLU(), Pool()).eval(), X)
    assert [node.source.module for node in captured.graph.nodes] == ["0", "1", "2"]
    line = Pool.forward.__code__.co_firstlineno + 1
    assert captured.graph.nodes[2].source.location == f"test_frontend_shell.py:{line}"


@settings(max_examples=25, deadline=None)
@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 2),
    depthwise=st.booleans(),
    length=st.integers(9, 14),
)
def test_convolutions_of_any_geometry(kernel, stride, padding, dilation, depthwise, length):
    conv = nn.Conv1d(
        4,
        4,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=4 if depthwise else 1,
    )
    assert_captured_exactly(Shell(lambda m, x: m.conv(x), conv=conv), torch.zeros(1, 4, length))


@settings(max_examples=25, deadline=None)
@given(
    start=st.none() | st.integers(-12, 12),
    stop=st.none() | st.integers(-12, 12),
    step=st.integers(1, 4),
)
def test_slices_of_any_bounds(start, stop, step):
    if len(range(*slice(start, stop, step).indices(L))) == 0:
        return
    assert_captured_exactly(Shell(lambda _, x: x[:, start:stop:step] * 2), X)
