"""The tensor arena over the schedule: what lies where while each operator runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanlet.emit.report.figures.canvas import (
    FAINT,
    INK,
    PALETTE,
    PAPER,
    WIDTH_PT,
    figure,
    place_axes,
    shorten,
    size_text,
    svg,
)

#: With more operators than this the axis counts them instead of naming each.
MOST_NAMES = 40
_LEFT, _RIGHT = 40.0, 8.0


def draw(memory: Mapping[str, Any], *, name: str = "memory-timeline") -> str:
    """`memory` as in the report; the operator with most bytes alive is marked."""
    from matplotlib.patches import Rectangle

    steps, peak = memory["steps"], memory["peak"]
    named = len(steps) <= MOST_NAMES
    bottom = 92.0 if named else 34.0
    top = max(memory["head_bytes"], 1)
    made, axes = figure(name, 200 + bottom)
    place_axes(axes, left=_LEFT, bottom=bottom, right=_RIGHT, top=22)
    axes.set_xlim(-0.5, len(steps) - 0.5)
    axes.set_ylim(0, top * 1.04)
    axes.axvspan(peak["step"] - 0.5, peak["step"] + 0.5, color=PALETTE[4], alpha=0.18, linewidth=0)
    width = (WIDTH_PT - _LEFT - _RIGHT) / len(steps)
    for i, buffer in enumerate(memory["buffers"]):
        tensor = buffer["kind"] == "tensor"
        count = buffer["last"] - buffer["first"] + 1
        axes.add_patch(
            Rectangle(
                (buffer["first"] - 0.5, buffer["offset"]),
                count,
                buffer["bytes"],
                facecolor=PALETTE[(0, 1, 2)[i % 3]] if tensor else PALETTE[3],
                edgecolor=PAPER,
                linewidth=0.6,
            )
        )
        room = int(count * width / 5.2)
        if room >= (4 if tensor else len("scratch")) and buffer["bytes"] * 178 / top >= 9:
            axes.text(
                buffer["first"] + (count - 1) / 2,
                buffer["offset"] + buffer["bytes"] / 2,
                shorten(buffer["name"] if tensor else "scratch", room),
                ha="center",
                va="center",
                size=7,
                color="#000000",
            )
    axes.axhline(top, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    side = "left" if peak["step"] < len(steps) / 2 else "right"
    axes.annotate(
        f"peak: {peak['bytes']:,} of {memory['head_bytes']:,} bytes, in {peak['operator']}",
        xy=(peak["step"], top),
        xytext=(0.0 if side == "left" else 1.0, 1.06),
        textcoords="axes fraction",
        ha=side,
        color=INK,
        arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.8},
    )
    axes.yaxis.set_major_locator(_locator())
    axes.yaxis.set_major_formatter(lambda value, _: size_text(value))
    if named:
        axes.set_xticks(range(len(steps)), [shorten(step, 18) for step in steps], rotation=90)
        axes.tick_params(axis="x", labelsize=7, length=0)
    else:
        axes.set_xlabel(f"operator, 1 to {len(steps) - 1}")
    description = (
        f"{len(memory['buffers'])} buffers over {len(steps) - 1} operators in "
        f"{memory['head_bytes']:,} bytes; most are alive in {peak['operator']} "
        f"(step {peak['step']}): {peak['bytes']:,} bytes."
    )
    return svg(made, name, "Tensor arena over the schedule", description)


def _locator() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, steps=(1, 2, 2.5, 5, 10))
