"""What cannot be compiled is refused with module, operator, source line and advice."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontend_models import Shell, mixer
from torch import nn

from scanlet.errors import InvalidModelError, UnsupportedModelError
from scanlet.frontend import capture

L, C = 9, 6
X = torch.zeros(1, L, C)

REFUSED = {
    "cumsum": (Shell(lambda _, x: x.cumsum(1)), "mixer"),
    "argmax": (Shell(lambda _, x: x.argmax(-1)), "scores"),
    "max.dim": (Shell(lambda _, x: x.max(1).indices), "outputs"),
    "matmul": (Shell(lambda _, x: x @ x.mT), "attention"),
    "scaled_dot_product_attention": (
        Shell(lambda _, x: F.scaled_dot_product_attention(x, x, x)),
        "attention",
    ),
    "lstm": (Shell(lambda m, x: m.r(x)[0], r=nn.LSTM(C, C, batch_first=True)), "recurrent"),
    "gru": (Shell(lambda m, x: m.r(x)[0], r=nn.GRU(C, C, batch_first=True)), "recurrent"),
    "group_norm": (Shell(lambda m, x: m.n(x.mT), n=nn.GroupNorm(2, C)), "LayerNorm"),
    "instance_norm": (Shell(lambda m, x: m.n(x.mT), n=nn.InstanceNorm1d(C)), "LayerNorm"),
    "layer_norm": (Shell(lambda m, x: m.n(x), n=nn.LayerNorm((L, C))), "features alone"),
    "conv2d": (Shell(lambda m, x: m.c(x[:, None]), c=nn.Conv2d(1, 2, 3)), "one-dimensional"),
    "conv1d": (Shell(lambda m, x: m.c(x.mT), c=nn.Conv1d(C, C, 3, groups=2)), "depthwise"),
    "conv_transpose1d": (Shell(lambda m, x: m.c(x.mT), c=nn.ConvTranspose1d(C, C, 3)), "Conv1d"),
    "pad": (Shell(lambda _, x: F.pad(x.mT, (2, 2), mode="reflect")), "zeros"),
    "avg_pool1d": (Shell(lambda m, x: m.p(x.mT), p=nn.AvgPool1d(3, padding=1)), "padding=0"),
    "max_pool1d": (Shell(lambda m, x: m.p(x.mT), p=nn.MaxPool1d(4, ceil_mode=True)), "ceil_mode"),
    "adaptive_avg_pool1d": (Shell(lambda m, x: m.p(x.mT), p=nn.AdaptiveAvgPool1d(4)), "divides"),
    "sin": (Shell(lambda _, x: x.sin()), "supported layers"),
    "pow": (Shell(lambda _, x: x**1.7), "exponents"),
    "where": (Shell(lambda _, x: torch.where(x > 0, x, 0.1)), "comparisons"),
    "to.dtype": (Shell(lambda _, x: x.half() * 2), "float32"),
}


@pytest.mark.parametrize("operator", REFUSED)
def test_an_unsupported_operator_is_named_with_its_line_and_advice(operator):
    model, advice = REFUSED[operator]
    with pytest.raises(UnsupportedModelError) as caught:
        capture(model, X)
    if operator not in ("where", "max.dim"):  # the comparison, the output comes first
        assert f"aten.{operator}" in caught.value.message
    if operator != "max.dim":
        assert "frontend_models.py:" in caught.value.message
    assert advice in (caught.value.hint or "")


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(C, 3 * C)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return torch.bmm(q, k.mT).softmax(-1) @ v


def test_the_message_names_the_module_path_and_the_code():
    model = nn.Sequential(nn.Linear(C, C), nn.Sequential(nn.ReLU(), Attention())).eval()
    with pytest.raises(UnsupportedModelError) as caught:
        capture(model, X)
    assert caught.value.where == "1.1"
    line = Attention.forward.__code__.co_firstlineno + 2
    assert f"test_frontend_refusals.py:{line}: return torch.bmm" in caught.value.message
    assert "aten.bmm.default" in caught.value.message


def test_control_flow_on_values_is_refused_with_torchs_own_words():
    model = Shell(lambda m, x: m.fc(x) if x.sum() > 0 else x, fc=nn.Linear(C, C))
    with pytest.raises(UnsupportedModelError, match=r"torch\.export cannot capture") as caught:
        capture(model, X)
    assert "data-dependent" in caught.value.message.lower()
    assert "values of tensors" in caught.value.hint


def test_nothing_is_printed_while_capturing(capfd, recwarn):
    model = Shell(lambda m, x: m.fc(x) if x.sum() > 0 else x, fc=nn.Linear(C, C))
    with pytest.raises(UnsupportedModelError):
        capture(model, X)
    capture(Shell(lambda m, x: m.layer(x), layer=mixer("pscan")), X)
    assert capfd.readouterr() == ("", "")
    assert len(recwarn) == 0


def test_arithmetic_on_tokens_is_refused():
    model = Shell(lambda m, t: m.table(t + 1), table=nn.Embedding(5, C))
    with pytest.raises(UnsupportedModelError, match="integers"):
        capture(model, torch.zeros(1, 7, dtype=torch.int64))


def test_a_constant_output_is_refused():
    with pytest.raises(UnsupportedModelError, match="does not depend"):
        capture(Shell(lambda m, _: m.fc.weight * 2, fc=nn.Linear(2, 2)), X)


def test_a_buffer_that_changes_is_refused():
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count.add_(1)
            return x * self.count

    with pytest.raises(UnsupportedModelError, match="count"):
        capture(Counter().eval(), X)


@pytest.mark.parametrize(
    "model",
    [
        Shell(lambda m, x: m.drop(x), drop=nn.Dropout()),
        Shell(lambda m, x: m.norm(x.mT), norm=nn.BatchNorm1d(C)),
    ],
)
def test_a_program_exported_in_training_mode_is_refused(model):
    model.train()
    program = torch.export.export(model, (X,), strict=False)
    model.eval()
    with pytest.raises((InvalidModelError, UnsupportedModelError)) as caught:
        capture(program)
    assert "training" in str(caught.value) or "running_mean" in str(caught.value)
