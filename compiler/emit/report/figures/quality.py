"""How well integers hold each tensor: signal to quantization noise, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scanlet.emit.report.figures.canvas import PALETTE, figure, place_axes, shorten, svg

#: Tensors drawn; the table below the figure has all.
MOST_TENSORS = 24
#: Below this a tensor has lost what eight bits can hold of a well-spread signal, and more.
POOR_DB = 20.0


def draw(sensitivity: Sequence[Mapping[str, Any]], *, name: str = "quality") -> str:
    """`sensitivity` rows as in the report; those without noise (exact, zero) are left out."""
    rows = [row for row in sensitivity if row["noise_db"] is not None][:MOST_TENSORS]
    height = 15.0 * max(len(rows), 1) + 36
    made, axes = figure(name, height)
    names = [shorten(f"{row['name']} ({row['dtype']})", 26) for row in rows]
    left = 8 + 4.6 * max(map(len, names), default=0)
    place_axes(axes, left=left, bottom=30, right=28, top=4)
    values = [row["noise_db"] for row in rows]
    for i, row in enumerate(rows):
        value = row["noise_db"]
        colour = PALETTE[4] if value < POOR_DB else PALETTE[0]
        axes.barh(i, value, height=0.66, color=colour)
        axes.text(max(value, 0) + 0.6, i, f"{value:.1f}", va="center", size=7)
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(min(0.0, *values, 0.0), max(*values, 1.0, 1.0) * 1.02)
    axes.set_xlabel("signal to quantization noise, dB (more is better)")
    worst = f"worst {rows[0]['name']} with {rows[0]['noise_db']:.1f} dB" if rows else "no noise"
    description = f"{len(rows)} tensors, {worst}."
    return svg(made, name, "Quality of each tensor in integers", description)
