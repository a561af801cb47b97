"""Which function lowers which ATen operator, and hints for those that none does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Handler = Callable[..., Any]

#: By `str(node.target)`, e.g. "aten.linear.default".
HANDLERS: dict[str, Handler] = {}

#: What to do instead, by the operator's name without its overload.
HINTS = {
    "argmax": "return the scores; take the argmax of what `run` returns",
    "topk": "return the scores; sort what `run` returns",
    "bmm": "products of two activations are not supported; keep attention off the device",
    "scaled_dot_product_attention": "attention is not supported; use a mixer instead",
    "lstm": "state-space layers are the recurrent layers that are supported: Mamba, Mamba-2, S4D",
    "gru": "state-space layers are the recurrent layers that are supported: Mamba, Mamba-2, S4D",
    "cumsum": "a scan by cumulative sums is no exact recurrence; use a mixer such as "
    "scanlet.nn.MambaMixer, or write the scan as a loop over time",
    "group_norm": "use LayerNorm, RMSNorm or BatchNorm1d",
    "instance_norm": "use LayerNorm, RMSNorm or BatchNorm1d",
    "wrap_with_set_grad_enabled": "leave torch.no_grad() out of forward",
    "conv2d": "only one-dimensional convolutions are supported",
    "roll": "a circular shift is not supported; concatenate two slices instead",
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne"), "comparisons are not supported"),
    "where": "data-dependent selection is not supported; use relu, clamp, maximum or minimum",
}

GENERAL_HINT = (
    "write this part with supported layers (Linear, Conv1d, LayerNorm, RMSNorm, BatchNorm1d, "
    "pooling, elementwise arithmetic and activations, reshapes and slices, Mamba-1 mixers), or "
    "move it out of the model"
)


def lowers(*overloads: str) -> Callable[[Handler], Handler]:
    """Register a handler for "linear.default" and the like (namespace aten).

    The handler is called as handler(context, *args, **kwargs) with the node's own arguments;
    activations arrive as graph tensors, constants as torch tensors, the rest as Python values.
    """

    def register(handler: Handler) -> Handler:
        for overload in overloads:
            name = overload if overload.count(".") > 1 else f"aten.{overload}"
            assert name not in HANDLERS, f"{name} is lowered twice"
            HANDLERS[name] = handler
        return handler

    return register
