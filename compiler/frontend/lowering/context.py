"""What a handler works with: it emits nodes, makes constants, refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.lowering.registry import GENERAL_HINT
from scanlet.frontend.source import Origin
from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import Operator

#: An activation, or a constant that is still a torch tensor (float64 where it was computed).
Value = Tensor | torch.Tensor


class Unavailable:
    """Stands for a result that the graph does not compute, such as the indices of a maximum."""

    def __init__(self, what: str) -> None:
        self.what = what


class Context:
    """The graph under construction and the node being lowered."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.operator = ""
        self.name = ""
        self.origin = Origin("")
        self._taken = {tensor.name for tensor in graph.inputs}
        self._paths: dict[int, str] = {}
        self._constants: dict[int, Tensor] = {}
        self._named: dict[str, Tensor] = {}
        self._alive: list[torch.Tensor] = []  # so that ids stay unique

    def enter(self, operator: str, name: str, origin: Origin) -> None:
        """Say which node is lowered next."""
        self.operator, self.name, self.origin = operator, name, origin

    def refusal(self, message: str, hint: str | None = None) -> UnsupportedModelError:
        """The error to raise: it names module, operator and source line."""
        operator = "" if self.operator in message else f"{self.operator}, "
        return UnsupportedModelError(
            f"{message} ({operator}at {self.origin.describe()})",
            where=self.origin.module or "the model itself",
            hint=hint or GENERAL_HINT,
        )

    # -- tensors -------------------------------------------------------------------------------
    def emit(self, op: Operator, *inputs: Any) -> Tensor:
        """Append a node; constants and numbers among the inputs become constant tensors."""
        rank = max((len(x.shape) for x in inputs if hasattr(x, "shape")), default=0)
        tensors = [self.tensor(value, rank) for value in inputs]
        dtype = tensors[0].dtype
        return self.graph.add(
            op, tensors, name=self._unique(self.name), source=self.origin.source, dtype=dtype
        )

    def tensor(self, value: Any, rank: int = 1) -> Tensor:
        """A graph tensor for an activation, a torch constant or a number."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, torch.Tensor):
            if value.ndim == 0 and rank > 0:
                return self.scalar(value.item(), rank)
            return self._constant(value)
        if isinstance(value, (int, float)):
            return self.scalar(float(value), rank)
        if isinstance(value, Unavailable):
            raise self.refusal(f"{value.what} cannot be computed on the device")
        raise self.refusal(f"a value of type {type(value).__name__} cannot be an operand")

    def scalar(self, value: float, rank: int = 1) -> Tensor:
        """A constant with one element, of shape (1,), or () for operands of rank 0."""
        shape = (1,) if rank else ()
        return self.array(np.full(shape, value, np.float64), "value")

    def array(self, data: np.ndarray, suffix: str) -> Tensor:
        """A constant computed by a handler, named after the current node."""
        dtype = "float32" if np.issubdtype(data.dtype, np.floating) else "int32"
        return constant(self._unique(f"{self.name}.{suffix}"), data, dtype)

    def learn_path(self, tensor: torch.Tensor, path: str) -> None:
        """Remember under which name the model holds a constant."""
        self._paths.setdefault(id(tensor), path)
        self._alive.append(tensor)

    def path_of(self, value: Any) -> str | None:
        return self._paths.get(id(value))

    def named(self, name: str, data: np.ndarray) -> Tensor:
        """A constant under a name of the model; the same again for the same values."""
        known = self._named.get(name)
        if known is None or known.data is None or not np.array_equal(known.data, data):
            known = self._named[name] = constant(self._unique(name), data)
        return known

    def _constant(self, value: torch.Tensor) -> Tensor:
        known = self._constants.get(id(value))
        if known is None:
            data = value.detach().cpu().numpy()
            if not np.issubdtype(data.dtype, np.floating):
                data = data.astype(np.float64)
            known = self.named(self._paths.get(id(value)) or f"{self.name}.value", data)
            self._constants[id(value)] = known
            self._alive.append(value)
        return known

    def _unique(self, stem: str) -> str:
        name, count = stem, 0
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        return name

    # -- checks --------------------------------------------------------------------------------
    def activation(self, value: Any) -> Tensor:
        """`value` as a float activation; refuses integers and constants."""
        if isinstance(value, Unavailable):
            raise self.refusal(f"{value.what} cannot be computed on the device")
        if not isinstance(value, Tensor):
            raise self.refusal("a constant where an activation is expected")
        if value.dtype != "float32":
            raise self.refusal(
                "arithmetic on integers",
                hint="integer inputs can only be looked up in an Embedding",
            )
        return value

    def fixed(self, value: Any, what: str) -> np.ndarray:
        """A constant as a float64 array; refuses activations, naming `what` was expected."""
        if not isinstance(value, torch.Tensor):
            raise self.refusal(f"{what} is not a constant")
        return value.detach().cpu().numpy().astype(np.float64)


def axis_of(dim: int, rank: int) -> int:
    """A non-negative axis."""
    return dim + rank if dim < 0 else dim


def axes_of(dims: Sequence[int] | int | None, rank: int) -> tuple[int, ...]:
    """Sorted non-negative axes; all of them for None or an empty list."""
    if dims is None or (not isinstance(dims, int) and len(dims) == 0):
        return tuple(range(rank))
    listed = [dims] if isinstance(dims, int) else list(dims)
    return tuple(sorted(axis_of(dim, rank) for dim in listed))
