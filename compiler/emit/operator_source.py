"""Render the operator component: generated C, registration, and the fixed kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scanlet.emit.c_wrap import wrap
from scanlet.emit.kinds import KINDS
from scanlet.emit.parameters import custom_options
from scanlet.emit.templates import render
from scanlet.errors import EmitError
from scanlet.planning.integer_layout import LAYOUTS, IntegerLayout
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import packed_shapes, packed_types
from scanlet.resources import resource_dir
from scanlet.targets import Target
from scanlet.version import __version__

#: Copied into each component as they are.
FIXED = ("host_abi.h",)


def render_component(
    layers: Sequence[LayerPlan], *, name: str, uses_gelu: bool, target: Target
) -> dict[str, str]:
    """Every source file of the component by its path in it.

    `name` prefixes the C symbols, so that components of several models link into one firmware.
    """
    unique: dict[bytes, dict[str, Any]] = {}
    for layer in layers:
        block = custom_options.encode(layer)
        if block in unique:
            unique[block]["names"].append(layer.name)
        else:
            unique[block] = _layer_context(layer, block)
    context = {
        "name": name,
        "version": __version__,
        "target": target,
        "layers": list(unique.values()),
        "integer_layout": _integer_layout(layers, target),
        "uses_gelu": uses_gelu,
        "gelu_block": custom_options.encode_gelu(),
    }
    stem = f"selective_ssm_{name}"
    files = {
        f"{stem}.c": wrap(render("operator/selective_ssm.c.j2", context)),
        f"{stem}.h": render("operator/selective_ssm.h.j2", context),
        f"{stem}_registration.h": render("operator/registration.h.j2", context),
        f"{stem}_registration.cc": render("operator/registration.cc.j2", context),
    }
    sources = resource_dir("tflm_ops")
    for path in sorted((sources / "kernels").glob("*.h")):
        files[f"kernels/{path.name}"] = path.read_text("utf-8")
    for fixed in FIXED:
        files[fixed] = (sources / fixed).read_text("utf-8")
    return files


def _layer_context(layer: LayerPlan, block: bytes) -> dict[str, Any]:
    shapes = packed_shapes(layer)
    types = packed_types(layer)
    kind = KINDS[type(layer.op)]
    return {
        "names": [layer.name],
        "plan": layer,
        "op": layer.op,
        "block": block,
        "template": kind.template,
        "types": types,
        "activation": kind.activation(layer.op),
        "max_length": kind.max_length(layer.op),
        "ahead": kind.ahead(layer.op),
        "weights": {weight: (i, shape) for i, (weight, shape) in enumerate(shapes.items())},
        "scratch": {buffer.name: buffer for buffer in layer.scratch},
        "state": {buffer.name: buffer for buffer in layer.state},
    }


def _integer_layout(layers: Sequence[LayerPlan], target: Target) -> IntegerLayout | None:
    """The layout of a component's integer layers; None if it has none."""
    for layer in layers:
        if layer.layout not in (None, LAYOUTS[target.kernels]):
            raise EmitError(
                f"layer {layer.name!r} was planned for other kernels than those of {target.name}"
            )
    return next((layer.layout for layer in layers if layer.layout is not None), None)
