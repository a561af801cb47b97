"""The opaque operator that stands for a mixer while torch.export captures what is around it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer
from scanlet.frontend.dialects.mamba_ssm import ARGUMENTS
from scanlet.nn.functional import mamba_mixer


@torch.library.custom_op("scanlet::selective_ssm", mutates_args=())
def selective_ssm(
    x: Tensor,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor | None,
    conv_weight: Tensor,
    conv_bias: Tensor | None,
    x_proj_weight: Tensor,
    dt_proj_weight: Tensor,
    dt_proj_bias: Tensor,
    A_log: Tensor,  # noqa: N803
    D: Tensor,  # noqa: N803
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
) -> Tensor:
    """`scanlet.nn.mamba_mixer` as one node: x (B, L, d_model) -> (B, L, d_out)."""
    return mamba_mixer(
        x,
        in_proj_weight,
        in_proj_bias,
        conv_weight,
        conv_bias,
        x_proj_weight,
        dt_proj_weight,
        dt_proj_bias,
        A_log,
        D,
        out_proj_weight,
        out_proj_bias,
    ).contiguous()


@selective_ssm.register_fake
def _(x: Tensor, *weights: Tensor | None) -> Tensor:
    out_proj_weight = weights[ARGUMENTS.index("out_proj_weight")]
    assert out_proj_weight is not None
    return x.new_empty((x.shape[0], x.shape[1], out_proj_weight.shape[0]))


class OpaqueMixer(nn.Module):
    """Takes the place of a recognised mixer; notes the lengths that it is called with.

    Its parameters keep their names ("in_proj.weight"), so that the constants of the graph are
    called what the user calls them.
    """

    def __init__(self, mixer: CanonicalMixer) -> None:
        super().__init__()
        self.mixer = mixer
        self.lengths: set[int] = set()
        prefix = f"{mixer.path}." if mixer.path else ""
        for argument, name in mixer.names.items():
            self._place(name.removeprefix(prefix), mixer.parameters[argument])

    def _place(self, name: str, tensor: Tensor | None) -> None:
        assert tensor is not None
        holder: nn.Module = self
        *parents, leaf = name.split(".")
        for parent in parents:
            if parent not in dict(holder.named_children()):
                holder.add_module(parent, nn.Module())
            holder = holder.get_submodule(parent)
        # Detached: the user's parameter must not collect what a capture does.
        holder.register_parameter(leaf, nn.Parameter(tensor.detach(), requires_grad=False))

    def forward(self, x: Tensor, *others: Any, **named: Any) -> Tensor:
        if any(value is not None for value in (*others, *named.values())):
            raise UnsupportedModelError(
                "the mixer is called with more than the sequence",
                where=self.mixer.path or "the model itself",
                hint="call it as mixer(x); caches and inference parameters are not captured",
            )
        if x.ndim != 3 or x.shape[-1] != self.mixer.d_model:
            raise UnsupportedModelError(
                f"the mixer is called with shape {tuple(x.shape)}, expected "
                f"(1, L, {self.mixer.d_model})",
                where=self.mixer.path or "the model itself",
            )
        self.lengths.add(int(x.shape[1]))
        prefix = f"{self.mixer.path}." if self.mixer.path else ""
        weights = [
            self.get_parameter(self.mixer.names[argument].removeprefix(prefix))
            if argument in self.mixer.names
            else None
            for argument in ARGUMENTS
        ]
        return selective_ssm(x, *weights)
