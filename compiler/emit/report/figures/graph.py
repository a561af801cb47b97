"""A network from top to bottom, an operator a row; what skips rows runs along the right side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scanlet.emit.report.figures.canvas import (
    FAINT,
    INK,
    PALETTE,
    WIDTH_PT,
    figure,
    plain,
    shorten,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Of a large network the first ones are drawn; the report's JSON has all.
MOST_NODES = 120
ROW = 26.0
BOX = 18.0
LINE = 10.5  # of text inside a mixer
LEFT = 4.0
LANE = 7.0
MOST_LANES = 8


def draw(
    nodes: Sequence[Mapping[str, Any]],
    inputs: Sequence[Mapping[str, Any]],
    layers: Sequence[Mapping[str, Any]],
    *,
    name: str,
    title: str,
) -> str:
    """`nodes` and `layers` as the report has them, `inputs` {name, shape} of the model."""
    shown = list(nodes[:MOST_NODES])
    rows = [{"label": "input", "output": t["name"], "inputs": [], **_looks(t)} for t in inputs]
    drawn: set[str] = set()
    for node in shown:
        layer = layers[node["layer"]] if node["layer"] is not None else None
        inside = _inside(layer, drawn) if layer else []
        rows.append({"label": node["operator"], **node, **_looks(node), "inside": inside})
    left_out = len(nodes) - len(shown)
    tops, y = [], 2.0
    for row in rows:
        tops.append(y)
        y += ROW + LINE * len(row.get("inside", ()))
    height = y + (14 if left_out else 0)
    made, axes = figure(name, height)
    plain(axes)
    axes.set_xlim(0, WIDTH_PT)
    axes.set_ylim(height, 0)
    lanes = _edges(axes, rows, tops)
    right = WIDTH_PT - 8 - LANE * lanes
    for row, top in zip(rows, tops, strict=True):
        _node(axes, row, top, right)
    if left_out:
        axes.text(LEFT, y + 4, f"and {left_out} more operators", va="center", color=INK)
    counted = f"{len(nodes)} operators: " + ", ".join(node["operator"] for node in shown[:40])
    return svg(made, name, title, counted)


def _looks(tensor: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": "×".join(map(str, tensor["shape"])), "inside": ()}


def _inside(layer: Mapping[str, Any], drawn: set[str]) -> list[tuple[str, str]]:
    """The partition as lines of (kind, text); of layers that are alike only the first says it."""
    key = repr((layer["shapes"], layer["options"], layer["partition"]))
    steps = layer["shapes"]["length"]
    head = f"{layer['name']}: L = {steps}, time tiles of T = {layer['tile']}"
    if key in drawn:
        return [("head", f"{head}; inside as above")]
    drawn.add(key)
    lines = [("head", head)]
    for stage in layer["partition"]:
        lines.append(("loop", stage["loop"]))
        lines += [("step", step) for step in stage["steps"]]
    return lines


def _node(axes: Axes, row: Mapping[str, Any], top: float, right: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    inside = row["inside"]
    mixer = row.get("mixer", False)
    colour = PALETTE[0] if mixer else PALETTE[2] if row["label"] == "input" else PALETTE[7]
    axes.add_patch(
        FancyBboxPatch(
            (LEFT, top),
            right - LEFT,
            BOX + LINE * len(inside),
            boxstyle="round,pad=0,rounding_size=3",
            facecolor=colour + "33",
            edgecolor=colour,
            linewidth=1.4 if mixer else 0.8,
        )
    )
    name = shorten(row["label"], 26)
    axes.text(LEFT + 6, top + BOX / 2, name, va="center", weight="bold" if mixer else "normal")
    axes.text(right - 5, top + BOX / 2, row["shape"], va="center", ha="right", size=7.5)
    for i, (kind, text) in enumerate(inside):
        indent = {"head": 6, "loop": 12, "step": 24}[kind]
        style = "italic" if kind == "loop" else "normal"
        y = top + BOX + LINE * (i + 0.4)
        axes.text(LEFT + indent, y, shorten(text, 56), va="center", size=7.5, style=style)
        if kind == "step":
            axes.plot((LEFT + 17, LEFT + 21), (y, y), color=PALETTE[0], linewidth=1.2)


def _edges(axes: Axes, rows: Sequence[Mapping[str, Any]], tops: Sequence[float]) -> int:
    """Arrows from row to row, and lanes on the right for tensors that are read further below.

    Returns how many lanes there are; a tensor has one, however often it is read.
    """
    made = {row["output"]: i for i, row in enumerate(rows)}
    readers: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        for tensor in row["inputs"]:
            if tensor in made:
                readers.setdefault(made[tensor], []).append(i)
    taken: list[int] = []  # the row at which each lane is free again
    places = []
    for source, users in sorted(readers.items()):
        far = [user for user in users if user != source + 1]
        if source + 1 in users:
            bottom = tops[source] + BOX + LINE * len(rows[source]["inside"])
            _arrow(axes, (LEFT + 40, bottom), (LEFT + 40, tops[source + 1]))
        if not far:
            continue
        lane = next((k for k, free in enumerate(taken) if free <= source), len(taken))
        if lane == len(taken):
            taken.append(0)
        taken[lane] = max(far)
        places.append((source, far, min(lane, MOST_LANES - 1)))
    lanes = min(len(taken), MOST_LANES)
    right = WIDTH_PT - 8 - LANE * lanes
    for source, far, lane in places:
        x = right + 3 + LANE * (lane + 1)
        start = tops[source] + BOX / 2 + 3
        ends = [tops[user] + BOX / 2 - 3 for user in far]
        axes.plot((right, x, x), (start, start, max(ends)), color=FAINT, linewidth=0.8)
        for end in ends:
            _arrow(axes, (x, end), (right, end))
    return lanes


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": "-|>,head_width=0.15,head_length=0.3",
            "color": FAINT,
            "linewidth": 0.8,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )
