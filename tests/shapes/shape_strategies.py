"""Which shapes are tried: corners that always are, findings of the past, and drawn ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from shape_models import Shape

#: `make soak` sets it: that many shapes are drawn, other ones each time.
SOAK = int(os.environ.get("SCANLET_SOAK_SHAPES", "0"))

TARGETS = ("generic", "esp32s3", "cortex-m55", "stm32h7")
PRECISIONS = ("float32", "float32", "int8", "int16x8")

#: Half of what CI tries: each bound of each dimension, in every precision.
CORNERS = (
    Shape(d_model=1, d_state=1, d_conv=2, expand=1, length=1, tile=1),
    Shape(d_model=1, d_state=1, d_conv=2, expand=1, length=1, tile=8, precision="int8"),
    Shape(d_model=1, d_state=1, d_conv=2, expand=1, length=1, tile=4, precision="int16x8"),
    Shape(d_model=96, d_state=64, d_conv=8, expand=1, dt_rank=6, length=3, tile=8),
    Shape(d_model=96, d_state=64, expand=3, dt_rank=6, length=5, tile=3, precision="int8"),
    Shape(d_model=96, d_state=3, expand=1, dt_rank=12, length=7, precision="int16x8"),
    Shape(d_model=3, d_state=64, length=200, tile=4, norm="rms", features=1),
    Shape(d_model=3, d_state=64, length=200, tile=5, precision="int8", state="float32"),
    Shape(d_model=5, d_state=64, length=9, tile=2, precision="int16x8", target="cortex-m55"),
    Shape(d_model=17, d_state=1, length=200, tile=7, pooling="mean", classes=3, features=6),
    Shape(d_model=17, d_state=1, length=199, pooling="mean", classes=3, precision="int8"),
    Shape(d_model=7, d_state=1, length=2, tile=8, pooling="last", precision="int16x8"),
    Shape(d_model=9, d_conv=8, length=2, tile=6, norm="layer"),  # shorter than the convolution
    Shape(d_model=9, d_conv=8, length=3, tile=4, norm="rms", precision="int8", target="esp32s3"),
    Shape(d_model=9, d_conv=2, length=17, tile=8, precision="int16x8", target="esp32s3"),
    Shape(d_model=15, d_state=15, d_conv=3, length=31, tile=8, direction="both", norm="rms"),
    Shape(d_model=13, d_state=5, d_conv=3, length=6, direction="both", precision="int8"),
    Shape(d_model=6, d_state=9, d_conv=5, length=11, direction="reverse", precision="int16x8"),
    Shape(d_model=11, d_conv=7, length=13, tile=3, direction="reverse", pooling="last"),
    Shape(d_model=11, d_state=7, dt_rank=11, length=13, inner_norm=True, bias=True),
    Shape(d_model=11, d_state=7, dt_rank=5, length=13, inner_norm=True, precision="int8"),
    Shape(d_model=10, layers=2, norm="layer", length=21, classes=1, fusion=1, features=3),
    Shape(d_model=10, layers=2, norm="rms", length=21, classes=2, precision="int8", features=3),
    Shape(d_model=10, layers=2, norm="layer", length=4, features=2, precision="int16x8"),
    Shape(d_model=19, length=1, chunks=6, tile=8, mode="stream", d_conv=8, features=2),
    Shape(d_model=19, length=1, chunks=6, mode="stream", d_conv=8, precision="int8"),
    Shape(d_model=8, length=9, chunks=2, mode="stream", pooling="mean", precision="int16x8"),
    Shape(d_model=8, length=5, chunks=3, mode="stream", pooling="mean", classes=4, features=8),
    Shape(d_model=24, length=5, chunks=3, mode="stream", pooling="last", classes=4, norm="rms"),
    Shape(d_model=24, length=7, chunks=2, mode="stream", precision="int8", state="float32"),
)

#: The same of Mamba-2 mixers and of diagonal state-space models.
RELATIVES = (
    Shape(kind="mamba2", d_model=1, d_state=1, d_conv=2, expand=1, length=1, tile=8),
    Shape(kind="mamba2", d_model=33, d_state=17, length=50, tile=7, norm="rms", features=3),
    Shape(kind="mamba2", d_model=96, d_state=64, d_conv=4, length=3, expand=1),
    Shape(kind="mamba2", d_model=7, d_state=3, d_conv=3, length=5, chunks=3, mode="stream"),
    Shape(kind="mamba2", d_model=12, length=9, norm="rms", classes=3, precision="int8"),
    Shape(kind="diagonal", d_model=1, d_state=1, length=1, tile=8),
    Shape(kind="diagonal", d_model=96, d_state=64, length=200, tile=3),
    Shape(kind="diagonal", d_model=11, d_state=5, length=3, chunks=4, mode="stream", tile=5),
)

#: What once disagreed, and what was wrong.
FINDINGS: tuple[Shape, ...] = ()


@st.composite
def shapes(draw: st.DrawFn, kinds: tuple[str, ...] = ("mamba",)) -> Shape:
    """Any model of the kinds, through every option that this package compiles."""

    def one_of(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    def within(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    stream = draw(st.booleans())
    precision = one_of(*PRECISIONS)
    return Shape(
        kind=one_of(*kinds),
        d_model=within(1, 96),
        d_state=within(1, 64),
        d_conv=within(2, 8) if kinds == ("mamba",) else within(2, 4),
        expand=within(1, 3),
        dt_rank=within(1, 12),
        length=within(1, 24) if stream else within(1, 200),
        chunks=within(1, 5) if stream else 1,
        features=one_of(0, 1, 5, 9),
        layers=one_of(1, 1, 2),
        norm=one_of("none", "rms", "layer"),
        direction="forward" if stream else one_of("forward", "forward", "reverse", "both"),
        pooling=one_of("none", "mean", "last"),
        classes=one_of(0, 1, 6),
        inner_norm=one_of(False, False, True),
        bias=draw(st.booleans()),
        precision=precision,
        state=one_of("int16", "float32"),
        mode="stream" if stream else "sequence",
        tile=within(1, 8),
        fusion=within(0, 5),
        target=one_of(*TARGETS),
        scale=one_of(1.0, 0.01, 20.0),
        seed=within(0, 999),
    )


def trials(count: int) -> Callable:
    """Settings for `count` drawn shapes: the same ones each time, but in a soak."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=not SOAK,
        database=None,
        print_blob=bool(SOAK),
        # A shape takes a second or two, so what failed is reported as it is.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.normal,
    )
