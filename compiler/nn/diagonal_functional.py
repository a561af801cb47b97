"""Diagonal time-invariant state-space models as functions of their parameters.

S4D of Gu et al. 2022 (arXiv:2206.11893), section 3: zero-order hold, B = 1. As a recurrence, the
canonical form that is compiled, and as the convolution that is trained (section 3.3).
"""

from __future__ import annotations

import torch
from torch import Tensor


def discretise(
    log_dt: Tensor,
    log_A_real: Tensor,  # noqa: N803
    A_imag: Tensor | None,  # noqa: N803
    C: Tensor,  # noqa: N803
) -> tuple[Tensor, Tensor]:
    """(log of the transition, C with what B and the step contribute), both (channels, d_state),
    complex where A_imag is given: C is then (channels, d_state, 2), and each state stands for a
    conjugate pair, which the factor 2 accounts for.

    log_dt (channels,); A = -exp(log_A_real) + i A_imag, both (channels, d_state).
    """
    a, c = -torch.exp(log_A_real), C
    if A_imag is not None:
        a, c = torch.complex(a, A_imag), 2 * torch.view_as_complex(C.contiguous())
    exponent = a * torch.exp(log_dt).unsqueeze(-1)
    return exponent, c * torch.expm1(exponent) / a


def diagonal_scan(
    x: Tensor,
    log_dt: Tensor,
    log_A_real: Tensor,  # noqa: N803
    A_imag: Tensor | None,  # noqa: N803
    C: Tensor,  # noqa: N803
    D: Tensor,  # noqa: N803
) -> Tensor:
    """h[t] = exp(dt A) h[t-1] + x[t]; y[t] = Re(C' h[t]) + D x[t]; x, y (batch, L, channels)."""
    wide = [None if p is None else p.double() for p in (log_dt, log_A_real, A_imag, C)]
    exponent, c = discretise(*wide)  # type: ignore[arg-type]
    decay = torch.exp(exponent)
    h = torch.zeros((x.shape[0], *decay.shape), dtype=decay.dtype, device=x.device)
    rows = []
    for x_t in x.double().unbind(1):
        h = decay * h + x_t.unsqueeze(-1)
        y = (c * h).sum(-1)
        rows.append(y.real if y.is_complex() else y)
    return torch.stack(rows, dim=1).to(x.dtype) + D * x


def diagonal_convolution(
    x: Tensor,
    log_dt: Tensor,
    log_A_real: Tensor,  # noqa: N803
    A_imag: Tensor | None,  # noqa: N803
    C: Tensor,  # noqa: N803
    D: Tensor,  # noqa: N803
) -> Tensor:
    """`diagonal_scan` as a convolution by FFT: O(L log L), for training."""
    length = x.shape[1]
    exponent, c = discretise(log_dt, log_A_real, A_imag, C)
    steps = torch.arange(length, device=x.device, dtype=x.dtype)
    kernel = (c.unsqueeze(-1) * torch.exp(exponent.unsqueeze(-1) * steps)).sum(1)
    kernel = kernel.real if kernel.is_complex() else kernel  # (channels, L)
    spectrum = torch.fft.rfft(x, n=2 * length, dim=1) * torch.fft.rfft(kernel, n=2 * length).T
    return torch.fft.irfft(spectrum, n=2 * length, dim=1)[:, :length] + D * x
