"""The page: figures and tables of a report, put into the template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from scanlet.emit.report.figures import (
    alternatives,
    classes,
    graph,
    instructions,
    memory,
    quality,
    scratch,
)
from scanlet.emit.report.figures.canvas import settings, si, size_text
from scanlet.resources import resource_dir

#: Rows of long tables; the JSON has all.
MOST_ROWS = 200
#: Frequent mistakes told where there are too many classes for a matrix.
MOST_MISTAKES = 20


def report_json(report: dict[str, Any]) -> bytes:
    """The report as indented JSON, keys in the documented order."""
    return (json.dumps(report, indent=2, allow_nan=False) + "\n").encode()


def report_html(report: dict[str, Any]) -> bytes:
    """The report as one self-contained page without scripts or outside assets.

    Raises KeyError if the report lacks a documented key.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": lambda value: f"{value:,}", "si": si}
    with settings():
        figures = _figures(report)
    page = environment.get_template("report/report.html.j2").render(
        report=report,
        figures={name: Markup(drawn) for name, drawn in figures.items()},
        tiles=_tiles(report),
        cores=_cores(report),
        alike=_alike(report["layers"]),
        alive=_alive_at_peak(report["memory"]),
        words=alternatives.fusion_words,
        several_extents=len({repr(one["fusion"]) for one in report["alternatives"]}) > 1,
        mistakes={
            key: _mistakes(report[key], report["model"]["labels"])
            for key in ("classes", "evaluation")
            if report[key]
        },
        most_rows=MOST_ROWS,
    )
    return page.encode()


def _figures(report: dict[str, Any]) -> dict[str, str]:
    """SVG by name; what there is nothing to draw for is left out."""
    labels, layers = report["model"]["labels"], report["layers"]
    inputs = report["model"]["inputs"]
    found = {
        "captured": graph.draw(
            report["graphs"]["captured"], inputs, layers, name="captured",
            title="The network as captured from PyTorch",
        ),
        "lowered": graph.draw(
            report["graphs"]["lowered"], inputs, layers, name="lowered",
            title="The network as the flatbuffer holds it",
        ),
        "memory": memory.draw(report["memory"]),
    }  # fmt: skip
    for i, group in enumerate(_alike(layers)):
        found[f"scratch-{i}"] = scratch.draw(group["layer"], name=f"scratch-{i}")
    if report["measurements"]:
        found["instructions"] = instructions.draw(report["measurements"])
    if len(report["alternatives"]) > 1:
        found["alternatives"] = alternatives.draw(report["alternatives"])
    made = report["quantization"]
    if made and any(row["noise_db"] is not None for row in made["sensitivity"]):
        found["quality"] = quality.draw(made["sensitivity"])
    for key in ("classes", "evaluation"):
        if report[key] and report[key]["classes"] <= classes.MOST_CLASSES:
            found[key] = classes.draw(report[key], labels, name=f"confusion-{key}")
    return found


def _tiles(report: dict[str, Any]) -> list[dict[str, str]]:
    """The headline: a figure, what it is, and what it is of."""
    target, arena, checked = report["target"], report["arena"], report["verification"]
    flash = report["sizes"]["flatbuffer_bytes"]
    custom = sum(operator["custom"] for operator in report["operators"])
    tiles = [
        {
            "name": "flash for the model",
            "value": size_text(flash),
            "note": f"{flash:,} of {target['flash_bytes']:,} bytes",
        },
        {
            "name": "RAM for the tensor arena",
            "value": size_text(arena["reserved_bytes"]),
            "note": f"{arena['reserved_bytes']:,} of {target['ram_bytes']:,} bytes reserved",
        },
        {
            "name": "operators",
            "value": str(len(report["operators"])),
            "note": f"{custom} generated, {len(report['operators']) - custom} of TFLM",
        },
    ]
    core = _headline_core(report)
    if core:
        how = "counted" if core["measured"] else "expected"
        tiles.append(
            {
                "name": f"instructions an inference, {core['core']}",
                "value": si(core["instructions"]),
                "note": f"{how}; {core['per_step']:,} a step of {report['steps']:,}",
            }
        )
    agreement = checked["label_agreement"]
    error = f"largest error {checked['max_error']:.3g}, {checked['samples']} samples"
    tiles.append(
        {"name": "same class as PyTorch", "value": f"{agreement:.1%}", "note": error}
        if agreement is not None
        else {"name": "largest error", "value": f"{checked['max_error']:.2g}", "note": error}
    )
    if report["evaluation"]:
        judged = report["evaluation"]
        tiles.append(
            {
                "name": "accuracy",
                "value": f"{judged['agreement']:.1%}",
                "note": f"{judged['samples']:,} labelled samples",
            }
        )
    return tiles


def _headline_core(report: dict[str, Any]) -> dict[str, Any] | None:
    """The target's own core, else the first that was counted, else the first that it fits."""
    rows = [row for row in _cores(report) if row["instructions"] is not None]
    own = [row for row in rows if row["core"] == report["target"]["core"]]
    return next(iter(own + rows), None)


def _cores(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a core: counted where it was, expected otherwise."""
    counted = {one["core"]: one for one in report["measurements"]}
    rows = [
        {**expected, **counted.get(expected["core"], {}), "measured": expected["core"] in counted}
        for expected in report["expected"]
    ]
    return sorted(rows, key=lambda row: not row["measured"])


def _alike(layers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Layers of the same shapes, options and buffers together: {layer (the first), names}."""
    groups: dict[str, dict[str, Any]] = {}
    for layer in layers:
        key = repr({name: value for name, value in layer.items() if name != "name"})
        groups.setdefault(key, {"layer": layer, "names": []})["names"].append(layer["name"])
    return list(groups.values())


def _alive_at_peak(memory: dict[str, Any]) -> list[dict[str, Any]]:
    step = memory["peak"]["step"]
    alive = [b for b in memory["buffers"] if b["first"] <= step <= b["last"]]
    return sorted(alive, key=lambda buffer: (-buffer["bytes"], buffer["name"]))


def _mistakes(entry: dict[str, Any], labels: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent pairs that differ, with names where there are some."""

    def name(index: int) -> str:
        return labels[index] if index < len(labels) else str(index)

    return [
        {"expected": name(e["expected"]), "found": name(e["found"]), "count": e["count"]}
        for e in entry["counts"]
        if e["expected"] != e["found"]
    ][:MOST_MISTAKES]
