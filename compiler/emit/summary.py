"""The report's content: everything that is known about a compiled model, as plain dictionaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from scanlet.compiled import Compiled
from scanlet.emit.report.content.classes import confusion
from scanlet.emit.report.content.costs import expected_costs, plan_alternatives
from scanlet.emit.report.content.graphs import captured_graph, lowered_graph
from scanlet.emit.report.content.memory import memory_schedule
from scanlet.emit.report.content.partition import partition
from scanlet.emit.report.content.reproduce import reproduction
from scanlet.errors import MissingToolError
from scanlet.execution.verification import Verification
from scanlet.graph import Graph
from scanlet.passes.cost import multiplies_by_part, multiplies_per_sequence, multiplies_per_step
from scanlet.passes.extents import Extent
from scanlet.planning.layer import LayerPlan
from scanlet.planning.memory import align, place
from scanlet.planning.plan import Plan
from scanlet.planning.tflm_arena import (
    POINTERS_32,
    POINTERS_64,
    device_margin,
    predict_arena,
    tensor_lifetimes,
)
from scanlet.quantization.sensitivity import Sensitivity
from scanlet.version import __version__


def summarize(
    compiled: Compiled,
    mixers: Sequence[Any],
    changed: Verification | None = None,
    *,
    captured: Graph,
    extents: Sequence[Extent],
    memory_limit: int | None,
    call: str,
) -> dict[str, Any]:
    """The report of a verified model, with the keys that `scanlet.emit.report` documents.

    `changed`: how far the verified model is from the one that was given, where deviations of
    mixers had to be accepted. `captured` is the graph before any pass, `extents` are the legal
    ones that plans were made for, within `memory_limit`; `call` is the call that compiled it.
    """
    graph, plan = compiled.graph, compiled.plan
    assert graph is not None, "summarize needs the graph and the plan"
    assert plan is not None, "summarize needs the graph and the plan"
    description = compiled.description
    target = compiled.target
    macs = multiplies_per_sequence(graph)
    length = max((layer.length for layer in plan.layers), default=1)
    verification = compiled.verification
    assert verification is not None, "summarize needs a verified model"
    return {
        "schema_version": 1,
        "generator": f"scanlet {__version__}",
        "model": {
            "name": compiled.name,
            "labels": list(compiled.labels),
            "inputs": [_tensor(tensor) for tensor in compiled.inputs],
            "outputs": [_tensor(tensor) for tensor in compiled.outputs],
        },
        "target": {
            "name": target.name,
            "description": target.description,
            "core": target.core,
            "ram_bytes": target.ram_bytes,
            "flash_bytes": target.flash_bytes,
        },
        "precision": compiled.precision,
        "mode": compiled.mode,
        "stream": _stream(compiled),
        "operators": [
            {
                "name": operator.name,
                "custom": operator.custom,
                "inputs": operator.inputs,
                "outputs": operator.outputs,
            }
            for operator in description.operators
        ],
        "multiply_accumulates": {
            "total": sum(macs.values()),
            "per_step": multiplies_per_step(graph),
            "nodes": macs,
            "parts": multiplies_by_part(graph),
        },
        "sizes": {
            "flatbuffer_bytes": len(compiled.tflite),
            # Equal constants share a buffer.
            "weights_bytes": sum(map(len, {t.data for t in description.tensors if t.data})),
        },
        "arena": _arena(compiled, plan),
        "memory": memory_schedule(description, plan.layers),
        "plan": {"tile": plan.tile, "fusion": asdict(compiled.extents[0].fusion)},
        "alternatives": plan_alternatives(
            compiled.alternatives, min(memory_limit or target.ram_bytes, target.ram_bytes)
        ),
        "graphs": {
            "captured": captured_graph(captured),
            "lowered": lowered_graph(description, plan.layers),
        },
        "layers": [_layer(layer) for layer in plan.layers],
        "mixers": [
            {
                "path": mixer.path,
                "dialect": mixer.dialect,
                "deviation": mixer.deviation,
                "accepted": mixer.accepted,
            }
            for mixer in mixers
        ],
        "verification": {
            "mean_error": verification.mean_error,
            "max_error": verification.max_error,
            "label_agreement": verification.label_agreement,
            "accuracy": verification.accuracy
            and dict(zip(("pytorch", "compiled"), verification.accuracy, strict=True)),
            "samples": verification.samples,
            "tolerance": verification.tolerance * verification.scale,
            "ran_on": verification.ran_on,
            "original": changed
            and {
                "mean_error": changed.mean_error,
                "max_error": changed.max_error,
                "scale": changed.scale,
                "label_agreement": changed.label_agreement,
            },
        },
        "classes": confusion(verification.labels, compiled.outputs[0].shape[-1], "PyTorch")
        if verification.labels
        else None,
        "evaluation": None,
        "quantization": _quantization(compiled),
        "golden": {
            "samples": len(compiled.golden.inputs),
            "inputs": len(compiled.inputs),
            "outputs": len(compiled.outputs),
            "tolerance": compiled.golden.tolerance,
            "made_by": compiled.golden.made_by,
        },
        "steps": length,
        "expected": expected_costs(extents, length),
        "measurements": [],
        "reproduce": reproduction(call, compiled.tflite),
        "warnings": list(compiled.warnings),
    }


def _stream(compiled: Compiled) -> dict[str, Any] | None:
    """What was chosen of stream mode."""
    if compiled.stream is None or compiled.how is None:
        return None
    pooling = compiled.how.pooling
    return {**asdict(compiled.stream), "pooling": None if pooling is None else str(pooling)}


def _arena(compiled: Compiled, plan: Plan) -> dict[str, Any]:
    """Recorded allocations, or predicted ones where no interpreter runs; predicted device use."""
    device = predict_arena(compiled.description, plan.layers, POINTERS_32)
    margin = device_margin(compiled.description)
    common = {"device_bytes": device.total, "predicted_head_bytes": device.head}
    try:
        recorded = compiled.allocations
    except MissingToolError:
        host = predict_arena(compiled.description, plan.layers, POINTERS_64)
        return common | {
            "needed_bytes": host.total,
            "reserved_bytes": host.total + margin,
            "recorded": False,
            "tensors": place(tensor_lifetimes(compiled.description)).nbytes,
            "scratch": host.head - place(tensor_lifetimes(compiled.description)).nbytes,
            "persistent": 0,
            "structures": host.total - host.head,
        }
    return common | {
        "needed_bytes": recorded.total,
        "reserved_bytes": align(recorded.total) + margin,
        "recorded": True,
        "tensors": recorded.tensors,
        "scratch": recorded.scratch,
        "persistent": recorded.persistent,
        "structures": recorded.structures + recorded.temporary,
    }


def _quantization(compiled: Compiled) -> dict[str, Any] | None:
    """What an integer precision does to the model; None for float32."""
    made = compiled.quantized
    if made is None:
        return None
    return {
        "state": made.state,
        "observer": made.observer,
        "islands": [
            {key: list(names) for key, names in asdict(island).items()} for island in made.islands
        ],
        "sensitivity": [_sensitivity(row) for row in made.sensitivity],
    }


def _sensitivity(row: Sensitivity) -> dict[str, Any]:
    """Without a number where the tensor is exact, or zero throughout: JSON has no infinity."""
    ratio = row.noise_db if math.isfinite(row.noise_db) else None
    return asdict(row) | {"noise_db": ratio}


def _tensor(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def _layer(layer: LayerPlan) -> dict[str, Any]:
    op = layer.op
    return {
        "name": layer.name,
        "shapes": {
            "length": layer.length,
            "in_features": layer.in_features,
            "d_model": layer.d_model,
            **{size: getattr(op, size) for size in op.SIZES},
            "d_out": layer.d_out,
        },
        "options": {
            **{option: getattr(op, option) for option in op.OPTIONS},
            "input_linear": "input_weight" in op.weights,
        },
        "tile": layer.tile,
        "partition": partition(op),
        "scratch": [{"name": b.name, "offset": b.offset, "bytes": b.nbytes} for b in layer.scratch],
        "scratch_bytes": layer.scratch_bytes,
        "state_bytes": layer.state_bytes,
    }
