"""Every loop over time in a captured program becomes one node."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, fx

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer
from scanlet.frontend.program import Program, changes_in_place, is_assertion
from scanlet.frontend.recognition import MixerRecord, record
from scanlet.frontend.reroll import (
    absorption,
    bare,
    chain,
    higher_order,
    parallel,
    readout,
    recurrence,
)
from scanlet.frontend.reroll.absorption import Absorbed, NotAbsorbedError
from scanlet.frontend.reroll.bare import BareScan
from scanlet.frontend.reroll.chain import Chain
from scanlet.frontend.reroll.entering import entry
from scanlet.frontend.reroll.evaluation import Evaluator
from scanlet.frontend.reroll.operators import short_name
from scanlet.frontend.reroll.picture import draw
from scanlet.frontend.reroll.readout import Readout
from scanlet.frontend.reroll.recurrence import NotSelectiveError, Recurrence
from scanlet.frontend.reroll.splicing import Replacement, erase_dead, splice, verify
from scanlet.frontend.reroll.terms import NotExpressibleError
from scanlet.frontend.source import origin
from scanlet.progress import counted, step

#: Values behind the loop that are tried as the mixer's result, each a bottleneck of the program.
MOST_RESULTS = 24
#: A recurrence of fewer steps that is no scan is left to the lowering of ordinary operators.
FEWEST_STEPS = 4


def reroll(
    program: Program, inputs: tuple[Tensor, ...], *, verified: bool = True
) -> list[MixerRecord]:
    """Replace loops over time in `program` by `scanlet::selective_ssm` nodes, in place;
    a scan whose surroundings are no mixer's, by a `scanlet::selective_scan` node.

    Returns a record of each mixer, in the order of the program. Raises UnsupportedModelError with
    a picture of the step for a recurrence that is no selective scan, or a scan that can be neither;
    RecognitionError if a rolled loop deviates from the original.
    """
    step("looking for loops over time")
    for node in list(program.graph.nodes):
        if is_assertion(node) and not node.users:
            program.graph.erase_node(node)
    _share(program)
    erase_dead(program)
    with torch.no_grad():
        env = program.trace(*inputs)
    higher_order.write_out(program, env)
    parallel.write_out(program, env)
    erase_dead(program)
    records: list[MixerRecord] = []
    for loop in counted(_loops(program, env), "rolling up loops over time"):
        try:
            replacement = _recognise(loop, program, env)
        except UnsupportedModelError:
            if len(loop.states) < FEWEST_STEPS:
                continue
            raise
        if isinstance(replacement, BareScan):
            measured = bare.verify(replacement, program) if verified else None
            bare.splice(replacement, program, env)
            records.append(bare.record(replacement, measured))
            continue
        deviation = verify(replacement, program, env) if verified else None
        splice(replacement, program, env)
        records.append(record(replacement.mixer, deviation))
    return records


def _share(program: Program) -> None:
    """One node for calls of the same operator on the same arguments, as loops repeat them."""
    known: dict[Any, fx.Node] = {}
    for node in list(program.graph.nodes):
        if node.op != "call_function" or changes_in_place(node):
            continue
        key = (node.target, repr((node.args, sorted(node.kwargs.items()))))
        first = known.setdefault(key, node)
        if first is not node:
            node.replace_all_uses_with(first)
            program.graph.erase_node(node)


def _loops(program: Program, env: dict[fx.Node, Any]) -> list[Chain]:
    """The recurrences over time, first to last: a loop then reads loops that are one node."""
    skip: set[fx.Node] = set()
    loops: list[Chain] = []
    while (loop := chain.find(program, env, skip)) is not None:
        skip |= chain.members(loop, program)
        if not _accumulates(loop):
            loops.append(loop)
    return loops[::-1]


def _accumulates(loop: Chain) -> bool:
    """A running sum: the old state is one side of an addition and nothing else."""
    last, before = loop.states[-1], loop.states[-2]
    return short_name(last) == "add" and before in last.args and len(loop.step.carried) == 1


def _recognise(loop: Chain, program: Program, env: dict[fx.Node, Any]) -> Replacement | BareScan:
    path = _path(loop)
    where = path or "the model itself"
    if len(loop.step.carried) > 1:
        raise UnsupportedModelError(
            f"a recurrence that is no selective scan: it carries {len(loop.step.carried)} values "
            f"from step to step\n{draw(loop, program)}",
            where=where,
            hint=HINT,
        )
    evaluator = Evaluator(program, env)
    states = list(loop.states)
    if loop.initial is not None:
        value = evaluator.constant(loop.initial)
        if value is None:
            states.insert(0, loop.initial)  # the first step adds to nothing
        elif not isinstance(value, Tensor) or bool(value.any()):
            raise UnsupportedModelError(
                f"a recurrence that does not start from zeros\n{draw(loop, program)}",
                where=where,
                hint="start the scan from a state of zeros",
            )
    evaluator.cut_at(states)
    assert evaluator.state_atom is not None
    try:
        evaluator.run_to(states[-1])
        updates = [evaluator.update(state) for state in states]
        scan = recurrence.recognise(updates, evaluator.state_atom, evaluator.joiner)
    except (NotSelectiveError, NotExpressibleError) as error:
        raise UnsupportedModelError(
            f"a recurrence that is no selective scan: {error}\n{draw(loop, program)}",
            where=where,
            hint=HINT,
        ) from None
    return _surroundings(loop, states, scan, evaluator, path)


HINT = (
    "a selective scan is h = exp(delta[t] * A) * h + delta[t] * B[t] * u[t], y[t] = C[t] h "
    "(+ D u[t]); use scanlet.nn.MambaMixer, or keep other recurrences off the device"
)


def _surroundings(
    loop: Chain, states: list[fx.Node], scan: Recurrence, evaluator: Evaluator, path: str
) -> Replacement | BareScan:
    """The largest mixer around the scan: the last bottleneck behind it that can be its result.

    Without one, the scan alone.
    """
    found: list[tuple[fx.Node, Readout]] = []
    reason: str | None = None
    for node in _bottlenecks(evaluator.program, states):
        try:
            evaluator.run_to(node)
            value = evaluator(node)
            found.append((node, readout.recognise(value, scan)))
        except (NotSelectiveError, NotExpressibleError) as error:
            reason = reason or str(error)
    why: str | None = None
    for node, out in reversed(found):
        try:
            absorbed = absorption.absorb(scan, out)
            mixer = CanonicalMixer(path, "loop", absorbed.parameters, _names(absorbed, path))
            source = entry(absorbed.source, node, evaluator)
            replacement = Replacement(mixer, absorbed, out, source, node)
            if not replacement.fits():
                raise NotAbsorbedError("the results are neither all steps in order nor the last")
            return replacement
        except NotAbsorbedError as error:
            why = why or str(error)
    if found:
        try:
            return bare.write(scan, found, evaluator, path, why)
        except NotAbsorbedError as error:
            why = f"{why}; nor can it stand alone: {error}" if why != str(error) else why
    picture = draw(loop, evaluator.program)
    if not found:
        why = reason or "its states are used in more than one place, or returned"
    raise UnsupportedModelError(
        "a selective scan, but what surrounds it is no Mamba-1 mixer "
        f"(d_inner {scan.d_inner}, d_state {scan.d_state}): {why}\n{picture}",
        where=path or "the model itself",
        hint="a mixer is in_proj -> causal depthwise convolution -> SiLU -> u; dt, B, C projected "
        "from u; delta = softplus(dt_proj(dt)); y = C h + D u; y * silu(z) -> out_proj",
    )


def _names(absorbed: Absorbed, path: str) -> dict[str, str]:
    prefix = f"{path}." if path else ""
    return {k: f"{prefix}{k}" for k, v in absorbed.parameters.items() if v is not None}


def _path(loop: Chain) -> str:
    """The module that holds the loop, as far as the program says."""
    first, last = (origin(node).module.split(".") for node in (loop.states[0], loop.states[-1]))
    common = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return ".".join(part for part, _ in common)


def _bottlenecks(program: Program, states: list[fx.Node]) -> list[fx.Node]:
    """Nodes through which everything passes that the states have an influence on."""
    position = {node: i for i, node in enumerate(program.graph.nodes)}
    after = set(states)
    reach = max(position[user] for state in states for user in state.users) if states else 0
    found: list[fx.Node] = []
    for node in program.graph.nodes:
        if node not in after and not any(source in after for source in node.all_input_nodes):
            continue
        if node.op == "output" or len(found) == MOST_RESULTS:
            break
        after.add(node)
        if position[node] >= reach and node not in states:
            found.append(node)
        reach = max([reach, *(position[user] for user in node.users)])
    return found
