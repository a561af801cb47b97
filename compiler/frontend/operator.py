"""The opaque operator that stands for a mixer while torch.export captures what is around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import ARGUMENTS, AnyMixer
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
    dt_norm_weight: Tensor | None,
    b_norm_weight: Tensor | None,
    c_norm_weight: Tensor | None,
    inner_norm_eps: float | None,
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
        dt_norm_weight,
        b_norm_weight,
        c_norm_weight,
        inner_norm_eps,
    ).contiguous()


@selective_ssm.register_fake
def _(x: Tensor, *others: Any) -> Tensor:
    out_proj_weight = others[ARGUMENTS.index("out_proj_weight")]
    return x.new_empty((x.shape[0], x.shape[1], out_proj_weight.shape[0]))


@torch.library.custom_op("scanlet::nothing_masked", mutates_args=())
def nothing_masked(x: Tensor, mask: Tensor) -> Tensor:
    """x, given that the mask of its time steps is all ones: lowering makes sure of that."""
    del mask
    return x.clone()


@nothing_masked.register_fake
def _(x: Tensor, mask: Tensor) -> Tensor:
    del mask
    return torch.empty_like(x)


@dataclass(frozen=True)
class Call:
    """How a mixer is called, the sequence first; what else it is given is nothing.

    Tensors are kept as their shape and type only.
    """

    arguments: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...]

    @staticmethod
    def of(arguments: tuple[Any, ...], named: dict[str, Any]) -> Call:
        return Call(
            tuple(_outline(value) for value in arguments),
            tuple((name, _outline(value)) for name, value in named.items()),
        )

    def repeat(self, module: nn.Module, x: Tensor) -> Any:
        """Call `module` in the same way with another sequence, its masks as long as that."""
        values: list[Any] = [x]
        for value in (*self.arguments, *(value for _, value in self.named))[1:]:
            if isinstance(value, _Outline):
                value = torch.ones((*value.shape[:-1], x.shape[1]), dtype=value.dtype)
            values.append(value)
        count = len(self.arguments)
        names = [name for name, _ in self.named]
        return module(*values[:count], **dict(zip(names, values[count:], strict=True)))


@dataclass(frozen=True)
class _Outline:
    shape: tuple[int, ...]
    dtype: torch.dtype


def _outline(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _Outline(tuple(int(n) for n in value.shape), value.dtype)
    return value


class OpaqueMixer(nn.Module):
    """Takes the place of a recognised mixer; notes the lengths and the ways that it is called with.

    Its parameters keep their names ("in_proj.weight"), so that the constants of the graph are
    called what the user calls them.
    """

    def __init__(self, mixer: AnyMixer) -> None:
        super().__init__()
        self.mixer = mixer
        # Sets: torch.export takes back what a module does to its lists and dictionaries.
        self.lengths: set[int] = set()
        self.calls: set[Call] = set()
        self.prefix = f"{mixer.path}." if mixer.path else ""
        for name, tensor in mixer.parameter_names.items():
            self._place(name.removeprefix(self.prefix), tensor)

    def _place(self, name: str, tensor: Tensor) -> None:
        holder: nn.Module = self
        *parents, leaf = name.split(".")
        for parent in parents:
            if parent not in dict(holder.named_children()):
                holder.add_module(parent, nn.Module())
            holder = holder.get_submodule(parent)
        # Detached: the user's parameter must not collect what a capture does.
        holder.register_parameter(leaf, nn.Parameter(tensor.detach(), requires_grad=False))

    def forward(self, *arguments: Any, **named: Any) -> Tensor:
        """The sequence comes first, whatever it is called; what else the mixer is called with has
        to be nothing: None, False, a mask that masks nothing."""
        x, *others = (*arguments, *named.values())
        for value in others:
            if isinstance(value, Tensor) and value.ndim:
                x = nothing_masked(x, value)
            elif not _is_nothing(value):
                raise UnsupportedModelError(
                    f"the mixer is called with more than the sequence ({type(value).__name__})",
                    where=self.mixer.path or "the model itself",
                    hint="call it as mixer(x), with None for caches and inference parameters; "
                    "mode='stream' carries the state inside the operator",
                )
        if not isinstance(x, Tensor) or x.ndim != 3 or x.shape[-1] != self.mixer.d_model:
            found = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise UnsupportedModelError(
                f"the mixer is called with {found}, expected shape (1, L, {self.mixer.d_model})",
                where=self.mixer.path or "the model itself",
                hint="time is the second axis: transpose what the mixer is given",
            )
        self.lengths.add(int(x.shape[1]))
        self.calls.add(Call.of(arguments, named))
        y = self._run(x, self.mixer)
        if self.mixer.backward is not None:
            y = y + self._run(x.flip(1), self.mixer.backward).flip(1)
        return y

    def _run(self, x: Tensor, mixer: AnyMixer) -> Tensor:
        weights = [
            self.get_parameter(mixer.names[argument].removeprefix(self.prefix))
            if argument in mixer.names
            else None
            for argument in mixer.ARGUMENTS
        ]
        run = getattr(torch.ops.scanlet, mixer.OPERATOR)
        return run(x, *weights, *mixer.settings)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, (bool, int, float)) and value == 0)
