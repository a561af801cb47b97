"""Render the operator component: generated C, registration, and the fixed kernels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2
import numpy as np

from scanlet.emit import custom_options
from scanlet.planning.layer import LayerPlan, pad
from scanlet.planning.packing import packed_shapes
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
        "uses_gelu": uses_gelu,
        "gelu_block": custom_options.encode_gelu(),
    }
    stem = f"selective_ssm_{name}"
    files = {
        f"{stem}.c": _render("operator/selective_ssm.c.j2", context),
        f"{stem}.h": _render("operator/selective_ssm.h.j2", context),
        f"{stem}_registration.h": _render("operator/registration.h.j2", context),
        f"{stem}_registration.cc": _render("operator/registration.cc.j2", context),
    }
    sources = resource_dir("tflm_ops")
    for path in sorted((sources / "kernels").glob("*.h")):
        files[f"kernels/{path.name}"] = path.read_text("utf-8")
    for fixed in FIXED:
        files[fixed] = (sources / fixed).read_text("utf-8")
    return files


def _layer_context(layer: LayerPlan, block: bytes) -> dict[str, Any]:
    shapes = packed_shapes(layer)
    return {
        "names": [layer.name],
        "plan": layer,
        "op": layer.op,
        "block": block,
        "weights": {weight: (i, shape) for i, (weight, shape) in enumerate(shapes.items())},
        "scratch": {buffer.name: buffer for buffer in layer.scratch},
        "state": {buffer.name: buffer for buffer in layer.state},
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C source, not HTML
    )
    environment.filters["c_float"] = _c_float
    environment.filters["padded"] = pad
    return environment


def _c_float(value: float) -> str:
    """A float32 literal that reads back as the same number."""
    return f"{np.float32(value)!s}f" if "." in str(np.float32(value)) else f"{value:.9e}f"


def _render(template: str, context: dict[str, Any]) -> str:
    return _environment().get_template(template).render(context)
