"""A drawing surface for the page: Matplotlib without its window, and an SVG to put inline.

Text stays text (a page is searched, and read aloud), colours of text and lines follow the page's,
so that dark pages work, and the same data gives the same bytes: no date, fixed ids, no fonts from
the machine (sizes are those of DejaVu, which Matplotlib brings along).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Width in points: at this width text has its nominal size, on a phone a little less.
WIDTH_PT = 340
#: Told apart in print and by most colour-blind readers (Paul Tol's "bright" scheme).
PALETTE = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb", "#888888")
#: Drawn in the page's own colour of text, of faint text, and of its background.
INK, FAINT, PAPER = "#010203", "#040506", "#070809"
_PAGE_COLOURS = {INK: "currentColor", FAINT: "var(--faint)", PAPER: "var(--paper)"}

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.3,
    "legend.frameon": False,
    "path.simplify": False,
}


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib as the figures want it, whatever the user's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def figure(name: str, height_pt: float) -> tuple[Figure, Axes]:
    """A figure of WIDTH_PT with one pair of axes, to be rendered by `svg`; within `settings`.

    `name` is the prefix of every id in it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = name
    made = Figure(figsize=(WIDTH_PT / 72, height_pt / 72), dpi=72)
    return made, made.add_axes((0.0, 0.0, 1.0, 1.0))


def svg(made: Figure, name: str, title: str, description: str) -> str:
    """The figure as an `<svg>` element with a title and a description for those who cannot see."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.StringIO()
    FigureCanvasSVG(made).print_svg(stream, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<clipPath.*?</defs>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' clip-path="[^"]*"', "", text)
    used = set(re.findall(r'xlink:href="#([^"]+)"', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{name}-\1"', text)
    for colour, own in _PAGE_COLOURS.items():
        text = text.replace(colour, own)
    view = re.search(r'viewBox="([^"]+)"', text)
    assert view is not None, "Matplotlib writes a viewBox"
    start = (
        f'<svg id="{name}" viewBox="{view[1]}" role="img" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'aria-labelledby="{name}-title {name}-desc">\n'
        f'<title id="{name}-title">{escape(title)}</title>\n'
        f'<desc id="{name}-desc">{escape(description)}</desc>\n'
    )
    return start + text[text.index(">") + 1 :].strip()


def place_axes(axes: Axes, *, left: float, bottom: float, right: float = 6, top: float = 6) -> None:
    """Put the axes at these distances from the figure's edges, in points."""
    whole = axes.get_figure(root=True)
    assert whole is not None, "the axes come from `figure`"
    width, height = (inches * 72 for inches in whole.get_size_inches())
    axes.set_position(
        (left / width, bottom / height, (width - left - right) / width,
         (height - bottom - top) / height)
    )  # fmt: skip


def shorten(text: str, limit: int) -> str:
    """A long name with its middle left out: both ends tell names apart."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) * 2 // 3
    return f"{text[: limit - 1 - tail]}…{text[-tail:]}"


def si(value: float) -> str:
    """1234567 as 1.23 M."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{unit}" if abs(value) < 1e12 else f"{value:.3g}"
    return f"{value:.3g}"


def size_text(nbytes: float) -> str:
    """123456 as 123 kB."""
    text = si(nbytes)
    return f"{text}B" if " " in text else f"{text} B"


def plain(axes: Axes, **sides: Any) -> None:
    """No ticks and no frame: a drawing instead of a plot. `sides` go to `place_axes`."""
    axes.set_axis_off()
    place_axes(axes, **({"left": 0, "bottom": 0, "right": 0, "top": 0} | sides))
