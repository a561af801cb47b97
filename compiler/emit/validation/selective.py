"""Rules of SELECTIVE_SSM: what its parameter block says, and the tensors beside it.

The packed weights' own shapes are the generated code's, which checks them in `prepare`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from scanlet.emit.kinds import (
    KIND_INTEGER_STREAM_POOL,
    KIND_STREAM_HISTORY,
    KIND_STREAM_POOL,
)
from scanlet.emit.model_description import ModelDescription
from scanlet.emit.parameters.custom_options import MAGIC, ParameterBlock
from scanlet.emit.validation.node import Node, nodes
from scanlet.errors import ModelFileError

MAX_SIZE = 1 << 20
MAX_GELU_RANK = 8
POOLS = (KIND_STREAM_POOL, KIND_INTEGER_STREAM_POOL)
_BLOCK = re.compile(r"\{([\s,0-9a-fA-Fx]+)\}")


def selective(node: Node) -> None:
    """One activation, constant weights, an output of the block's width."""
    block = _decoded(node)
    x, y = node.x, node.output
    if not block.is_layer:
        node.need_inputs(1)
        node.need(len(x.shape) <= MAX_GELU_RANK, f"is a GELU of rank {len(x.shape)}")
        node.need_output(x.shape, "float32")
        node.need(x.dtype == "float32", f"is a GELU of {x.dtype}")
        return
    sizes = (
        *(block.in_features, block.d_model, block.d_inner, block.d_state),
        *(block.dt_rank, block.d_conv, block.d_out),
    )
    node.need(all(0 <= size <= MAX_SIZE for size in sizes), f"has the sizes {sizes}")
    node.need(math.isfinite(block.norm_eps), f"has norm_eps {block.norm_eps}")
    fits = len(x.shape) == 3 and x.shape[0] == 1 and x.shape[2] == block.in_features
    node.need(fits, f"reads {x.shape}, (1, L, {block.in_features}) expected")
    node.need(x.dtype == y.dtype, f"reads {x.dtype} and writes {y.dtype}")
    activation = getattr(block.more, "activation", "float32")
    node.need(x.dtype == activation, f"reads {x.dtype}, its block says {activation}")
    if block.pooling is not None or block.kind in POOLS:
        node.need_output((1, block.d_out))
    else:
        ahead = block.more.value if block.kind == KIND_STREAM_HISTORY else 0
        node.need(ahead >= 0, f"holds {ahead} steps")
        node.need_output((1, x.shape[1] + ahead, block.d_out))
    for position in range(1, len(node.inputs)):
        weight = node.tensor(position)
        node.need(weight.constant, f"has a weight {weight.name!r} that is not constant")


def _decoded(node: Node) -> ParameterBlock:
    try:
        return node.op.parameters
    except ModelFileError as error:
        node.refuse(f"has custom options that are damaged: {error.message}")


def check_component(model: ModelDescription, component: Mapping[str, str]) -> None:
    """Raise ModelFileError for a node whose parameter block is not in the operator's sources.

    `component` are these sources by path. Sources in which no block is found (a person laid them
    out anew) are left to `prepare`, which compares again.
    """
    known = {
        block
        for path, text in component.items()
        if path.endswith(".c")
        for block in map(_bytes, _BLOCK.findall(text))
        if block.startswith(MAGIC)
    }
    for node in nodes(model) if known else ():
        if node.op.custom and node.op.custom_options not in known:
            signature = node.op.parameters.signature
            raise ModelFileError(
                f"the project's SELECTIVE_SSM operator was not generated for this layer (signature "
                f"0x{signature:08x})",
                where=f"operator {node.index} ({node.output.name!r})",
                hint="compile the model again, so that model.tflite and the component in "
                "components/selective_ssm belong together",
            )


def _bytes(text: str) -> bytes:
    return bytes(int(byte, 16) for byte in re.findall(r"0x[0-9a-fA-F]{1,2}", text))
