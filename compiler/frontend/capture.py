"""The frontend's one public function: a PyTorch model becomes a graph."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from scanlet.errors import InputError, ScanletError, UnsupportedModelError
from scanlet.frontend import checks, exported, recognition
from scanlet.frontend.caches import without_caches
from scanlet.frontend.dialects import AnyMixer
from scanlet.frontend.lowering import lower
from scanlet.frontend.operator import OpaqueMixer
from scanlet.frontend.program import Program, from_exported, needs_functional_form
from scanlet.frontend.quiet import quiet
from scanlet.frontend.recognition import MixerRecord
from scanlet.frontend.reference import Reference, of_module
from scanlet.frontend.reroll import reroll
from scanlet.frontend.unfolding import unfold
from scanlet.graph import Graph
from scanlet.progress import step

#: Lengths at which a mixer is compared with the canonical form besides those it is used at.
OTHER_LENGTHS = (1, 2, 7)


@dataclass
class Capture:
    """A captured model.

    `graph`: float32, batch dimension 1, one SelectiveSSM node a call of a mixer.
    `mixers`: what was recognised, and how exactly it matched.
    `reference`: the original PyTorch model, called with one array an input (batch 1), returning
    a list of arrays. `reference64`: the same in float64 throughout, on a copy. Where a mixer's
    deviation had to be accepted, both compute the true recurrence in its place, and `original`
    is the model as it was given; None otherwise.
    """

    graph: Graph
    mixers: tuple[MixerRecord, ...]
    reference: Callable[..., list[np.ndarray]]
    reference64: Callable[..., list[np.ndarray]]
    original: Callable[..., list[np.ndarray]] | None = None


def capture(
    model: Any,
    example_inputs: Any = None,
    *,
    verify: bool = True,
    accept_deviation: float | None = None,
) -> Capture:
    """Turn a PyTorch model into a graph.

    Args:
        model: an `nn.Module` in eval mode (never changed), a `torch.export.ExportedProgram`, or
            the path of a .pt2 file.
        example_inputs: a tensor or a tuple of tensors (batch 1; float32, or integers for tokens).
            Taken from `model.example_input_array` or from the program when absent.
        verify: compare every recognised mixer with the canonical form on random input.
        accept_deviation: the largest deviation of a mixer from the selective scan, relative to
            its largest output, with which it still counts as one. The selective scan is then what
            is captured.

    Raises:
        InvalidModelError: training mode, NaN or infinite parameters, types other than float32.
        RecognitionError: a mixer with a missing or misshapen parameter, or that computes
            something else than its parameters say.
        UnsupportedModelError: an operator, a kind of mixer or control flow that is not covered.
        InputError: example inputs that are missing, of the wrong type or shape.
        ModelFileError: no such file, or a damaged one.
    """
    if isinstance(model, (str, Path)):
        step("reading the exported program")
        model = exported.load(Path(model))
    if isinstance(model, ExportedProgram):
        return _capture_program(model, example_inputs, verify, accept_deviation)
    if isinstance(model, nn.Module):
        return _capture_module(model, example_inputs, verify, accept_deviation)
    raise InputError(
        f"a model of type {type(model).__name__}",
        hint="pass a torch.nn.Module, a torch.export.ExportedProgram or the path of a .pt2",
    )


def _capture_module(
    model: nn.Module, example_inputs: Any, verify: bool, accept: float | None
) -> Capture:
    checks.check_eval_mode(model)
    checks.check_parameters(model.named_parameters(), model.named_buffers())
    inputs = checks.as_inputs(example_inputs, model)
    original = _copied(model)
    checks.check_runs(original, inputs)
    step("recognising mixers")
    model = unfold(_copied(model))
    mixers = recognition.find_in_module(model)
    step("capturing the network around the mixers")
    shell, opaque, program = _around(model, mixers, inputs)
    called = {path: stand_in for path, stand_in in opaque.items() if stand_in.lengths}
    records = [recognition.record(mixers[path], None) for path in called]
    if verify:
        records = []
        meant = dict(mixers)
        for path, stand_in in called.items():
            step(f"verifying {path or 'the mixer'}")
            deviations = []
            for call in sorted(stand_in.calls, key=repr):
                meant[path], deviation = recognition.verify(
                    meant[path],
                    partial(call.repeat, model.get_submodule(path)),
                    stand_in.lengths,
                    others=OTHER_LENGTHS,
                    accept=accept,
                )
                deviations.append(deviation)
            records.append(recognition.record(meant[path], max(deviations)))
        if any(meant[path] is not mixers[path] for path in called):
            shell, _, program = _around(model, meant, inputs)
    records += reroll(program, inputs, verified=verify)
    step("lowering to the graph")
    graph = lower(program, inputs)
    as_given = of_module(original, inputs)
    if not any(record.accepted for record in records):
        return Capture(graph, tuple(records), as_given, as_given.float64)
    reference = of_module(shell, inputs)
    return Capture(graph, tuple(records), reference, reference.float64, as_given)


def _around(
    model: nn.Module, mixers: dict[str, AnyMixer], inputs: tuple[Tensor, ...]
) -> tuple[nn.Module, dict[str, OpaqueMixer], Program]:
    """The model with a stand-in for each mixer, the stand-ins, and the program of it all."""
    opaque = {path: OpaqueMixer(mixer) for path, mixer in mixers.items()}
    shell = _swapped(_copied(model), opaque)
    return shell, opaque, _export(shell, inputs)


def _capture_program(
    program: ExportedProgram,
    example_inputs: Any,
    verify: bool,
    accept: float | None,
) -> Capture:
    checks.check_parameters(program.named_parameters(), program.named_buffers())
    arguments, named = program.example_inputs or ((), {})
    if named:
        raise InputError(
            f"the program takes keyword arguments ({', '.join(named)})",
            hint="export the model with positional tensors",
        )
    inputs = checks.as_inputs(example_inputs if example_inputs is not None else arguments, None)
    with quiet():
        runnable = program.module()
        checks.check_runs(runnable, inputs)
    step("recognising mixers")
    flat, records = exported.to_program(program, inputs, verify=verify, accept=accept)
    records += reroll(flat, inputs, verified=verify)
    exported.check_nothing_left(flat)
    step("lowering to the graph")
    graph = lower(flat, inputs)
    dtypes = tuple(x.dtype for x in inputs)
    as_given = Reference(dtypes, runnable, from_exported(program).run64)
    if not any(record.accepted for record in records):
        return Capture(graph, tuple(records), as_given, as_given.float64)
    reference = Reference(dtypes, flat.run, flat.run64)
    return Capture(graph, tuple(records), reference, reference.float64, as_given)


def _copied(model: nn.Module) -> nn.Module:
    """A copy on the CPU: the user's model is never touched, not even its hooks or caches."""
    try:
        return without_caches(copy.deepcopy(model).cpu())
    except Exception as error:  # __deepcopy__ may raise anything
        raise UnsupportedModelError(
            f"the model cannot be copied: {error}",
            where=type(model).__name__,
            hint="modules must support copy.deepcopy; keep results of earlier runs out of them",
        ) from error


def _swapped(shell: nn.Module, opaque: dict[str, OpaqueMixer]) -> nn.Module:
    """Put the stand-ins in place of the mixers, wherever a shared mixer is held."""
    if "" in opaque:
        return opaque[""].eval()
    replaced = {id(shell.get_submodule(path)): mixer for path, mixer in opaque.items()}
    for parent in list(shell.modules()):
        for name, child in parent._modules.items():
            if id(child) in replaced:
                parent._modules[name] = replaced[id(child)]
    return shell.eval()


def _export(shell: nn.Module, inputs: tuple[Tensor, ...]) -> Program:
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(shell, inputs, strict=False)
            flat = from_exported(program)
            if any(needs_functional_form(node) for node in flat.graph.nodes):
                flat = from_exported(exported.functional(program))
            return flat
    except ScanletError:
        raise
    except Exception as error:  # torch.export raises many kinds
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UnsupportedModelError(
            "torch.export cannot capture the model: "
            + "\n".join([type(error).__name__, *lines[:4]]),
            where=type(shell).__name__,
            hint="control flow must not depend on the values of tensors; "
            "torch.export.export(model, inputs, strict=False) must work",
        ) from error
