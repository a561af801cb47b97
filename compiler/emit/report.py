"""report.json and report.html from the dictionary that `scanlet.emit.summary` fills in.

Keys (schema_version 1): generator; model {name, labels, inputs, outputs: [{name, shape, dtype}]};
target {name, description, ram_bytes, flash_bytes}; precision; mode; stream (null in
sequence mode) {inputs, outputs: [axis of time or null], chunk, least, captured, pooling};
operators [{name, custom, inputs, outputs}]; multiply_accumulates {total, nodes {output: count}};
sizes {flatbuffer_bytes, weights_bytes}; arena {needed_bytes, reserved_bytes, recorded, tensors,
scratch, persistent, structures}; plan {tile}; layers [{name, shapes, options, tile, scratch [{name,
offset, bytes}], scratch_bytes, state_bytes}]; mixers [{path, dialect, deviation, accepted (it is no
rounding: accept_deviation)}]; verification {mean_error, max_error, label_agreement, samples,
tolerance, ran_on, original (null, or where deviations were accepted how far the verified model is
from the given one: {mean_error, max_error, scale, label_agreement})}; quantization
(null at float32) {state, islands [{nodes, modules, reasons}], sensitivity [{name, noise_db (null:
exact, or zero throughout), largest_error, dtype}]}; golden {samples, inputs, outputs, tolerance};
warnings [text].
"""

from __future__ import annotations

import json
from typing import Any

import jinja2

from scanlet.resources import resource_dir

#: Colours of the bars, told apart in print and by most colour-blind readers.
PALETTE = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377")


def report_json(report: dict[str, Any]) -> bytes:
    """The report as indented JSON, keys in the documented order."""
    return (json.dumps(report, indent=2, allow_nan=False) + "\n").encode()


def report_html(report: dict[str, Any]) -> bytes:
    """The report as one self-contained page without scripts or outside assets."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    arena = report["arena"]
    parts = [
        {"name": name, "bytes": arena[name], "color": PALETTE[i]}
        for i, name in enumerate(("tensors", "scratch", "persistent", "structures"))
    ]
    margin = arena["reserved_bytes"] - arena["needed_bytes"]
    parts.append({"name": "margin", "bytes": margin, "color": "#bbbbbb"})
    page = environment.get_template("report/report.html.j2").render(
        report=report, parts=parts, palette=PALETTE
    )
    return page.encode()
