"""Diagonal time-invariant models, by the names of the state-spaces repository's S4D kernel.

With H channels and N states (conjugate pairs): log_dt (H,), log_A_real (H, N), A_imag (H, N),
C (H, N, 2) and D (H,); without A_imag states are real, and C is (H, N). `scanlet.nn.DiagonalSSM`
has these by itself. The repository's S4D layer has them in a child, `kernel`, with an activation
and a gated Linear around; `frontend.unfolding` takes it apart first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend.diagonal_operator import DIAGONAL_ARGUMENTS
from scanlet.frontend.dialects.base import AnyMixer, ModuleParameters, check_shape
from scanlet.nn.diagonal_functional import diagonal_scan

REQUIRED = ("log_dt", "log_A_real", "C", "D")


@dataclass(frozen=True)
class DiagonalMixer(AnyMixer):
    """The arguments of `scanlet.nn.diagonal_scan` after x, by name."""

    OPERATOR: ClassVar[str] = "diagonal_ssm"
    ARGUMENTS: ClassVar[tuple[str, ...]] = DIAGONAL_ARGUMENTS

    def run(self, x: torch.Tensor) -> torch.Tensor:
        weights: list[Any] = [self.parameters[name] for name in self.ARGUMENTS]
        return diagonal_scan(x, *weights)

    @property
    def d_model(self) -> int:
        return self._shape("log_A_real")[0]

    @property
    def d_inner(self) -> int:
        return self._shape("log_A_real")[0]

    @property
    def d_state(self) -> int:
        return self._shape("log_A_real")[1]


def recognise(module: ModuleParameters) -> DiagonalMixer | None:
    tensors = module.tensors
    if {"D", "kernel.log_dt", "kernel.log_A_real"} <= tensors.keys():
        raise UnsupportedModelError(
            "an S4D layer in an exported program, where its convolution by FFT cannot be told from "
            "what surrounds it",
            where=module.where,
            hint="pass the nn.Module itself, or build the model with scanlet.nn.DiagonalSSM",
        )
    if "log_A_real" not in tensors or "D" not in tensors:
        return None
    for name in REQUIRED:
        if name not in tensors:
            raise RecognitionError(
                f"looks like a diagonal state-space model, but has no parameter {name}",
                where=module.where,
                hint=f"it has {', '.join(REQUIRED)}, and A_imag for complex states",
            )
    rates = tensors["log_A_real"]
    if rates.ndim != 2 or rates.numel() == 0:
        raise RecognitionError(
            f"parameter log_A_real has shape {tuple(rates.shape)}, expected (channels, states)",
            where=module.full_name("log_A_real"),
            hint="see the shapes of scanlet.nn.DiagonalSSM, the form that is compiled",
        )
    channels, states = rates.shape
    is_complex = "A_imag" in tensors
    expected: dict[str, tuple[int, ...]] = {
        "log_dt": (channels,),
        "A_imag": (channels, states),
        "C": (channels, states, 2)[: 2 + int(is_complex)],
        "D": (channels,),
    }
    because = f"{channels} channels and {states} states (from log_A_real)"
    for name, shape in expected.items():
        if name in tensors:
            check_shape(module, name, shape, because, "diagonal state-space model")
    unknown = sorted(set(tensors) - {*REQUIRED, "A_imag"})
    if unknown:
        raise RecognitionError(
            f"looks like a diagonal state-space model, but also has {', '.join(unknown)}",
            where=module.where,
            hint="keep what surrounds it (norms, projections, gates) in modules of their own",
        )
    return DiagonalMixer(
        path=module.path,
        dialect="diagonal",
        parameters={name: tensors.get(name) for name in DIAGONAL_ARGUMENTS},
        names={n: module.full_name(n) for n in DIAGONAL_ARGUMENTS if n in tensors},
    )
