"""What dialects see of a module, and the canonical mixer they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
class CanonicalMixer:
    """A Mamba-1 mixer: the arguments of `scanlet.nn.mamba_mixer` after x, by name.

    `names` gives each argument's parameter path in the model ("layers.0.mixer.in_proj.weight").
    `backward` is a second mixer that reads time backwards; its output is added. `alternatives`
    are other meanings of the same parameters, where names and shapes leave the choice open.
    """

    path: str
    dialect: str
    parameters: dict[str, torch.Tensor | None]
    names: dict[str, str]
    inner_norm_eps: float | None = None
    backward: CanonicalMixer | None = None
    alternatives: tuple[CanonicalMixer, ...] = ()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The canonical form: x (B, L, d_model) -> (B, L, d_out)."""
        y = mamba_mixer(x, **self.parameters, inner_norm_eps=self.inner_norm_eps)  # type: ignore[arg-type]
        return y if self.backward is None else y + self.backward(x.flip(1)).flip(1)

    @property
    def directions(self) -> tuple[CanonicalMixer, ...]:
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


def with_alternatives(mixers: list[CanonicalMixer]) -> CanonicalMixer:
    """The first, with the others as its alternatives."""
    return replace(mixers[0], alternatives=tuple(mixers[1:]))


def check_shape(module: ModuleParameters, name: str, expected: tuple[int, ...], why: str) -> None:
    """Raise RecognitionError unless the parameter has the shape that the others imply."""
    found = tuple(module.tensors[name].shape)
    if found != expected:
        raise RecognitionError(
            f"parameter {name} has shape {found}, {why} needs {expected}",
            where=module.full_name(name),
            hint="the module carries the names of a Mamba-1 mixer; give it Mamba-1's shapes, or "
            "other names if it is something else",
        )
