"""What TFLite Micro's kernels compute in integers, and which nodes therefore stay in float.

Holds for the reference kernels of the host interpreter and for the kernels of the device library
(esp-nn's included); `scanlet.emit.operator_table` names the same types, a test compares both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scanlet.errors import InputError
from scanlet.graph import Graph, Node
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Gather,
    Linear,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    SelectiveScan,
    SelectiveSSM,
    Softmax,
    StreamHistory,
    StreamPool,
    StridedSlice,
    Transpose,
    Unary,
)

INTEGER_BINARY = frozenset({"add", "sub", "mul", "maximum", "minimum"})
INTEGER_UNARY = frozenset({"relu", "relu6", "tanh", "sigmoid", "abs"})
ALWAYS = (
    *(Pool1d, Reshape, Transpose, StridedSlice, Concatenate, Pad),
    *(SelectiveSSM, StreamPool, StreamHistory),
)
#: Cheap operators, which may join the float operators around them.
LIGHT = (Binary, Unary, Reduce, Reshape, Transpose, StridedSlice)
#: Means and sums are accumulated in int32.
MAX_SUMMED = {"int8": 1 << 23, "int16": (1 << 16) - 1}
MAX_CONV_RANK = 4
#: Products of int8 in an int32 sum that leave room for the bias.
MAX_DEPTH = 1 << 15
#: TFLite's softmax aborts where a sum of exponentials exceeds this many ones.
MAX_SOFTMAX = {"int8": 511, "int16": (1 << 16) - 1}
#: Reasons that follow from another one of the same island.
PART_OF_FLOAT, AMONG_FLOATS = (
    "part of an operator that runs in float",
    "among operators that run in float",
)


@dataclass(frozen=True)
class Island:
    """Operators that run in float between Dequantize and Quantize.

    `nodes` are the names of their outputs, `modules` where they come from in the PyTorch model,
    `reasons` why (each once, without those that follow from another one).
    """

    nodes: tuple[str, ...]
    modules: tuple[str, ...]
    reasons: tuple[str, ...]


def integer_problem(node: Node, dtype: str) -> str | None:
    """Why no kernel computes `node` with activations of `dtype`; None where one does."""
    op = node.op
    match op:
        case SelectiveSSM(inner_norm=str()):
            return "norms on dt, B and C have no integer kernel"
        case Linear() | Conv1d():
            if any(tensor.data is None for tensor in node.inputs[1:]):
                return "its weights are not constant"
            rank, depth = len(node.output.shape), math.prod(node.inputs[1].shape[1:])
            if dtype == "int8" and depth > MAX_DEPTH:
                return f"sums of {depth} products"
            if isinstance(op, Linear) and dtype == "int16" and not 2 <= rank <= MAX_CONV_RANK:
                return f"no int16 kernel for rank {rank}"
            return None
        case Binary(kind):
            return None if kind in INTEGER_BINARY else f"{kind} has no integer kernel"
        case Unary(kind):
            return None if kind in INTEGER_UNARY else f"{kind} has no integer kernel"
        case Reduce(kind, axes):
            summed = math.prod(node.inputs[0].shape[axis] for axis in axes)
            if kind in ("mean", "sum"):
                return None if summed <= MAX_SUMMED[dtype] else f"a sum over {summed} elements"
            return None if dtype == "int8" else f"{kind} has no int16 kernel"
        case Softmax():
            width = node.output.shape[-1]
            return None if width <= MAX_SOFTMAX[dtype] else f"softmax over {width} elements"
        case Gather():
            if dtype == "int16" and node.inputs[0].data is None:
                return "gather has no int16 kernel"
            return None
    return None if isinstance(op, ALWAYS) else f"{type(op).__name__} has no integer kernel"


def is_real(node: Node) -> bool:
    """Whether a node computes real numbers; others (on tokens) are left as they are."""
    return node.output.dtype == "float32"


def float_nodes(graph: Graph, dtype: str, float_modules: Sequence[str] = ()) -> dict[int, str]:
    """The nodes, by id, that run in float, and why.

    Those that no kernel computes; those of `float_modules` (module paths; what is inside counts);
    and what lies among them: a norm's other operators, pointwise operators between two of them or
    behind one with nothing else to read. Raises InputError for a module that owns no node.
    """
    floats: dict[int, str] = {}
    for module in float_modules:
        inside = nodes_of(graph, module)
        if not inside:
            raise InputError(
                f"float_modules names {module!r}, but no operator of the compiled graph comes "
                "from it (it does not exist, or is merged with a neighbour)",
                hint="modules with operators: " + ", ".join(_modules(graph)),
            )
        floats |= {id(node): f"float_modules names {module!r}" for node in inside}
    for node in graph.nodes:
        problem = integer_problem(node, dtype) if is_real(node) else None
        if problem:
            floats.setdefault(id(node), problem)
    # The streams of a scan share no scale: they are put side by side in float.
    scanned = [node.inputs[0] for node in graph.nodes if isinstance(node.op, SelectiveScan)]
    for node in graph.nodes:
        if isinstance(node.op, Concatenate) and any(node.output is tensor for tensor in scanned):
            floats.setdefault(id(node), PART_OF_FLOAT)
    while _join_same_source(graph, floats):
        pass
    while _join(graph, floats):
        pass
    return floats


def nodes_of(graph: Graph, module: str) -> list[Node]:
    """The operators on real numbers that come from a module or from what is inside it."""
    return [node for node in graph.nodes if is_real(node) and _is_in(node, module)]


def islands(graph: Graph, floats: dict[int, str]) -> tuple[Island, ...]:
    """The float nodes as connected groups, in order."""
    groups: list[list[Node]] = []
    for node in graph.nodes:
        if id(node) not in floats:
            continue
        touching = [
            group
            for group in groups
            if any(tensor is other.output for other in group for tensor in node.inputs)
        ]
        merged = [other for group in touching for other in group] + [node]
        groups = [group for group in groups if group not in touching] + [merged]
    return tuple(
        Island(
            tuple(node.output.name for node in group),
            tuple(dict.fromkeys(node.source.module for node in group if node.source.module)),
            tuple(_reasons(floats[id(node)] for node in group)),
        )
        for group in groups
    )


def _reasons(found: Iterable[str]) -> list[str]:
    reasons = list(dict.fromkeys(found))
    primary = [reason for reason in reasons if reason not in (PART_OF_FLOAT, AMONG_FLOATS)]
    return primary or reasons


def _is_in(node: Node, module: str) -> bool:
    return node.source.module == module or node.source.module.startswith(f"{module}.")


def _modules(graph: Graph) -> list[str]:
    return sorted({node.source.module for node in graph.nodes if node.source.module})


def _join_same_source(graph: Graph, floats: dict[int, str]) -> bool:
    """Let the neighbours of float nodes join that come from the same place: norms and activations
    that passes took apart. True if any did."""
    touched: dict[int, set[tuple[str, str]]] = {}
    for node in graph.nodes:
        if id(node) in floats:
            for tensor in (*node.inputs, node.output):
                source = (node.source.module, node.source.location)
                touched.setdefault(id(tensor), set()).add(source)
    joined = [
        node
        for node in graph.nodes
        if id(node) not in floats
        and isinstance(node.op, (Binary, Unary, Reduce))
        and is_real(node)
        and (source := (node.source.module, node.source.location)) != ("", "")
        and any(source in touched.get(id(t), ()) for t in (*node.inputs, node.output))
    ]
    floats.update({id(node): PART_OF_FLOAT for node in joined})
    return bool(joined)


def _join(graph: Graph, floats: dict[int, str]) -> bool:
    """Let light operators join the float nodes around them, one step. True if any did."""
    made = {id(node.output) for node in graph.nodes if id(node) in floats}
    read = {id(t) for node in graph.nodes if id(node) in floats for t in node.inputs}
    behind: set[int] = set(made)  # tensors that come from float nodes by light operators
    for node in graph.nodes:
        if isinstance(node.op, LIGHT) and any(id(t) in behind for t in node.inputs):
            behind.add(id(node.output))
    ahead: set[int] = set(read)  # tensors that lead to float nodes by light operators
    for node in reversed(graph.nodes):
        if isinstance(node.op, LIGHT) and id(node.output) in ahead:
            ahead.update(id(t) for t in node.inputs)
    changed = False
    for node in graph.nodes:
        if id(node) in floats or not isinstance(node.op, LIGHT) or not is_real(node):
            continue
        between = any(id(t) in behind for t in node.inputs) and id(node.output) in ahead
        operands = [t for t in node.inputs if t.data is None]
        follows = (
            isinstance(node.op, Binary)
            and any(id(t) in made for t in operands)
            and all(id(t) in made or id(t) in read for t in operands)
        )
        if between or follows:
            floats[id(node)] = AMONG_FLOATS
            changed = True
    return changed
