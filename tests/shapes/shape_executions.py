"""Compile a shape, run it three ways and beside PyTorch, and find where they disagree.

Agreement is judged node by node where numbers are integers (each node is fed what it was really
fed, so that nothing adds up), and over the whole network where they are floats.
"""

from __future__ import annotations

import copy
import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from shape_models import CALIBRATION, Shape, expected, samples, torch_model

import scanlet
from scanlet.emit.flatbuffer import write_model
from scanlet.emit.generic.source import C_TYPES, render_generic
from scanlet.execution.host import HostInterpreter, build_library
from scanlet.graph import Graph
from scanlet.graph.operators import LayerOperator
from scanlet.graph.quantized import evaluate_node
from scanlet.planning.plan import Plan, make_plan
from scanlet.planning.planner import Choice
from scanlet.targets import Target, find

#: Largest error of a float model relative to its outputs' magnitude, beside what PyTorch itself
#: errs in float32 (both against float64).
FLOAT_FLOOR = 2e-6
FLOAT_TIMES = 4.0
#: Steps of the output by which an integer node other than the operator may differ.
STEPS = 1
#: Memory of the targets here: a shape is to be computed, not to fit.
ROOM = 1 << 28

#: Not optimized, where the TFLM build is, and with traps for what C does not define.
GENERIC_FLAGS = (
    *("-std=c11", "-O0", "-ffp-contract=off", "-shared", "-fPIC"),
    *("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-fno-sanitize-recover"),
)


Run = Callable[[list[np.ndarray]], list[np.ndarray]]


@dataclass
class Errors:
    """The worst errors of one shape; `ratios` are to what is accepted, so 1 is a failure."""

    ratios: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, ratio: float) -> None:
        self.ratios[name] = max(self.ratios.get(name, 0.0), float(ratio))


def check(shape: Shape) -> Errors:
    """Compile and compare; AssertionError naming what disagrees."""
    model = torch_model(shape)
    compiled = compile_shape(shape, model)
    graph = compiled.graph
    assert graph is not None
    assert compiled.plan is not None
    (x,) = samples(shape, 1, seed=1)
    chunks = np.split(x, shape.chunks, axis=1)
    stored = [compiled.stored_inputs([chunk]) for chunk in chunks]
    errors = Errors()

    compiled.reset()
    tflm = [compiled.interpreter.run(*inputs) for inputs in stored]
    tapped = tapped_graph(graph)
    plan = make_plan(tapped, find("generic"), tile=shape.tile)
    interpreter = HostInterpreter(
        write_model(tapped, compiled.plan.layers),
        build_library(compiled.component, name=compiled.name),
    )
    on_tflm = [interpreter.run(*inputs) for inputs in stored]
    for one, other in zip(tflm, on_tflm, strict=True):
        np.testing.assert_array_equal(one[0], other[0], "TFLM with and without taps")
    with generic_library(tapped, plan) as run:
        on_generic = [run(inputs) for inputs in stored]

    if shape.precision == "float32":
        _check_float(shape, model, graph, stored, tflm, on_generic, errors)
    else:
        check_nodes(tapped, stored, on_tflm, "TFLM", errors)
        check_nodes(tapped, stored, on_generic, "generic C", errors)
    _check_same_layers(tapped, on_tflm, on_generic)
    worst = max(errors.ratios, key=lambda name: errors.ratios[name])
    assert errors.ratios[worst] <= 1, f"{worst}: {errors.ratios[worst]:.3g} of what is accepted"
    return errors


def compile_shape(shape: Shape, model: torch.nn.Module) -> scanlet.Compiled:
    """Through the public function, with the plan that the shape says."""
    options: dict = {}
    if shape.mode == "stream":
        options |= {"mode": "stream", "chunk": shape.length}
        if shape.pooling == "mean":
            options["pooling"] = "mean"
    if shape.precision != "float32":
        options |= {"precision": shape.precision}
        if shape.kind == "mamba":
            options["state"] = shape.state
    data = [torch.from_numpy(x) for x in samples(shape, CALIBRATION, seed=0)]
    roomy = replace(find(shape.target), ram_bytes=ROOM, flash_bytes=ROOM)
    with forced_plan(shape.tile, shape.fusion):
        return scanlet.compile(
            model, data[0], calibration_data=data, target=roomy, progress=False, **options
        )


@contextmanager
def forced_plan(tile: int, fusion: int) -> Iterator[None]:
    """One plan to choose from: the time tile, and the fusion by number (modulo those there are)."""

    def only(extents: list, target: Target) -> list[Choice]:
        extent = extents[fusion % len(extents)]
        return [Choice(extent, make_plan(extent.graph, target, tile=tile), 0.0)]

    with mock.patch("scanlet.api.choices", only):
        yield


