"""ExportedPrograms: open the file, find the mixers through the module stack, make each one node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from scanlet.errors import ModelFileError, UnsupportedModelError
from scanlet.frontend import recognition
from scanlet.frontend.dialects import AnyMixer
from scanlet.frontend.program import (
    Program,
    aliases,
    from_exported,
    is_assertion,
    needs_functional_form,
    run_region,
)
from scanlet.frontend.quiet import quiet
from scanlet.frontend.recognition import MixerRecord

HIERARCHY_HINT = (
    "export the original nn.Module with torch.export.export(model, inputs, strict=False), which "
    "keeps the module hierarchy, or pass the nn.Module itself"
)


def load(path: Path) -> ExportedProgram:
    """Open a .pt2. Raises ModelFileError if there is none, or it is damaged."""
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "no such file"
        raise ModelFileError(what, where=str(path), hint="write one with torch.export.save")
    try:
        with quiet():
            return torch.export.load(path)
    except Exception as error:  # torch and zipfile raise many kinds on damaged files
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(
            f"not a readable exported program: {first}",
            where=str(path),
            hint="the file is damaged, truncated or no .pt2; write it again with "
            "torch.export.save(torch.export.export(model, inputs), path)",
        ) from error


@dataclass
class Region:
    """The nodes of one call of a mixer, the value that enters it and the one that leaves."""

    mixer: AnyMixer
    nodes: list[fx.Node]
    source: fx.Node
    result: fx.Node


def to_program(
    exported: ExportedProgram,
    inputs: tuple[Tensor, ...],
    *,
    verify: bool,
    accept: float | None = None,
) -> tuple[Program, list[MixerRecord]]:
    """The program with every mixer as one node, and a record of each mixer."""
    named = {
        name: tensor
        for name, tensor in {**exported.state_dict, **exported.constants}.items()
        if isinstance(tensor, Tensor)
    }
    program = from_exported(exported)
    mixers = recognition.find_in_names(named, _modules(program), _epsilons(program))
    first_names = aliases(named)
    for mixer in mixers.values():  # after the check by name: shared mixers share constants
        for meaning in mixer.meanings:
            for direction in meaning.directions:
                names = direction.names
                names.update({argument: first_names[name] for argument, name in names.items()})
    inside = {id(node) for mixer in mixers.values() for node in _stacked(program, mixer.path)}
    if any(needs_functional_form(node) and id(node) not in inside for node in program.graph.nodes):
        program = from_exported(functional(exported))
    env = {}
    if mixers:
        with torch.no_grad():
            env = program.trace(*inputs)
    records: dict[tuple[str, ...], MixerRecord] = {}
    for mixer in mixers.values():
        deviations: list[float] = []
        calls = 0
        meant = mixer
        for region in _regions(program, mixer, env):  # the next is found after this one is gone
            if verify:
                meant, deviation = _verify(region, program, env, accept)
                deviations.append(deviation)
            _splice(replace(region, mixer=meant), program, env)
            calls += 1
        if calls:
            records.setdefault(
                tuple(mixer.parameter_names),
                recognition.record(meant, max(deviations) if verify else None),
            )
    return program, list(records.values())


def _modules(program: Program) -> tuple[str, ...]:
    """The paths of the modules that nodes say they come from."""
    stacks = (node.meta.get("nn_module_stack") or {} for node in program.graph.nodes)
    paths = (re.sub(r"@\d+", "", entry[0]) for stack in stacks for entry in stack.values())
    return tuple(dict.fromkeys(path for path in paths if path))


def _epsilons(program: Program) -> tuple[float, ...]:
    """What the program's RMS norms add to the mean square, ahead of the root."""
    found: dict[float, None] = {}
    for node in program.graph.nodes:
        name = str(node.target)
        if name.startswith("aten.rms_norm"):
            given = [x for x in node.args[3:4] if isinstance(x, float)]
            found[given[0] if given else float(torch.finfo(torch.float32).eps)] = None
        elif name.startswith(("aten.rsqrt", "aten.sqrt")):
            (ahead,) = node.all_input_nodes
            if "aten.add" in str(ahead.target):
                found |= {x: None for x in ahead.args if isinstance(x, float)}
    return tuple(found)


def check_nothing_left(program: Program) -> None:
    """Raise UnsupportedModelError for a mixer's parameters that are read outside a mixer's node."""
    for node in program.graph.nodes:
        path = program.constants.get(node.name, ("",))[0]
        if path.endswith("A_log") and any(
            not str(user.target).startswith("scanlet.") for user in node.users
        ):
            raise UnsupportedModelError(
                "the program has a mixer's parameters, but not their module hierarchy",
                where=path,
                hint=HIERARCHY_HINT,
            )


def functional(exported: ExportedProgram) -> ExportedProgram:
    """The same program without operators that change their inputs; nothing else is decomposed."""
    with quiet():
        return exported.run_decompositions({})


