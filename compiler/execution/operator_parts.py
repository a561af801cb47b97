"""Which part of a mixer the counted instructions belong to.

Kernels are told apart exactly. The projections share the product kernels: what those cost is
divided among the projections by their multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: In the order of the computation; "rest" is everything else: loads and stores of tiles, norms,
#: pooling, loops, the operators around the mixers.
PARTS = ("in_proj", "conv", "x_proj", "dt", "scan", "gate", "out_proj", "rest")
_PRODUCTS = ("in_proj", "x_proj", "dt", "out_proj", "rest")

#: Words in kernels' names and the parts that they work for; the first that occurs decides.
_KERNELS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("conv1d", "_q_", "_norm", "load_tile", "store_tile", "_pool", "_int_load"), ("rest",)),
    (("quads_load", "_linear", "_unary", "_binary", "_reduce", "_softmax"), ("rest",)),
    (("conv",), ("conv",)),
    (("softplus", "int_delta", "dt_block", "step_limit"), ("dt",)),
    (("gate",), ("gate",)),
    (
        ("_scan", "_ssd", "_real_", "_reals", "int_clip", "int_rounding", "int_decay", "int_state"),
        ("scan",),
    ),
    (("silu",), ("conv", "gate")),
    (("int_output",), ("out_proj",)),
    (("int_rows", "quads_rows"), ("in_proj", "x_proj", "rest")),
    (("int_block", "quads_block"), ("in_proj",)),
    (("product_block",), ("in_proj", "dt")),
    (("product", "int_sums", "int_dots", "int_quads", "int_outputs", "int_block"), _PRODUCTS),
)


def instructions_by_part(
    kernels: Mapping[str, int], multiplies: Mapping[str, int], layers: Collection[str]
) -> dict[str, int]:
    """Instructions by part (PARTS), and "library" for what the compiler's own functions took.

    `kernels` are counts by function, inlined ones as "outer > inlined"; `multiplies` are the
    model's multiply-accumulates by part; `layers` are the names of the mixers in the C source.
    """
    found = dict.fromkeys((*PARTS, "library"), 0)
    for name, instructions in kernels.items():
        shares = _shares(name, multiplies, layers)
        left = instructions
        for part, share in list(shares.items())[1:]:
            given = int(instructions * share)
            found[part] += given
            left -= given
        found[next(iter(shares))] += left
    return found


def _shares(name: str, multiplies: Mapping[str, int], layers: Collection[str]) -> dict[str, float]:
    """The share of each part in a function's work; they sum to 1."""
    own = [piece.partition(".")[0] for piece in name.split(" > ")]
    if any(piece.removesuffix("_scan") in layers for piece in own if piece.endswith("_scan")):
        return {"scan": 1.0}
    kernels = " ".join(piece[len("scanlet") :] for piece in own if piece.startswith("scanlet_"))
    if not kernels:
        runs = any(piece.endswith("_run") for piece in own)
        return {"rest" if runs else "library": 1.0}
    for words, parts in _KERNELS:
        if any(word in kernels for word in words):
            if parts == ("conv", "gate"):  # both apply SiLU to every channel in every step
                return dict.fromkeys(parts, 0.5)
            total = sum(multiplies.get(part, 0) for part in parts)
            if not total:
                return {parts[0]: 1.0}
            return {part: multiplies.get(part, 0) / total for part in parts}
    return {"rest": 1.0}
