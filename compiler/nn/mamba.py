"""A trainable Mamba-1 mixer in plain PyTorch."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import nn

from scanlet.nn.functional import mamba_mixer


class MambaMixer(nn.Module):
    """The Mamba-1 mixer of Gu and Dao 2023 (arXiv:2312.00752), without custom kernels.

    Constructor, parameter names, shapes and initialisation are those of `mamba_ssm`'s `Mamba`, so
    that its state_dicts load strictly. Input and output are (B, L, d_model).

    Args:
        d_model: features in and out.
        d_state: states a channel (N).
        d_conv: taps of the causal depthwise convolution.
        expand: d_inner = expand * d_model (a Fraction where d_inner is no multiple).
        dt_rank: rank of the step-size projection; "auto" is ceil(d_model / 16).
        dt_min, dt_max, dt_init, dt_scale, dt_init_floor: how the step sizes are initialised:
            softplus(dt_proj.bias) is log-uniform in [dt_min, dt_max], at least dt_init_floor;
            dt_proj.weight is "random" or "constant" of dt_scale / sqrt(dt_rank).
        conv_bias: whether the convolution has a bias.
        bias: whether in_proj and out_proj have one.
        inner_norm_eps: if given, dt, B and C are normalized by their root mean square, as in Jamba
            (arXiv:2403.19887) and FalconMamba, by dt_layernorm, b_layernorm and c_layernorm.
        inner_norm_weights: whether those norms have weights (FalconMamba's have none).
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: int | Fraction = 2,
        dt_rank: int | str = "auto",
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init: str = "random",
        dt_scale: float = 1.0,
        dt_init_floor: float = 1e-4,
        conv_bias: bool = True,
        bias: bool = False,
        *,
        inner_norm_eps: float | None = None,
        inner_norm_weights: bool = True,
    ) -> None:
        super().__init__()
        if dt_init not in ("random", "constant"):
            raise ValueError(f"dt_init is {dt_init!r}; choose 'random' or 'constant'")
        self.d_model = d_model
        self.d_state = d_state
        self.d_conv = d_conv
        self.expand = expand
        self.d_inner = int(expand * d_model)
        self.dt_rank = math.ceil(d_model / 16) if dt_rank == "auto" else int(dt_rank)

        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=bias)
        self.conv1d = nn.Conv1d(
            self.d_inner,
            self.d_inner,
            d_conv,
            groups=self.d_inner,
            padding=d_conv - 1,
            bias=conv_bias,
        )
        self.x_proj = nn.Linear(self.d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, self.d_inner, bias=True)
        a = torch.arange(1, d_state + 1, dtype=torch.float32).repeat(self.d_inner, 1)
        self.A_log = nn.Parameter(torch.log(a))
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)
        self.inner_norm_eps = inner_norm_eps
        self.dt_layernorm, self.b_layernorm, self.c_layernorm = (
            None
            if inner_norm_eps is None
            else nn.RMSNorm(size, eps=inner_norm_eps, elementwise_affine=inner_norm_weights)
            for size in (self.dt_rank, d_state, d_state)
        )
        # Optimizers of the Mamba code bases look for this mark.
        self.A_log._no_weight_decay = True  # type: ignore[attr-defined]
        self.D._no_weight_decay = True  # type: ignore[attr-defined]
        self._initialise_step_sizes(dt_min, dt_max, dt_init, dt_scale, dt_init_floor)

    @torch.no_grad()
    def _initialise_step_sizes(
        self, dt_min: float, dt_max: float, dt_init: str, dt_scale: float, dt_init_floor: float
    ) -> None:
        spread = dt_scale * self.dt_rank**-0.5
        if dt_init == "constant":
            nn.init.constant_(self.dt_proj.weight, spread)
        else:
            nn.init.uniform_(self.dt_proj.weight, -spread, spread)
        low, high = math.log(dt_min), math.log(dt_max)
        dt = torch.exp(torch.rand(self.d_inner) * (high - low) + low).clamp(min=dt_init_floor)
        self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # softplus of it is dt
        self.dt_proj.bias._no_reinit = True  # type: ignore[attr-defined]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, L, d_model) -> (B, L, d_model)."""
        return mamba_mixer(
            x,
            self.in_proj.weight,
            self.in_proj.bias,
            self.conv1d.weight,
            self.conv1d.bias,
            self.x_proj.weight,
            self.dt_proj.weight,
            self.dt_proj.bias,
            self.A_log,
            self.D,
            self.out_proj.weight,
            self.out_proj.bias,
            _weight(self.dt_layernorm),
            _weight(self.b_layernorm),
            _weight(self.c_layernorm),
            self.inner_norm_eps,
        )

    def extra_repr(self) -> str:
        norms = "" if self.inner_norm_eps is None else f", inner_norm_eps={self.inner_norm_eps:g}"
        return (
            f"d_model={self.d_model}, d_inner={self.d_inner}, d_state={self.d_state}, "
            f"d_conv={self.d_conv}, dt_rank={self.dt_rank}{norms}"
        )


def _weight(norm: nn.RMSNorm | None) -> torch.Tensor | None:
    return None if norm is None else norm.weight