def tapped_graph(graph: Graph) -> Graph:
    """The graph with the output of every node as an output, behind its own."""
    tapped = copy.copy(graph.copy())
    taken = {id(tensor) for tensor in (*tapped.inputs, *tapped.outputs)}
    tapped.outputs = [
        *tapped.outputs,
        *(node.output for node in tapped.nodes if id(node.output) not in taken),
    ]
    return tapped


@contextmanager
def generic_library(graph: Graph, plan: Plan) -> Iterator[Run]:
    """A function that runs the generic library, built and loaded into this process."""
    with tempfile.TemporaryDirectory(prefix="shapes-") as name:
        folder = Path(name)
        for path, text in render_generic(graph, plan, name="m").items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        sources = sorted(path.name for path in folder.glob("*.c"))
        command = ["gcc", *GENERIC_FLAGS, *sources, "-o", "m.so"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        library = ctypes.CDLL(str(folder / "m.so"))
        library.m_init()

        def run(inputs: list[np.ndarray]) -> list[np.ndarray]:
            outputs = [np.empty(tensor.shape, tensor.dtype) for tensor in graph.outputs]
            given = [np.ascontiguousarray(array) for array in inputs]
            pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*given, *outputs)]
            assert library.m_run(*pointers) == 0
            return outputs

        assert set(C_TYPES) >= {tensor.dtype for tensor in graph.outputs}
        yield run


def check_nodes(graph: Graph, stored: list, outputs: list, what: str, errors: Errors) -> None:
    """Each node's output against its meaning on the inputs that it really had, chunk by chunk."""
    memories: dict[int, dict] = {id(node): {} for node in graph.nodes}
    for inputs, results in zip(stored, outputs, strict=True):
        values = {id(t): v for t, v in zip(graph.inputs, inputs, strict=True)}
        values |= {id(t): v for t, v in zip(graph.outputs, results, strict=True)}
        for node in graph.nodes:
            arrays = [values[id(t)] if t.data is None else t.data for t in node.inputs]
            meant = evaluate_node(node, arrays, "float64", memories[id(node)])
            got = values[id(node.output)]
            where = f"{what}, {type(node.op).__name__} {node.output.name}"
            if isinstance(node.op, LayerOperator) and node.output.quantization:
                np.testing.assert_array_equal(got, meant, where)
                errors.note("operator", 0.0)
            elif node.output.quantization:
                steps = np.abs(got.astype(np.int64) - meant.astype(np.int64)).max()
                assert steps <= STEPS, f"{where}: {steps} steps"
                errors.note(f"{what}, other nodes", steps / STEPS)
            else:
                scale = max(1e-6, np.abs(meant).max())
                ratio = np.abs(got - meant).max() / (scale * FLOAT_FLOOR * 5)
                errors.note(f"{what}, float nodes of integer models", ratio)


def _check_float(
    shape: Shape,
    model: torch.nn.Module,
    graph: Graph,
    stored: list,
    tflm: list,
    generic: list,
    errors: Errors,
) -> None:
    """The whole network, in float64 by NumPy and by PyTorch, against both executions."""
    carried: dict = {}
    meant = [graph.evaluate(inputs, carried=carried)[0] for inputs in stored]
    x = np.concatenate([inputs[0] for inputs in stored], axis=1)
    single = expected(model, x, torch.float32)
    exact = expected(copy.deepcopy(model).double(), x.astype(np.float64), torch.float64)
    scale = max(np.abs(exact).max(), 1e-6)
    accepted = scale * FLOAT_FLOOR + FLOAT_TIMES * np.abs(single - exact).max()

    def whole(parts: list) -> np.ndarray:
        return parts[-1] if shape.pooling != "none" else np.concatenate(parts, axis=1)

    errors.note("NumPy - PyTorch", np.abs(whole(meant) - exact).max() / accepted)
    for name, outputs in (("TFLM", tflm), ("generic C", generic)):
        firsts = [row[0] for row in outputs]
        errors.note(f"{name} - PyTorch", np.abs(whole(firsts) - exact).max() / accepted)
        for got, want in zip(firsts, meant, strict=True):
            errors.note(f"{name} - NumPy", np.abs(got - want).max() / accepted)


def _check_same_layers(graph: Graph, tflm: list, generic: list) -> None:
    """The operator gives the same bits in TFLM and in the generic library on the same input."""
    position = {id(tensor): i for i, tensor in enumerate(graph.outputs)}
    for node in graph.nodes:
        if not isinstance(node.op, LayerOperator):
            continue
        fed = position.get(id(node.inputs[0]))
        same = fed is None or all(
            np.array_equal(a[fed], b[fed]) for a, b in zip(tflm, generic, strict=True)
        )
        for a, b in zip(tflm, generic, strict=True) if same else ():
            place = position[id(node.output)]
            np.testing.assert_array_equal(a[place], b[place], f"bits of {node.output.name}")
