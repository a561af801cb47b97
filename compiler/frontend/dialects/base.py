"""What dialects see of a module, and the canonical mixer they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypeVar

import torch

from scanlet.errors import RecognitionError
from scanlet.nn.functional import mamba_mixer

#: The arguments of `mamba_mixer` after x that are tensors, in order.
ARGUMENTS = (
    "in_proj_weight",
    "in_proj_bias",
    "conv_weight",
    "conv_bias",
    "x_proj_weight",
    "dt_proj_weight",
    "dt_proj_bias",
    "A_log",
    "D",
    "out_proj_weight",
    "out_proj_bias",
    "dt_norm_weight",
    "b_norm_weight",
    "c_norm_weight",
)


@dataclass(frozen=True)
class ModuleParameters:
    """The parameters and buffers of one module: of its own and of its direct children.

    `tensors` is keyed by the name relative to the module at `path` ("in_proj.weight");
    `children` names the module's submodules, parameters or not. `settings` holds numbers that are
    no tensors ("if_divide_out"; "dt_layernorm.eps" of a child that has one); a program does not
    keep them: there `epsilons` are the candidates for all norms.
    """

    path: str
    tensors: Mapping[str, torch.Tensor]
    children: frozenset[str] = frozenset()
    settings: Mapping[str, float] = field(default_factory=dict)
    epsilons: tuple[float, ...] = ()

    @property
    def where(self) -> str:
        return self.path or "the model itself"

    def full_name(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


@dataclass(frozen=True)
class AnyMixer:
    """What the frontend asks of a recognised mixer, whatever its family.

    `parameters` are the tensors that the family's custom operator takes after x (`ARGUMENTS`, in
    order), by name; `names` gives each one's path in the model ("layers.0.mixer.in_proj.weight").
    `backward` is a second mixer that reads time backwards; its output is added. `alternatives`
    are other meanings of the same parameters, where names and shapes leave the choice open.
    """

    path: str
    dialect: str
    parameters: dict[str, torch.Tensor | None]
    names: dict[str, str]
    backward: Self | None = field(default=None, kw_only=True)
    alternatives: tuple[Self, ...] = field(default=(), kw_only=True)

    #: The custom operator (`torch.ops.scanlet.<OPERATOR>`) and its tensors.
    OPERATOR: ClassVar[str]
    ARGUMENTS: ClassVar[tuple[str, ...]]

    @property
    def settings(self) -> tuple[Any, ...]:
        """The custom operator's arguments after the tensors."""
        return ()

    def run(self, x: torch.Tensor) -> torch.Tensor:
        """The canonical form, one direction of it: x (B, L, d_model) -> (B, L, d_out)."""
        raise NotImplementedError(type(self).__name__)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The canonical form: x (B, L, d_model) -> (B, L, d_out)."""
        y = self.run(x)
        return y if self.backward is None else y + self.backward(x.flip(1)).flip(1)

    @property
    def meanings(self) -> tuple[Self, ...]:
        """The mixer itself and its alternatives."""
        return (self, *self.alternatives)

    @property
    def directions(self) -> tuple[Self, ...]:
        """The mixer itself and its backward one, if it has one."""
        return (self,) if self.backward is None else (self, self.backward)

    @property
    def parameter_names(self) -> dict[str, torch.Tensor]:
        """Every tensor by its path; of one that is read in two ways, the first."""
        found: dict[str, torch.Tensor] = {}
        for mixer in self.directions:
            for argument, name in mixer.names.items():
                tensor = mixer.parameters[argument]
                assert tensor is not None
                found.setdefault(name, tensor)
        return found

    def _shape(self, name: str) -> torch.Size:
        tensor = self.parameters[name]
        assert tensor is not None
        return tensor.shape

    @property
    def d_model(self) -> int:
        """Features that enter."""
        raise NotImplementedError(type(self).__name__)

    @property
    def d_inner(self) -> int:
        """Channels that have states."""
        raise NotImplementedError(type(self).__name__)

    @property
    def d_state(self) -> int:
        """States a channel."""
        raise NotImplementedError(type(self).__name__)

    @property
    def d_conv(self) -> int:
        """Taps of the convolution; 0 without one."""
        return 0

    @property
    def dt_rank(self) -> int:
        """Rank of the step-size projection; 0 without one."""
        return 0


@dataclass(frozen=True)
class CanonicalMixer(AnyMixer):
    """A Mamba-1 mixer: the arguments of `scanlet.nn.mamba_mixer` after x, by name."""

    inner_norm_eps: float | None = None

    OPERATOR: ClassVar[str] = "selective_ssm"
    ARGUMENTS: ClassVar[tuple[str, ...]] = ARGUMENTS

    @property
    def settings(self) -> tuple[Any, ...]:
        return (self.inner_norm_eps,)

    def run(self, x: torch.Tensor) -> torch.Tensor:
        return mamba_mixer(x, **self.parameters, inner_norm_eps=self.inner_norm_eps)  # type: ignore[arg-type]

    @property
    def d_model(self) -> int:
        return self._shape("in_proj_weight")[1]

    @property
    def d_inner(self) -> int:
        return self._shape("A_log")[0]

    @property
    def d_state(self) -> int:
        return self._shape("A_log")[1]

    @property
    def d_conv(self) -> int:
        return self._shape("conv_weight")[-1]

    @property
    def dt_rank(self) -> int:
        return self._shape("dt_proj_weight")[1]


AnyKind = TypeVar("AnyKind", bound=AnyMixer)


def with_alternatives(mixers: list[AnyKind]) -> AnyKind:
    """The first, with the others as its alternatives."""
    return replace(mixers[0], alternatives=tuple(mixers[1:]))


def check_shape(
    module: ModuleParameters,
    name: str,
    expected: tuple[int, ...],
    why: str,
    family: str = "Mamba-1",
) -> None:
    """Raise RecognitionError unless the parameter has the shape that the others imply."""
    found = tuple(module.tensors[name].shape)
    if found != expected:
        raise RecognitionError(
            f"parameter {name} has shape {found}, {why} needs {expected}",
            where=module.full_name(name),
            hint=f"the module carries the names of a {family} mixer; give it {family}'s shapes, or "
            "other names if it is something else",
        )
