"""Put one mixer in the place of a loop and what was absorbed with it, after comparing the two."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from scanlet.errors import RecognitionError
from scanlet.frontend.dialects.base import ARGUMENTS, CanonicalMixer
from scanlet.frontend.program import Program, run_region
from scanlet.frontend.recognition import TOLERANCE
from scanlet.frontend.reroll.absorption import Absorbed
from scanlet.frontend.reroll.readout import Readout
from scanlet.nn.functional import mamba_mixer

#: Scales of the random inputs: larger ones reach larger step sizes.
SCALES = (1.0, 4.0)


@dataclass
class Entry:
    """The node that a mixer reads: (1, L, d_model) reshaped, or with the last two axes swapped."""

    node: fx.Node
    transposed: bool


@dataclass
class Replacement:
    """A loop to be replaced: what it reads, what it makes, and as what."""

    mixer: CanonicalMixer
    absorbed: Absorbed
    readout: Readout
    entry: Entry
    result: fx.Node

    @property
    def length(self) -> int:
        return len(self.absorbed.order)

    @property
    def backward(self) -> bool:
        """Whether the loop walks the sequence from its end."""
        return self.length > 1 and int(self.absorbed.order[0]) > 0

    @property
    def last_only(self) -> bool:
        return len(self.readout.steps) == 1 < self.length

    @property
    def turned(self) -> bool:
        """Whether the results come in the reverse order of the steps."""
        return len(self.readout.steps) > 1 and int(self.readout.steps[0]) > 0

    def fits(self) -> bool:
        """Whether the results are all steps in either order, or the last one."""
        steps, order = self.readout.steps, torch.arange(self.length)
        if len(steps) == 1:
            return int(steps[0]) == self.length - 1
        return torch.equal(steps, order) or torch.equal(steps, order.flip(0))


def verify(replacement: Replacement, program: Program, env: Mapping[fx.Node, Any]) -> float:
    """Compare the loop with the mixer on random input; the largest relative deviation.

    Raises RecognitionError past TOLERANCE.
    """
    entry, result = replacement.entry, replacement.result
    behind = {entry.node}
    region: list[fx.Node] = []
    for node in program.graph.nodes:
        if any(source in behind for source in node.all_input_nodes):
            behind.add(node)
            if node.op == "call_function":
                region.append(node)
        if node is result:
            break
    inside = set(region)
    known = {node: value for node, value in env.items() if node not in inside}
    generator = torch.Generator().manual_seed(0)
    parameters = {
        name: None if value is None else value.float()
        for name, value in replacement.mixer.parameters.items()
    }
    worst = 0.0
    shape = (1, replacement.length, replacement.mixer.d_model)
    for scale in SCALES:
        x = scale * torch.randn(shape, generator=generator)
        known[entry.node] = _entering(x, entry, tuple(env[entry.node].shape))
        with torch.no_grad():
            got = run_region(region, known, result, program.module)
            flipped = x.flip(1) if replacement.backward else x
            want = _leaving(mamba_mixer(flipped, **parameters), replacement)  # type: ignore[arg-type]
        largest = max(float(got.abs().max()), 1e-12)
        deviation = float((got - want).abs().max()) / largest
        worst = max(worst, deviation)
        if math.isnan(deviation) or deviation > TOLERANCE:
            raise RecognitionError(
                f"a loop of {replacement.length} steps looks like a selective scan, but computes "
                f"something else: it deviates by {deviation:.2%} of the largest output (random "
                f"input, {TOLERANCE:.2%} is accepted)",
                where=replacement.mixer.path or "the model itself",
                hint="all steps must do the same, from a state of zeros",
            )
    return worst


def _entering(x: Tensor, entry: Entry, shape: tuple[int, ...]) -> Tensor:
    return (x.transpose(1, 2) if entry.transposed else x).reshape(shape)


def _leaving(y: Tensor, replacement: Replacement) -> Tensor:
    readout = replacement.readout
    y = y.flip(1) if replacement.turned else y
    y = y[:, -1:] if replacement.last_only else y
    return (y.transpose(1, 2) if readout.transposed else y).reshape(readout.shape)


def splice(replacement: Replacement, program: Program, env: dict[fx.Node, Any]) -> None:
    """Replace the loop by one node; what nothing reads any more is erased."""
    graph, result, readout = program.graph, replacement.result, replacement.readout
    aten = torch.ops.aten
    weights: list[fx.Node | None] = []
    with graph.inserting_before(next(iter(graph.nodes))):
        for argument in ARGUMENTS:
            tensor = replacement.mixer.parameters.get(argument)
            if tensor is None:
                weights.append(None)
                continue
            node = graph.placeholder(f"rerolled_{argument}")
            program.constants[node.name] = (replacement.mixer.names[argument], tensor)
            env[node] = tensor.float()
            weights.append(node)
    meta = {
        "nn_module_stack": result.meta.get("nn_module_stack") or {},
        "stack_trace": result.meta.get("stack_trace", ""),
    }

    def call(target: Any, *args: Any) -> fx.Node:
        with graph.inserting_before(result):
            node = graph.call_function(target, args)
        node.meta = dict(meta)
        with torch.no_grad():
            env[node] = target(*fx.node.map_arg(args, lambda n: env[n]))
        return node

    x = replacement.entry.node
    sequence = (1, replacement.length, replacement.mixer.d_model)
    if replacement.entry.transposed:
        rank = env[x].ndim
        x = call(aten.transpose.int, x, rank - 2, rank - 1)
    if tuple(env[x].shape) != sequence:
        x = call(aten.reshape.default, x, list(sequence))
    if replacement.backward:
        x = call(aten.flip.default, x, [1])
    y = call(torch.ops.scanlet.selective_ssm.default, x, *weights, None)
    if replacement.turned:
        y = call(aten.flip.default, y, [1])
    if replacement.last_only:
        y = call(aten.slice.Tensor, y, 1, replacement.length - 1, replacement.length)
    if readout.transposed:
        y = call(aten.transpose.int, y, 1, 2)
    if tuple(env[y].shape) != readout.shape:
        y = call(aten.reshape.default, y, list(readout.shape))
    result.replace_all_uses_with(y)
    erase_dead(program)


def erase_dead(program: Program) -> None:
    """Erase calls that nothing reads; placeholders stay."""
    for node in reversed(list(program.graph.nodes)):
        if node.op in ("call_function", "get_attr") and not node.users:
            program.graph.erase_node(node)
