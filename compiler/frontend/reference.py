"""What the captured model computes, according to PyTorch itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from scanlet.frontend.precision import doubled, float64


@dataclass(frozen=True)
class Reference:
    """Call with one NumPy array an input (batch 1); returns the outputs as a list of arrays.

    `dtypes` are the types that the model takes. `run` is the original model, `run64` makes the
    same computation on float64 tensors, within `precision.float64()`.
    """

    dtypes: tuple[torch.dtype, ...]
    run: Callable[..., Any]
    run64: Callable[..., Any]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """In float32, as the model runs in PyTorch."""
        with torch.no_grad():
            return _as_arrays(self.run(*self._tensors(arrays)))

    def float64(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """In float64 throughout, on a copy: weights, inputs and everything computed."""
        with float64():
            return _as_arrays(self.run64(*[doubled(x) for x in self._tensors(arrays, exact=True)]))

    def _tensors(self, arrays: Sequence[np.ndarray], exact: bool = False) -> list[torch.Tensor]:
        tensors = [torch.from_numpy(np.array(array)) for array in arrays]
        if exact:
            return [
                x if d.is_floating_point else x.to(d)
                for x, d in zip(tensors, self.dtypes, strict=True)
            ]
        return [x.to(d) for x, d in zip(tensors, self.dtypes, strict=True)]


def of_module(model: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> Reference:
    """The reference of an `nn.Module` in eval mode (which is not copied for float32)."""
    copies: list[torch.nn.Module] = []

    def run64(*tensors: torch.Tensor) -> Any:
        if not copies:  # made when first asked for
            copies.append(copy.deepcopy(model).double())
        return copies[0](*tensors)

    return Reference(tuple(x.dtype for x in inputs), model, run64)


def tensor_outputs(value: Any) -> list[torch.Tensor]:
    """The tensors of a model's return value, nested or not, in order."""
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def _as_arrays(value: Any) -> list[np.ndarray]:
    return [tensor.detach().numpy() for tensor in tensor_outputs(value)]