def _regions(program: Program, mixer: AnyMixer, env: dict[fx.Node, Any]) -> Iterator[Region]:
    calls: dict[tuple[str, ...], list[fx.Node]] = {}
    for node in _stacked(program, mixer.path):
        calls.setdefault(_call(node, mixer.path), []).append(node)
    for nodes in calls.values():
        members = set(nodes)
        computed = _computed(program)
        entering = [
            node
            for node in dict.fromkeys(i for node in nodes for i in node.all_input_nodes)
            if node not in members and node in computed and isinstance(env[node], Tensor)
        ]
        leaving = [
            node
            for node in nodes
            if node in computed
            and any(user not in members and not is_idle(user) for user in node.users)
        ]
        if len(entering) != 1 or len(leaving) != 1:
            raise _no_hierarchy(
                mixer, f"{len(entering)} values enter it and {len(leaving)} leave it"
            )
        yield Region(mixer, nodes, entering[0], leaving[0])


def _no_hierarchy(mixer: AnyMixer, found: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"cannot tell where the mixer begins and ends: {found}",
        where=mixer.path or "the model itself",
        hint=HIERARCHY_HINT,
    )


def _verify(
    region: Region, program: Program, env: dict[fx.Node, Any], accept: float | None
) -> tuple[AnyMixer, float]:
    shape = tuple(env[region.source].shape)
    if len(shape) != 3 or shape[2] != region.mixer.d_model:
        raise _no_hierarchy(region.mixer, f"a value of shape {shape} enters it")

    def original(x: Tensor) -> Any:
        members = set(region.nodes)
        known = {node: value for node, value in env.items() if node not in members}
        known[region.source] = x
        return run_region(region.nodes, known, region.result, program.module)

    return recognition.verify(region.mixer, original, [shape[1]], accept=accept)


def _splice(region: Region, program: Program, env: dict[fx.Node, Any]) -> None:
    graph = program.graph
    after = region.source
    if after.op == "placeholder":
        after = [node for node in graph.nodes if node.op == "placeholder"][-1]
    meta = {
        "nn_module_stack": _up_to(region.result, region.mixer.path),
        "stack_trace": region.result.meta.get("stack_trace", ""),
    }

    def call(target: Any, *args: Any) -> fx.Node:
        nonlocal after
        with graph.inserting_after(after):
            after = graph.call_function(target, args)
        after.meta = dict(meta)
        return after

    def flipped(x: fx.Node) -> fx.Node:
        return call(torch.ops.aten.flip.default, x, [1])

    def run(x: fx.Node, mixer: AnyMixer) -> fx.Node:
        weights = _placeholders(program, mixer)
        operator = getattr(torch.ops.scanlet, mixer.OPERATOR).default
        return call(operator, x, *weights, *mixer.settings)

    mixed = run(region.source, region.mixer)
    if region.mixer.backward is not None:
        other = flipped(run(flipped(region.source), region.mixer.backward))
        mixed = call(torch.ops.aten.add.Tensor, mixed, other)
    env[mixed] = env[region.result]  # the next mixer may read it
    region.result.replace_all_uses_with(mixed)
    for node in reversed(region.nodes):
        for user in list(node.users):
            if is_idle(user):  # an assertion about what nothing reads any more
                graph.erase_node(user)
        if not node.users:
            graph.erase_node(node)


def _placeholders(program: Program, mixer: AnyMixer) -> list[fx.Node | None]:
    """A placeholder for each argument that the mixer has."""
    placed: list[fx.Node | None] = []
    first = next(iter(program.graph.nodes))
    with program.graph.inserting_before(first):
        for argument in mixer.ARGUMENTS:
            tensor = mixer.parameters[argument]
            if tensor is None:
                placed.append(None)
                continue
            node = program.graph.placeholder(f"mixer_{argument}")
            program.constants[node.name] = (mixer.names[argument], tensor)
            placed.append(node)
    return placed


def _stacked(program: Program, path: str) -> list[fx.Node]:
    """The nodes that the program says were made inside the module at `path`."""
    return [
        node
        for node in program.graph.nodes
        if node.op not in ("placeholder", "output") and _call(node, path) and not is_idle(node)
    ]


def is_idle(node: fx.Node) -> bool:
    return is_assertion(node) and not node.users


def _call(node: fx.Node, path: str) -> tuple[str, ...]:
    """Keys of the module stack down to `path`: different from one call to the next."""
    return tuple(_up_to(node, path))


def _up_to(node: fx.Node, path: str) -> dict[str, Any]:
    stack: dict[str, Any] = {}
    for key, entry in (node.meta.get("nn_module_stack") or {}).items():
        stack[key] = entry
        if re.sub(r"@\d+", "", entry[0]) == path:
            return stack
    return {}


def _computed(program: Program) -> set[fx.Node]:
    """The nodes whose values depend on the inputs."""
    found: set[fx.Node] = set()
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name in program.inputs:
                found.add(node)
        elif any(source in found for source in node.all_input_nodes):
            found.add(node)
    return found
