"""A trainable Mamba-2 mixer in plain PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from scanlet.nn.mamba2_functional import gated_norm, mamba2_mixer


class GatedRMSNorm(nn.Module):
    """RMS norm of y silu(z), or of y ahead of the gate; over runs of `group_size` channels."""

    def __init__(self, d_inner: int, eps: float, group_size: int, norm_before_gate: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_inner))
        self.eps = eps
        self.group_size = group_size
        self.norm_before_gate = norm_before_gate

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        """y, z (..., d_inner) -> (..., d_inner)."""
        groups = y.shape[-1] // self.group_size
        return gated_norm(y, z, self.weight, self.eps, groups, self.norm_before_gate)


class Mamba2Mixer(nn.Module):
    """The Mamba-2 mixer of Dao and Gu 2024 (arXiv:2405.21060), without custom kernels.

    Constructor, parameter names, shapes and initialisation are those of `mamba_ssm`'s `Mamba2`, so
    that its state_dicts load strictly. Input and output are (B, L, d_model).

    Args:
        d_model: features in and out.
        d_state: states a channel (N).
        d_conv: taps of the causal depthwise convolution.
        expand: d_inner = expand * d_model.
        headdim: channels a head; it divides d_inner.
        ngroups: groups of heads that share B and C; it divides the heads.
        A_init_range: -A is uniform in it.
        D_has_hdim: one D a channel, not one a head.
        rmsnorm: whether a norm precedes out_proj, its groups those of B and C.
        norm_before_gate: norm(y) silu(z) in place of norm(y silu(z)).
        dt_min, dt_max, dt_init_floor: softplus(dt_bias) is log-uniform in [dt_min, dt_max], at
            least dt_init_floor.
        dt_limit: the step sizes are kept within it.
        bias: whether in_proj and out_proj have one.
        conv_bias: whether the convolution has one.
        gated_norm_eps: of the norm.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 128,
        d_conv: int = 4,
        expand: float = 2,
        headdim: int = 64,
        ngroups: int = 1,
        A_init_range: tuple[float, float] = (1, 16),  # noqa: N803
        D_has_hdim: bool = False,  # noqa: N803
        rmsnorm: bool = True,
        norm_before_gate: bool = False,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init_floor: float = 1e-4,
        dt_limit: tuple[float, float] = (0.0, math.inf),
        bias: bool = False,
        conv_bias: bool = True,
        gated_norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.d_model = d_model
        self.d_state = d_state
        self.d_conv = d_conv
        self.expand = expand
        self.d_inner = int(expand * d_model)
        self.headdim = headdim
        self.ngroups = ngroups
        self.nheads = self.d_inner // headdim
        self.norm_before_gate = norm_before_gate
        self.dt_limit = dt_limit
        if self.nheads * headdim != self.d_inner or self.nheads % ngroups:
            raise ValueError(
                f"headdim {headdim} has to divide d_inner {self.d_inner}, and ngroups {ngroups} "
                "the number of heads"
            )
        channels = self.d_inner + 2 * ngroups * d_state
        self.in_proj = nn.Linear(d_model, self.d_inner + channels + self.nheads, bias=bias)
        self.conv1d = nn.Conv1d(
            channels, channels, d_conv, groups=channels, padding=d_conv - 1, bias=conv_bias
        )
        span = math.log(dt_max) - math.log(dt_min)
        dt = torch.exp(torch.rand(self.nheads) * span + math.log(dt_min)).clamp(min=dt_init_floor)
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))  # softplus of it is dt
        self.A_log = nn.Parameter(torch.empty(self.nheads).uniform_(*A_init_range).log())
        self.D = nn.Parameter(torch.ones(self.d_inner if D_has_hdim else self.nheads))
        self.norm: GatedRMSNorm | None = None
        if rmsnorm:
            size = self.d_inner // ngroups
            self.norm = GatedRMSNorm(self.d_inner, gated_norm_eps, size, norm_before_gate)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)
        for parameter in (self.dt_bias, self.A_log, self.D):
            # Optimizers of the Mamba code bases look for this mark.
            parameter._no_weight_decay = True  # type: ignore[attr-defined]

    def forward(self, x: Tensor) -> Tensor:
        """x (B, L, d_model) -> (B, L, d_model)."""
        least, most = self.dt_limit
        norm = self.norm
        return mamba2_mixer(
            x,
            self.in_proj.weight,
            self.in_proj.bias,
            self.conv1d.weight,
            self.conv1d.bias,
            self.dt_bias,
            self.A_log,
            self.D,
            None if norm is None else norm.weight,
            self.out_proj.weight,
            self.out_proj.bias,
            groups=self.ngroups,
            norm_groups=0 if norm is None else self.d_inner // norm.group_size,
            norm_before_gate=self.norm_before_gate,
            norm_eps=1e-5 if norm is None else norm.eps,
            dt_min=least,
            dt_max=None if math.isinf(most) else most,
        )

    def extra_repr(self) -> str:
        return (
            f"d_model={self.d_model}, d_inner={self.d_inner}, d_state={self.d_state}, "
            f"heads={self.nheads}, groups={self.ngroups}, d_conv={self.d_conv}"
        )
