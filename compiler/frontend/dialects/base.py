"""What dialects see of a module, and the canonical mixer they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from scanlet.errors import RecognitionError


@dataclass(frozen=True)
class ModuleParameters:
    """The parameters and buffers of one module: of its own and of its direct children.

    `tensors` is keyed by the name relative to the module at `path` ("in_proj.weight");
    `children` names the module's submodules, parameters or not.
    """

    path: str
    tensors: Mapping[str, torch.Tensor]
    children: frozenset[str] = frozenset()

    @property
    def where(self) -> str:
        return self.path or "the model itself"

    def full_name(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


@dataclass(frozen=True)
class CanonicalMixer:
    """A Mamba-1 mixer: the arguments of `scanlet.nn.mamba_mixer` after x, by name.

    `names` gives each argument's parameter path in the model ("layers.0.mixer.in_proj.weight").
    """

    path: str
    dialect: str
    parameters: dict[str, torch.Tensor | None]
    names: dict[str, str]

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

    def double(self) -> dict[str, torch.Tensor | None]:
        """The parameters in float64."""
        return {k: None if v is None else v.double() for k, v in self.parameters.items()}


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
