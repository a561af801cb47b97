"""Many samples through a float graph at once: what `Graph.trace` does one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import (
    FLOAT_LAYERS,
    Binary,
    Carried,
    Conv1d,
    Linear,
    Pool1d,
    Reduce,
    Reshape,
    Softmax,
    StreamHistory,
    StreamPool,
    Unary,
)
from scanlet.graph.operators.selective_ssm import Observe

#: Called with each node, its inputs and its output, each (B, *the tensor's shape).
Visit = Callable[[Node, list[np.ndarray], np.ndarray], None]


class BatchedGraph:
    """Evaluates a float graph on batches of samples in `dtype`.

    Operators of stream mode carry their memory from call to call, until `reset`; the samples of
    successive calls then belong to the same streams.
    """

    def __init__(self, graph: Graph, observers: dict[str, Observe], dtype: str = "float32") -> None:
        """`observers` are shown the stages of the mixers, by the output's name."""
        self.graph, self.observers, self.dtype = graph, observers, dtype
        self._constants = {
            id(tensor): self._compute(tensor.data)
            for tensor in graph.tensors()
            if tensor.data is not None
        }
        self._carried: dict[int, Carried] = {}

    def reset(self) -> None:
        """Begin new streams."""
        self._carried = {}

    def run(self, inputs: Sequence[np.ndarray], visit: Visit) -> None:
        """Evaluate the nodes in order; each of `inputs` is (B, *the input's shape)."""
        values = {
            id(tensor): self._compute(array)
            for tensor, array in zip(self.graph.inputs, inputs, strict=True)
        }
        batch = len(inputs[0]) if len(inputs) else 1
        last_use = self._last_uses()
        for position, node in enumerate(self.graph.nodes):
            arrays = [
                values[id(t)] if t.data is None else self._constants[id(t)] for t in node.inputs
            ]
            output = self._evaluate(node, arrays, batch)
            visit(node, arrays, output)
            values[id(node.output)] = output
            for tensor in node.inputs:
                if last_use[id(tensor)] == position:
                    values.pop(id(tensor), None)

    def _evaluate(self, node: Node, arrays: list[np.ndarray], batch: int) -> np.ndarray:
        if isinstance(node.op, FLOAT_LAYERS):
            x, w = arrays[0][:, 0], node.op.named(arrays)
            carried = self._carried.setdefault(id(node), {}) if node.op.mode == "stream" else None
            return node.op.run(x, w, self.observers.get(node.output.name), carried)[:, np.newaxis]
        if isinstance(node.op, StreamPool | StreamHistory):
            return node.op.advance(self._carried.setdefault(id(node), {}), arrays[0][:, 0])[
                :, np.newaxis
            ]
        constant = [id(tensor) in self._constants for tensor in node.inputs]
        if _takes_batches(node):
            merged = [
                array if fixed else array[:, 0]
                for array, fixed in zip(arrays, constant, strict=True)
            ]
            if isinstance(node.op, Reshape):
                return merged[0].reshape(batch, *node.output.shape)
            return node.op.evaluate(*merged)[:, np.newaxis]
        each = [
            node.op.evaluate(
                *(a if fixed else a[i] for a, fixed in zip(arrays, constant, strict=True))
            )
            for i in range(batch)
        ]
        return np.stack(each)

    def _compute(self, array: np.ndarray) -> np.ndarray:
        return array.astype(self.dtype) if np.issubdtype(array.dtype, np.floating) else array

    def _last_uses(self) -> dict[int, int]:
        return {
            id(tensor): position
            for position, node in enumerate(self.graph.nodes)
            for tensor in node.inputs
        }


def _takes_batches(node: Node) -> bool:
    """Whether the operator's meaning holds with a batch in the place of the leading 1."""
    given = [tensor for tensor in node.inputs if tensor.data is None]
    shapes = [tensor.shape for tensor in (*given, node.output)]
    if not given or any(len(shape) < 2 or shape[0] != 1 for shape in shapes):
        return False
    match node.op:
        case Linear() | Conv1d() | Pool1d():
            return len(given) == 1 and given[0] is node.inputs[0]
        case Unary() | Softmax() | Reshape():
            return True
        case Reduce(_, axes):
            return 0 not in axes
        case Binary():
            ranks = {len(tensor.shape) for tensor in given} | {len(node.output.shape)}
            return len(ranks) == 1
    return False


def largest_tensor(graph: Graph) -> int:
    """Elements of the largest array that a sample needs."""

    def inside(tensor: Tensor, node: Node) -> int:
        if isinstance(node.op, FLOAT_LAYERS):
            return node.inputs[0].shape[1] * 2 * node.op.d_inner
        return tensor.size

    return max((inside(node.output, node) for node in graph.nodes), default=1)
