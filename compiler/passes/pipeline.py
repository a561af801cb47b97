"""The passes in order: simplify, join the mixers, legalize."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scanlet.errors import GraphError, InputError
from scanlet.graph import Graph
from scanlet.passes.cancel_transposes import cancel_transposes
from scanlet.passes.check_legal import check_legal
from scanlet.passes.compose_linears import (
    compose_input_linear,
    compose_linears,
    compose_output_linear,
)
from scanlet.passes.decompose_activations import decompose_activations
from scanlet.passes.decompose_norms import decompose_norms
from scanlet.passes.explicit_padding import explicit_padding
from scanlet.passes.fold_affine import fold_affine
from scanlet.passes.fold_constants import fold_constants
from scanlet.passes.fuse_activation import fuse_activation
from scanlet.passes.fuse_into_ssm import Fusion, fuse_input_linears, fuse_norms, fuse_residuals
from scanlet.passes.fuse_pooling import fuse_pooling
from scanlet.passes.hoist_pooling import hoist_pooling, split_pooling
from scanlet.passes.limit_concatenation import limit_concatenation
from scanlet.passes.limit_rank import limit_rank
from scanlet.passes.lower_affine import lower_affine
from scanlet.passes.recognise_norms import recognise_norms
from scanlet.passes.remove_identities import remove_identities
from scanlet.passes.share_common import share_common
from scanlet.passes.sink_flips import lower_flips, sink_flips
from scanlet.passes.streaming import Stream, StreamShape, refuse_reversal, stream
from scanlet.passes.use_reshapes import use_reshapes

#: A pass changes the graph in place and says whether it did. Its docstring says what it needs
#: and what it ensures; the NumPy meaning of the graph stays the same.
Pass = Callable[[Graph], bool]

MODES = ("sequence", "stream")
MAX_ROUNDS = 200

#: Repeated until none of them changes anything.
SIMPLIFY: tuple[Pass, ...] = (
    fold_constants,
    remove_identities,
    share_common,
    recognise_norms,  # before fold_affine, which changes the products that it looks for
    cancel_transposes,
    sink_flips,
    fold_affine,
    compose_linears,
    hoist_pooling,
)

#: Once, in this order. Pointwise and norm decompositions come after everything that looks for
#: whole operators; affines are lowered before reshapes for rank, which see plain products.
LEGALIZE: tuple[Pass, ...] = (
    fuse_activation,
    use_reshapes,
    remove_identities,
    lower_flips,
    decompose_norms,
    decompose_activations,
    lower_affine,
    explicit_padding,
    limit_concatenation,
    limit_rank,
    share_common,
    remove_identities,
    check_legal,
)


def joining(fusion: Fusion) -> tuple[Pass, ...]:
    """The passes that put things into mixers as a whole, repeated with SIMPLIFY."""
    chosen: list[Pass] = []
    if fusion.norm:
        chosen.append(fuse_norms)
    if fusion.residual:
        chosen.append(fuse_residuals)  # behind the norm, which lies between r and the mixer
    if fusion.pooling:
        chosen += [fuse_pooling, split_pooling]  # behind the residual sum that is pooled
    return tuple(chosen)


def simplifying(fusion: Fusion) -> tuple[Pass, ...]:
    """SIMPLIFY, without the composition of products if they are to stay apart."""
    return tuple(one for one in SIMPLIFY if fusion.compose or one is not compose_linears)


def composing(fusion: Fusion) -> tuple[Pass, ...]:
    """The passes for the products next to mixers, once it is settled what they consist of."""
    chosen: list[Pass] = [compose_output_linear, compose_input_linear] if fusion.compose else []
    if fusion.input_linear:
        chosen.append(fuse_input_linears)  # what could not be composed
    return tuple(chosen)


def run(
    graph: Graph,
    *,
    mode: str = "sequence",
    fusion: Fusion | None = None,
    how: Stream | None = None,
) -> Graph:
    """A legal graph of the same meaning: every node is one TFLite operator or SELECTIVE_SSM.

    `graph` stays as it is. `mode` "stream" lets mixers carry their state from call to call and
    refuses whatever else mixes time; `how` says what is chosen there. `fusion` says what may join
    the mixers (default: all). Raises UnsupportedModelError, naming the module, for what cannot be
    lowered.
    """
    if mode not in MODES:
        raise InputError(f"mode {mode!r} is unknown", hint=f"choose one of {', '.join(MODES)}")
    fusion = fusion or Fusion()
    legal = graph.copy()
    legal.validate()
    simplify = simplifying(fusion)
    if mode == "stream":
        _streamed(legal, how or Stream(), simplify)
    else:
        apply_until_stable(legal, simplify)
    apply_until_stable(legal, (*joining(fusion), *simplify))
    apply_until_stable(legal, (*composing(fusion), *simplify))
    apply(legal, LEGALIZE)
    return legal


def stream_shape(graph: Graph, how: Stream) -> StreamShape:
    """Where time lies in the graph that `run` makes in stream mode. Raises as `run` does."""
    return _streamed(graph.copy(), how)


def _streamed(graph: Graph, how: Stream, simplify: tuple[Pass, ...] = SIMPLIFY) -> StreamShape:
    refuse_reversal(graph)
    apply_until_stable(graph, simplify)
    return stream(graph, how)


def apply(graph: Graph, passes: Sequence[Pass]) -> bool:
    """Apply each pass once, checking the graph behind each. True if any changed it."""
    changed = False
    for one in passes:
        if one(graph):
            changed = True
            graph.validate()
    return changed


def apply_until_stable(graph: Graph, passes: Sequence[Pass]) -> None:
    """Apply the passes again and again until none changes the graph."""
    for _ in range(MAX_ROUNDS):
        if not apply(graph, passes):
            return
    names = ", ".join(one.__name__ for one in passes)
    raise GraphError(f"the passes {names} do not come to an end on graph {graph.name!r}")
