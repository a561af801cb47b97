"""The graph: nodes in topological order between input and output tensors, batch dimension 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from scanlet.errors import GraphError, InputError
from scanlet.graph.operators.base import Carried, Operator
from scanlet.graph.quantized import evaluate_node
from scanlet.graph.tensor import Tensor


@dataclass(frozen=True)
class Source:
    """Where a node comes from: the module path in the PyTorch model and the line of its code."""

    module: str = ""
    location: str = ""


@dataclass(eq=False)
class Node:
    """One operator applied to tensors. Identity is by object."""

    op: Operator
    inputs: list[Tensor]
    outputs: list[Tensor]
    source: Source = field(default_factory=Source)

    @property
    def output(self) -> Tensor:
        """The only output (every operator of ours has one, except where it says otherwise)."""
        return self.outputs[0]


@dataclass
class Graph:
    """A network: `inputs` -> `nodes` (topologically ordered) -> `outputs`."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    nodes: list[Node]
    name: str = "model"

    # -- reading -------------------------------------------------------------------------------
    def producer(self, tensor: Tensor) -> Node | None:
        """The node that computes `tensor`; None for inputs and constants."""
        for node in self.nodes:
            if any(out is tensor for out in node.outputs):
                return node
        return None

    def consumers(self, tensor: Tensor) -> list[Node]:
        """The nodes that read `tensor`, in order."""
        return [node for node in self.nodes if any(t is tensor for t in node.inputs)]

    def is_output(self, tensor: Tensor) -> bool:
        return any(out is tensor for out in self.outputs)

    def sole_consumer(self, tensor: Tensor) -> Node | None:
        """The one node that reads `tensor`; None if several do or it leaves the graph."""
        users = self.consumers(tensor)
        return users[0] if len(users) == 1 and not self.is_output(tensor) else None

    def tensors(self) -> list[Tensor]:
        """All tensors: inputs first, then in order of first use."""
        seen: dict[int, Tensor] = {id(t): t for t in self.inputs}
        for node in self.nodes:
            for tensor in (*node.inputs, *node.outputs):
                seen.setdefault(id(tensor), tensor)
        for tensor in self.outputs:
            seen.setdefault(id(tensor), tensor)
        return list(seen.values())

    def fresh_name(self, stem: str) -> str:
        """A tensor name that is not taken: `stem`, or `stem_1`, `stem_2`, ..."""
        taken = {tensor.name for tensor in self.tensors()}
        if stem not in taken:
            return stem
        index = 1
        while f"{stem}_{index}" in taken:
            index += 1
        return f"{stem}_{index}"

    def copy(self) -> Graph:
        """A graph of new nodes and tensors; the data of constants is shared, never written to."""
        copies: dict[int, Tensor] = {}

        def twin(tensor: Tensor) -> Tensor:
            return copies.setdefault(id(tensor), replace(tensor))

        return Graph(
            [twin(tensor) for tensor in self.inputs],
            [twin(tensor) for tensor in self.outputs],
            [
                Node(
                    node.op,
                    [twin(t) for t in node.inputs],
                    [twin(t) for t in node.outputs],
                    node.source,
                )
                for node in self.nodes
            ],
            self.name,
        )

    # -- changing ------------------------------------------------------------------------------
    def add(
        self,
        op: Operator,
        inputs: Sequence[Tensor],
        *,
        name: str,
        source: Source | None = None,
        before: Node | None = None,
        dtype: str | None = None,
    ) -> Tensor:
        """Append `op` (or insert it ahead of `before`); infers the shape; returns the output."""
        shape = op.infer_shape(*[tensor.shape for tensor in inputs])
        out = Tensor(self.fresh_name(name), shape, dtype or inputs[0].dtype)
        node = Node(op, list(inputs), [out], source or Source())
        if before is None:
            self.nodes.append(node)
        else:
            self.nodes.insert(self.index(before), node)
        return out

    def index(self, node: Node) -> int:
        for position, candidate in enumerate(self.nodes):
            if candidate is node:
                return position
        raise GraphError(f"node {node.op} is not in graph {self.name!r}")

    def remove(self, nodes: Iterable[Node]) -> None:
        gone = {id(node) for node in nodes}
        self.nodes = [node for node in self.nodes if id(node) not in gone]

    def replace_uses(self, old: Tensor, new: Tensor) -> None:
        """Let every reader of `old` (graph outputs included) read `new`."""
        for node in self.nodes:
            node.inputs = [new if tensor is old else tensor for tensor in node.inputs]
        self.outputs = [new if tensor is old else tensor for tensor in self.outputs]

    def remove_dead(self) -> bool:
        """Drop nodes whose outputs nobody reads. True if anything was dropped."""
        live = {id(tensor) for tensor in self.outputs}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if any(id(out) in live for out in node.outputs):
                kept.append(node)
                live.update(id(tensor) for tensor in node.inputs)
        changed = len(kept) != len(self.nodes)
        self.nodes = kept[::-1]
        return changed

    # -- meaning -------------------------------------------------------------------------------
    def validate(self) -> None:
        """Raise GraphError unless order, shapes and names are consistent."""
        known = {id(tensor) for tensor in self.inputs}
        names: dict[str, Tensor] = {}
        for node in self.nodes:
            for tensor in node.inputs:
                if not tensor.is_constant and id(tensor) not in known:
                    raise GraphError(f"{node.op} reads {tensor.name!r} before it is computed")
            inferred = node.op.infer_shape(*[tensor.shape for tensor in node.inputs])
            if inferred != node.output.shape:
                raise GraphError(
                    f"{node.op} yields shape {inferred}, but {node.output.name!r} says "
                    f"{node.output.shape}"
                )
            known.update(id(out) for out in node.outputs)
        for tensor in self.tensors():
            if names.setdefault(tensor.name, tensor) is not tensor:
                raise GraphError(f"two tensors are called {tensor.name!r}")
            if tensor.data is not None and tensor.data.shape != tensor.shape:
                raise GraphError(
                    f"constant {tensor.name!r}: shape {tensor.shape}, data {tensor.data.shape}"
                )
        for tensor in self.outputs:
            if id(tensor) not in known and not tensor.is_constant:
                raise GraphError(f"output {tensor.name!r} is never computed")

    def evaluate(
        self,
        inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        dtype: str = "float64",
        carried: dict[str, Carried] | None = None,
    ) -> list[np.ndarray]:
        """Run the NumPy meaning of every node; floats are computed in `dtype`.

        Returns the output arrays in order. Shapes must match the graph's (batch 1). `carried`
        takes the memory of a stream from call to call: empty at first, written by each.
        """
        values = self.trace(inputs, dtype, carried)
        return [values[tensor.name] for tensor in self.outputs]

    def trace(
        self,
        inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        dtype: str = "float64",
        carried: dict[str, Carried] | None = None,
    ) -> dict[str, np.ndarray]:
        """As `evaluate`, but return every tensor that is not constant, by name."""
        given = (
            [inputs[tensor.name] for tensor in self.inputs]
            if isinstance(inputs, Mapping)
            else list(inputs)
        )
        if len(given) != len(self.inputs):
            raise InputError(f"{len(self.inputs)} inputs expected, got {len(given)}")
        values: dict[str, np.ndarray] = {}
        for tensor, array in zip(self.inputs, given, strict=True):
            if tuple(array.shape) != tensor.shape:
                raise InputError(
                    f"input {tensor.name!r} has shape {tuple(array.shape)}, "
                    f"the graph expects {tensor.shape}"
                )
            values[tensor.name] = _as_compute(np.asarray(array), dtype)

        def value(tensor: Tensor) -> np.ndarray:
            if tensor.data is not None:
                return _as_compute(tensor.data, dtype)
            return values[tensor.name]

        for node in self.nodes:
            arrays = [value(t) for t in node.inputs]
            memory = None if carried is None else carried.setdefault(node.output.name, {})
            values[node.output.name] = evaluate_node(node, arrays, dtype, memory)
        for tensor in self.outputs:
            values.setdefault(tensor.name, value(tensor))
        return values


def _as_compute(array: np.ndarray, dtype: str) -> np.ndarray:
    return array.astype(dtype) if np.issubdtype(array.dtype, np.floating) else array
