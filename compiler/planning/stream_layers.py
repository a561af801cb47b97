"""The plans of what carries a stream besides the mixers; nothing of it is tiled."""

from __future__ import annotations

from scanlet.errors import GraphError
from scanlet.graph import Node
from scanlet.graph.operators import IntegerStreamPool, StreamHistory, StreamPool
from scanlet.planning.integer_layout import LAYOUTS
from scanlet.planning.layer import SEEN, LayerPlan, in_a_row
from scanlet.targets import Target

#: Bytes of an element by type.
SIZES = {"float32": 4, "int16": 2, "int8": 1}


def plan_stream(node: Node, target: Target, index: int, name: str, tile: int) -> LayerPlan:
    """Plan a StreamPool, an IntegerStreamPool or a StreamHistory node."""
    op = node.op
    _, length, features = node.inputs[0].shape
    if isinstance(op, StreamHistory):
        nbytes = op.steps * features * SIZES[op.activation]
        state = [("history", nbytes, f"the last steps ({op.steps}, {features})")]
    elif isinstance(op, StreamPool):
        state = [("pool", features * 8, f"sums and what they lost ({features}, 2)"), SEEN]
    elif isinstance(op, IntegerStreamPool):
        state = [("pool", features * 4, f"sums ({features},), int32"), SEEN]
    else:
        raise GraphError(f"{op} is no operator of a stream")
    return LayerPlan(
        index=index,
        name=name,
        op=op,
        length=length,
        in_features=features,
        d_model=features,
        d_out=features,
        tile=tile,
        scratch=(),
        state=in_a_row(state),
        layout=LAYOUTS[target.kernels] if isinstance(op, IntegerStreamPool) else None,
    )
