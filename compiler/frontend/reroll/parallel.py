"""Parallel scans: h[t] = a[t] h[t-1] + b[t] as a tree of slices and products, written out in steps.

`associative_scan` exports as such a tree, and so do hand-written ones (Blelloch 1990, "Prefix sums
and their applications", section 1.4). What a region of slices, products and sums between a, b and
h computes is found by running it on random a and b; it is then replaced by the loop it stands for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from scanlet.frontend.program import Program, run_region
from scanlet.frontend.reroll.operators import LAYOUTS, SAME, short_name

#: What a tree is made of: moves of elements, products and sums.
PARTS = frozenset(
    {*LAYOUTS, *SAME, "mul", "add", "addcmul", "cat", "stack", "pad", "constant_pad_nd", "copy"}
    | {"slice_scatter", "select_scatter", "getitem", "squeeze", "index_put", "as_strided"}
)
#: Sums of so many terms in float64 agree to this, relative to the largest.
AGREEMENT = 1e-9
#: How many values are tried as what enters the state.
MOST_PARTNERS = 4


@dataclass
class _Tree:
    decay: fx.Node
    entering: fx.Node
    nodes: list[fx.Node]
    result: fx.Node
    axis: int
    backward: bool


def write_out(program: Program, env: dict[fx.Node, Any]) -> None:
    """Replace every parallel scan by its steps; `env` gains the values of the new nodes."""
    for node in list(program.graph.nodes):
        value = env.get(node)
        if short_name(node) != "exp" or not isinstance(value, Tensor) or value.ndim < 2:
            continue
        if not _sliced(node):
            continue
        for other in itertools.islice(_partners(node, env), MOST_PARTNERS):
            tree = _between(node, other, program, env)
            if tree is not None:
                _replace(tree, program, env)
                break


def _sliced(node: fx.Node) -> bool:
    """Whether several ranges of a value are read: trees read ranges, loops single steps."""
    while len(node.users) == 1 and short_name(next(iter(node.users))) in LAYOUTS:
        node = next(iter(node.users))
    names = [short_name(user) for user in node.users]
    return names.count("slice") > 1 and not {"select", "unbind"} & set(names)


def _part(node: fx.Node) -> bool:
    return node.op == "call_function" and (
        short_name(node) in PARTS or "getitem" in str(node.target)
    )


def _partners(decay: fx.Node, env: dict[fx.Node, Any]) -> Iterator[fx.Node]:
    """Values of the shape of `decay` that are combined with slices of it."""
    seen = {decay}
    queue = [decay]
    found: set[fx.Node] = set()
    while queue:
        for user in queue.pop().users:
            if user in seen or not _part(user):
                continue
            seen.add(user)
            queue.append(user)
            for other in user.all_input_nodes:
                root = _root(other, env, tuple(env[decay].shape))
                if root is not None and root not in found and root not in seen:
                    found.add(root)
                    yield root


def _root(node: fx.Node, env: dict[fx.Node, Any], shape: tuple[int, ...]) -> fx.Node | None:
    """Where a slice comes from: the nearest value of `shape` that is more than a view."""
    while True:
        value = env.get(node)
        moves = short_name(node) in LAYOUTS or short_name(node) in SAME
        if not moves or not node.all_input_nodes:
            fits = isinstance(value, Tensor) and tuple(value.shape) == shape
            return node if fits else None
        node = node.all_input_nodes[0]


def _between(
    decay: fx.Node, entering: fx.Node, program: Program, env: dict[fx.Node, Any]
) -> _Tree | None:
    """The region that only `decay` and `entering` go into, if it is their scan."""
    inside = {decay, entering}
    nodes: list[fx.Node] = []
    for node in program.graph.nodes:
        if node in inside or not _part(node):
            continue
        sources = node.all_input_nodes
        if sources and all(source in inside for source in sources):
            inside.add(node)
            nodes.append(node)
    shape = tuple(env[decay].shape)
    exits = [n for n in nodes if any(user not in inside for user in n.users)]
    if len(exits) != 1 or tuple(getattr(env[exits[0]], "shape", ())) != shape:
        return None
    if {decay, entering} - {source for node in nodes for source in node.all_input_nodes}:
        return None
    found = _direction(nodes, decay, entering, exits[0], program, shape)
    return None if found is None else _Tree(decay, entering, nodes, exits[0], *found)


def _direction(
    nodes: list[fx.Node],
    decay: fx.Node,
    entering: fx.Node,
    result: fx.Node,
    program: Program,
    shape: tuple[int, ...],
) -> tuple[int, bool] | None:
    """The axis of time and whether it runs backwards, if the region is a scan."""
    generator = torch.Generator().manual_seed(0)
    a = 0.2 + 0.7 * torch.rand(shape, generator=generator, dtype=torch.float64)
    b = torch.randn(shape, generator=generator, dtype=torch.float64)
    try:
        with torch.no_grad():
            got = run_region(nodes, {decay: a, entering: b}, result, program.module)
    except Exception:  # whatever an operator may raise: then it is no scan
        return None
    for axis in range(len(shape)):
        if shape[axis] < 2:
            continue
        for backward in (False, True):
            want = _scanned(a, b, axis, backward)
            if float((got - want).abs().max()) <= AGREEMENT * float(want.abs().max()):
                return axis, backward
    return None


def _order(length: int, backward: bool) -> list[int]:
    return list(range(length))[::-1] if backward else list(range(length))


def _scanned(a: Tensor, b: Tensor, axis: int, backward: bool) -> Tensor:
    h = torch.zeros_like(b.select(axis, 0))
    states: dict[int, Tensor] = {}
    for t in _order(a.shape[axis], backward):
        h = a.select(axis, t) * h + b.select(axis, t)
        states[t] = h
    return torch.stack([states[t] for t in range(a.shape[axis])], axis)


def _replace(tree: _Tree, program: Program, env: dict[fx.Node, Any]) -> None:
    graph, aten = program.graph, torch.ops.aten
    meta = {
        "nn_module_stack": tree.result.meta.get("nn_module_stack") or {},
        "stack_trace": tree.result.meta.get("stack_trace", ""),
    }

    def call(target: Any, *args: Any) -> fx.Node:
        with graph.inserting_before(tree.result):
            node = graph.call_function(target, args)
        node.meta = dict(meta)
        with torch.no_grad():
            env[node] = target(*fx.node.map_arg(args, lambda n: env[n]))
        return node

    length = int(env[tree.decay].shape[tree.axis])
    states: dict[int, fx.Node] = {}
    h: fx.Node | None = None
    for t in _order(length, tree.backward):
        entering = call(aten.select.int, tree.entering, tree.axis, t)
        if h is None:
            h = entering
        else:
            decay = call(aten.select.int, tree.decay, tree.axis, t)
            h = call(aten.add.Tensor, call(aten.mul.Tensor, decay, h), entering)
        states[t] = h
    stacked = call(aten.stack.default, [states[t] for t in range(length)], tree.axis)
    tree.result.replace_all_uses_with(stacked)
    for node in reversed(tree.nodes):
        if not node.users:
            graph.erase_node(node)
