"""Where instructions go: one stacked bar a core, by part of the mixers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scanlet.emit.report.figures.canvas import PALETTE, figure, place_axes, si, svg

#: One colour a part: those of the canvas, and a ninth for the compiler's own functions.
PART_COLOURS = (*PALETTE[:6], "#ee9944", PALETTE[6], PALETTE[7])


def draw(measurements: Sequence[Mapping[str, Any]], *, name: str = "instructions") -> str:
    """`measurements` as in the report: {core, instructions, parts {part: instructions}}."""
    parts = list(measurements[0]["parts"])
    used = [part for part in parts if any(one["parts"].get(part) for one in measurements)]
    height = 34.0 * len(measurements) + 62
    made, axes = figure(name, height)
    place_axes(axes, left=66, bottom=42, right=18, top=2)
    for row, one in enumerate(measurements):
        start = 0.0
        for part in used:
            share = 100 * one["parts"].get(part, 0) / max(one["instructions"], 1)
            colour = PART_COLOURS[parts.index(part) % len(PART_COLOURS)]
            axes.barh(row, share, left=start, height=0.5, color=colour, label=part)
            if share >= 7:
                axes.text(
                    start + share / 2,
                    row,
                    f"{share:.0f}",
                    ha="center",
                    va="center",
                    size=7,
                    color="#000000",
                )
            start += share
        axes.text(0, row - 0.38, f"{si(one['instructions'])} instructions", size=7, va="center")
    axes.set_yticks(range(len(measurements)), [one["core"] for one in measurements])
    axes.set_ylim(len(measurements) - 0.5, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xticks((0, 25, 50, 75, 100), ("0", "25", "50", "75", "100 %"))
    axes.tick_params(length=0)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    made.legend(
        unique.values(),
        unique.keys(),
        loc="lower center",
        ncols=min(5, len(unique)),
        fontsize=7,
        handlelength=0.9,
        columnspacing=1.0,
        handletextpad=0.4,
        borderpad=0.0,
    )
    description = "; ".join(
        f"{one['core']}: {one['instructions']:,} instructions, "
        + ", ".join(f"{part} {one['parts'].get(part, 0):,}" for part in used)
        for one in measurements
    )
    return svg(made, name, "Instructions by part of the operator", description)
