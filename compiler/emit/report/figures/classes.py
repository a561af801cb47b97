"""A confusion matrix: the class that was expected against the one that came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scanlet.emit.report.figures.canvas import (
    INK,
    PALETTE,
    WIDTH_PT,
    figure,
    place_axes,
    shorten,
    svg,
)

#: Larger ones are told as a list of the most frequent mistakes.
MOST_CLASSES = 24


def draw(classes: Mapping[str, Any], labels: Sequence[str], *, name: str = "classes") -> str:
    """`classes` as in the report, at most MOST_CLASSES of them."""
    from matplotlib.patches import Rectangle

    count = classes["classes"]
    names = [shorten(label, 13) for label in labels] or [str(i) for i in range(count)]
    side = max(map(len, names)) * 4.8 + 22
    cell = (WIDTH_PT - side - 8) / count
    cell = min(cell, 44.0)
    rows: dict[int, int] = {}
    for entry in classes["counts"]:
        rows[entry["expected"]] = rows.get(entry["expected"], 0) + entry["count"]
    made, axes = figure(name, cell * count + side + 4)
    right = WIDTH_PT - side - cell * count
    place_axes(axes, left=side, bottom=side, right=right, top=4)
    for entry in classes["counts"]:
        expected, found = entry["expected"], entry["found"]
        share = entry["count"] / rows[expected]
        colour = PALETTE[2] if expected == found else PALETTE[4]
        axes.add_patch(
            Rectangle(
                (found - 0.5, expected - 0.5),
                1,
                1,
                facecolor=colour,
                alpha=0.15 + 0.75 * share,
                linewidth=0,
            )
        )
        if cell >= 12:
            size = min(8.5, cell / (0.7 * len(str(entry["count"]))))
            axes.text(
                found, expected, str(entry["count"]), ha="center", va="center", size=size,
                color=INK,
            )  # fmt: skip
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_xticks(range(count), names, rotation=90)
    axes.set_yticks(range(count), names)
    axes.set_xticks([i - 0.5 for i in range(1, count)], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, count)], minor=True)
    axes.grid(which="minor")
    axes.tick_params(which="both", length=0, labelsize=7.5)
    axes.set_xlabel("found here")
    axes.set_ylabel(f"expected by {classes['against']}")
    description = (
        f"{classes['samples']} samples of {count} classes; in {classes['agreement']:.2%} the "
        f"class is the one that {classes['against']} expected."
    )
    return svg(made, name, f"Classes against {classes['against']}", description)
