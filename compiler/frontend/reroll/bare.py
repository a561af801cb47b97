"""A selective scan whose surroundings are no mixer's: one node for the scan alone.

Its four streams are values of the program where there are such, or become some.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

import scanlet.frontend.scan_operator  # noqa: F401  (registers the operator)
from scanlet.errors import RecognitionError
from scanlet.frontend.program import Program, execute
from scanlet.frontend.recognition import TOLERANCE, MixerRecord
from scanlet.frontend.reroll.absorption import NotAbsorbedError
from scanlet.frontend.reroll.evaluation import Evaluator
from scanlet.frontend.reroll.expression import on_arrays
from scanlet.frontend.reroll.readout import Readout
from scanlet.frontend.reroll.recurrence import Recurrence
from scanlet.frontend.reroll.splicing import SCALES, erase_dead
from scanlet.frontend.reroll.terms import Apply, Poly
from scanlet.frontend.reroll.writing import Writer

aten = torch.ops.aten
SCAN = torch.ops.scanlet.selective_scan.default
#: Functions that are nowhere negative.
NOT_NEGATIVE = frozenset(["softplus", "exp", "relu", "sigmoid", "abs", "sqrt"])


@dataclass
class BareScan:
    """A loop to be replaced: its result, and the node that is to stand in its place.

    `near_miss`: what differs from a mixer, where there is a gate as in one.
    """

    path: str
    scan: Recurrence
    result: fx.Node
    scanned: fx.Node
    env: dict[fx.Node, Any]
    near_miss: str | None = None


def write(
    scan: Recurrence,
    found: Sequence[tuple[fx.Node, Readout]],
    evaluator: Evaluator,
    path: str,
    why: str | None,
) -> BareScan:
    """Add the scan to the program, beside the loop; `why` it is no mixer. Raises NotAbsorbedError.

    A gate behind the scan is what tells a mixer that was almost recognised from a scan that was
    meant to be one.
    """
    if not bool((scan.A <= 0).all()):
        raise NotAbsorbedError("A has positive values: the state would grow without bound")
    if not _not_negative(scan.delta):
        raise NotAbsorbedError("delta may be negative: it is not softplus of anything")
    result, readout = _choice(found, scan.steps)
    writer = Writer(evaluator, result, f"{path}." if path else "")
    try:
        scanned = _write(scan, readout, writer)
    except NotAbsorbedError:
        writer.withdraw()
        raise
    gated = any(each.gate is not None for _, each in found)
    return BareScan(path, scan, result, scanned, writer.env, why if gated else None)


def _choice(found: Sequence[tuple[fx.Node, Readout]], steps: int) -> tuple[fx.Node, Readout]:
    """The last result that is the scan alone, or the first with a gate or a projection."""
    order = torch.arange(steps)
    whole = [
        (node, readout)
        for node, readout in found
        if torch.equal(readout.steps, order) or torch.equal(readout.steps, order.flip(0))
    ]
    if not whole:
        raise NotAbsorbedError("its results are not those of all steps in order")
    alone = [each for each in whole if each[1].gate is None and each[1].weight is None]
    return alone[-1] if alone else whole[0]


def _not_negative(poly: Poly) -> bool:
    return all(
        bool((torch.as_tensor(term.coef) >= 0).all())
        and all(isinstance(f, Apply) and f.name in NOT_NEGATIVE for f in term.factors)
        for term in poly.terms
    )


def _write(scan: Recurrence, readout: Readout, writer: Writer) -> fx.Node:
    turned = len(readout.steps) > 1 and int(readout.steps[0]) > 0
    c = on_arrays(readout.C, lambda array: array.flip(0)) if turned else readout.C
    streams = [writer.write(stream) for stream in (scan.u, scan.delta, scan.B, c)]
    x = writer.call(aten.cat.default, streams, 2)
    weights = [writer.constant(scan.A, "A"), writer.constant(readout.D, "D")]
    y = writer.call(SCAN, x, *weights)
    if turned:
        y = writer.call(aten.flip.default, y, [1])
    if readout.gate is not None:
        y = writer.call(aten.mul.Tensor, y, writer.write(readout.gate))
    if readout.weight is not None:
        y = writer.call(aten.linear.default, y, writer.constant(readout.weight))
    if readout.bias is not None:
        y = writer.call(aten.add.Tensor, y, writer.constant(readout.bias))
    if readout.transposed:
        y = writer.call(aten.transpose.int, y, 1, 2)
    if tuple(writer.env[y].shape) != readout.shape:
        y = writer.call(aten.reshape.default, y, list(readout.shape))
    return y


def verify(bare: BareScan, program: Program) -> float:
    """Compare the loop with the scan on random input; the largest relative deviation.

    Raises RecognitionError past TOLERANCE.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for scale in SCALES:
        values = _values(bare, program, scale, generator)
        want, got = values[bare.result], values[bare.scanned]
        deviation = float((got - want).abs().max()) / max(float(want.abs().max()), 1e-12)
        worst = max(worst, deviation)
        if math.isnan(deviation) or deviation > TOLERANCE:
            raise RecognitionError(
                f"a loop of {bare.scan.steps} steps looks like a selective scan, but computes "
                f"something else: it deviates by {deviation:.2%} of the largest output (random "
                f"input, {TOLERANCE:.2%} is accepted)",
                where=bare.path or "the model itself",
                hint="all steps must do the same, from a state of zeros",
            )
    return worst


def _values(
    bare: BareScan, program: Program, scale: float, generator: torch.Generator
) -> dict[fx.Node, Any]:
    """The values of all nodes up to the loop's result, on random input."""
    values: dict[fx.Node, Any] = {}
    with torch.no_grad():
        for node in program.graph.nodes:
            if node.op == "placeholder":
                known = values[node] = bare.env[node]
                if node.name in program.inputs and known.is_floating_point():
                    values[node] = scale * torch.randn(known.shape, generator=generator)
                continue
            values[node] = execute(node, values, program.module)
            if node is bare.result:
                break
    return values


def splice(bare: BareScan, program: Program, env: dict[fx.Node, Any]) -> None:
    """The scan takes the place of the loop; what nothing reads any more is erased."""
    env.update(bare.env)
    bare.result.replace_all_uses_with(bare.scanned)
    erase_dead(program)


def record(bare: BareScan, deviation: float | None) -> MixerRecord:
    """Of a scan alone: no convolution, no rank."""
    inner = bare.scan.d_inner
    shapes = (inner, inner, bare.scan.d_state, 0, 0)
    return MixerRecord(bare.path, "scan", *shapes, deviation, near_miss=bare.near_miss)
