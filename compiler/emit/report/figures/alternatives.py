"""What else could have been planned: memory and expected instructions by time tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scanlet.emit.report.figures.canvas import (
    INK,
    PALETTE,
    PAPER,
    figure,
    place_axes,
    si,
    size_text,
    svg,
)

_WORDS = {"norm": "norm", "residual": "residual", "input_linear": "input", "pooling": "pooling"}


def draw(alternatives: Sequence[Mapping[str, Any]], *, name: str = "alternatives") -> str:
    """`alternatives` as in the report: a curve for each extent of fusion, a point a time tile."""
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for one in alternatives:
        curves.setdefault(fusion_words(one["fusion"]), []).append(one)
    height = 216 + 11.0 * len(curves)
    made, axes = figure(name, height)
    place_axes(axes, left=48, bottom=38 + 11.0 * len(curves), right=14, top=12)
    for i, (label, points) in enumerate(curves.items()):
        points = sorted(points, key=lambda one: one["tile"])
        colour = PALETTE[i % 6]
        xs = [one["ram_bytes"] for one in points]
        ys = [one["instructions"] for one in points]
        axes.plot(xs, ys, color=colour, linewidth=1.2, label=f"fused: {label}", zorder=1)
        axes.scatter(
            xs, ys, s=20, zorder=2, edgecolors=colour, linewidths=1.0,
            facecolors=[colour if one["fits"] else "none" for one in points],
        )  # fmt: skip
        for one in points:
            if i == 0 or one["chosen"]:
                axes.annotate(
                    f"T={one['tile']}",
                    (one["ram_bytes"], one["instructions"]),
                    xytext=(5, 5),
                    textcoords="offset points",
                    size=7,
                )
    for one in alternatives:
        if one["chosen"]:
            axes.plot(
                one["ram_bytes"], one["instructions"], "o", markersize=11, fillstyle="none",
                color=PALETTE[4], markeredgewidth=1.8, zorder=3, label="chosen",
            )  # fmt: skip
    axes.margins(0.08, 0.1)
    axes.grid(visible=True)
    axes.set_xlabel("RAM, everything counted")
    axes.set_ylabel("instructions an inference, expected", size=7.5)
    axes.xaxis.set_major_formatter(lambda value, _: size_text(value))
    axes.yaxis.set_major_formatter(lambda value, _: si(value))
    axes.locator_params(nbins=5)
    axes.tick_params(length=2, labelsize=7)
    made.legend(
        *axes.get_legend_handles_labels(),
        loc="lower left",
        fontsize=7,
        handlelength=1.4,
        borderpad=0.2,
        labelspacing=0.25,
        labelcolor=INK,
        facecolor=PAPER,
    )
    chosen = next(one for one in alternatives if one["chosen"])
    description = (
        f"{len(alternatives)} plans; chosen are time tiles of {chosen['tile']} steps with "
        f"{chosen['ram_bytes']:,} bytes and {chosen['instructions']:,} expected instructions."
    )
    return svg(made, name, "Plans that were possible", description)


def fusion_words(fusion: Mapping[str, bool]) -> str:
    """What joins the mixers, in words."""
    return ", ".join(_WORDS.get(key, key) for key, on in fusion.items() if on) or "nothing"
