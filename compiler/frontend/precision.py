"""Running PyTorch code in float64, whatever float32 it asks for on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class _Float64ForFloat32(TorchDispatchMode):
    """Models say `.float()` to leave half precision; in a float64 run that would lose digits."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        del types
        named = {key: _promoted(value) for key, value in (kwargs or {}).items()}
        return func(*(_promoted(value) for value in args), **named)


_RMS_NORMS = (
    torch.nn.functional.rms_norm,
    torch.rms_norm,
    torch.ops.aten.rms_norm.default,
)


class _EpsilonOfFloat32(TorchFunctionMode):
    """An RMSNorm without eps takes its type's machine epsilon: the model means float32's."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        del types
        named = dict(kwargs or {})
        if func in _RMS_NORMS:
            x, shape, weight, eps = [*args, None, None][:4]
            weight, eps = named.pop("weight", weight), named.pop("eps", eps)
            eps = torch.finfo(torch.float32).eps if eps is None else eps
            return func(x, shape, weight, eps)
        return func(*args, **named)


def _promoted(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Within: new tensors are float64, and every conversion to float32 is one to float64."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), _EpsilonOfFloat32(), _Float64ForFloat32():
            yield
    finally:
        torch.set_default_dtype(default)


def doubled(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in float64 if it is a float, else as it is."""
    return tensor.double() if tensor.is_floating_point() else tensor
