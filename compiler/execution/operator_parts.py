"""Which part of a mixer the counted instructions belong to.

Kernels are told apart exactly. The projections share the product kernels: what those cost is
divided among the projections by their multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: In the order of the computation; "rest" is everything else: loads and stores of tiles, norms,
#: pooling, loops, the operators around the mixers.
PARTS = ("in_proj", "conv", "x_proj", "dt", "scan", "gate", "out_proj", "rest")
#: What products with weights are for, and the part that each counts under.
_PRODUCTS = {
    "in_proj_x": "in_proj",
    "in_proj_z": "in_proj",
    "x_proj": "x_proj",
    "dt": "dt",
    "out_proj": "out_proj",
    "input": "rest",
}
_ROWS = ("in_proj_x", "x_proj", "input")

#: Words in kernels' names and what they work for, a part or some products; the first that occurs
#: decides. Products of which a core has one function for several are divided.
_KERNELS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("conv1d", "_q_", "_norm", "load_tile", "store_tile", "_pool", "_int_load"), ("rest",)),
    (("quads_load", "_linear", "_unary", "_binary", "_reduce", "_softmax"), ("rest",)),
    (("conv",), ("conv",)),
    (("softplus", "int_delta", "dt_block", "step_limit"), ("dt",)),
    (("gate",), ("gate",)),
    (("_scan", "_ssd", "_real_", "_reals", "int_clip", "int_rounding", "int_decay"), ("scan",)),
    (("silu",), ("conv", "gate")),  # applied to every channel in every step by both
    (("mve_int_output",), ("out_proj",)),
    (("mve_int_rows",), _ROWS),
    (
        ("int_block", "int_rows", "int_output", "int_quads", "quads_", "_int_"),
        tuple(name for name in _PRODUCTS if name != "dt"),
    ),
    (("product",), tuple(_PRODUCTS)),
)
#: Kernels that are inlined where they are called, which tells what for.
_INLINED = {
    "scanlet_product": ("in_proj_x", "x_proj", "out_proj", "input"),
    "scanlet_product_block": ("in_proj_z", "dt"),
}
#: Helium's kernel of blocks serves the rows of z alone, as its other products have their own.
_HELIUM_BLOCK = "scanlet_mve_int_block"


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
    if own[-1] in _INLINED and len(own) > 1:
        return _divided(_INLINED[own[-1]], multiplies)
    if own == ["scanlet_int_block", _HELIUM_BLOCK]:
        return {"in_proj": 1.0}
    for words, works in _KERNELS:
        if any(word in kernels for word in words):
            if works == ("conv", "gate"):
                return dict.fromkeys(works, 0.5)
            return {works[0]: 1.0} if works[0] in PARTS else _divided(works, multiplies)
    return {"rest": 1.0}


def _divided(products: Collection[str], multiplies: Mapping[str, int]) -> dict[str, float]:
    """Shares of the products' parts by their multiply-accumulates."""
    shares: dict[str, float] = {}
    total = sum(multiplies.get(product, 0) for product in products)
    for product in products:
        share = multiplies.get(product, 0) / total if total else 1 / len(products)
        shares[_PRODUCTS[product]] = shares.get(_PRODUCTS[product], 0.0) + share
    return shares
