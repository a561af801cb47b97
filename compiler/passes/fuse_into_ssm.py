"""What stands around a mixer joins it: pre-norm, residual sum, the Linear ahead."""

from __future__ import annotations

from dataclasses import dataclass

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import Binary, Linear, Norm, SelectiveSSM
from scanlet.passes.fold_affine import has_weights
from scanlet.passes.rewrite import take_over, update_ssm


@dataclass(frozen=True)
class Fusion:
    """What may join SELECTIVE_SSM: each keeps a tensor as long as the sequence from existing.

    Without `compose` products in a row stay apart where their composition would multiply less.
    """

    norm: bool = True
    residual: bool = True
    input_linear: bool = True
    pooling: bool = True
    compose: bool = True


def fuse_norms(graph: Graph) -> bool:
    """Needs recognise_norms. Ensures that a Norm that only mixers without norm, residual and
    input Linear read is their pre-norm (computed again in each, if there are several)."""
    changed = False
    for node in list(graph.nodes):
        op = node.op
        if not isinstance(op, Norm) or not has_weights(node) or graph.is_output(node.output):
            continue
        mixers = graph.consumers(node.output)
        if not mixers or not all(_takes_norm(mixer, node) for mixer in mixers):
            continue
        weights: dict[str, Tensor] = dict(
            zip(("norm_weight", "norm_bias"), node.inputs[1:], strict=False)
        )
        for mixer in mixers:
            update_ssm(graph, mixer, weights, x=node.inputs[0], norm=op.kind, norm_eps=op.eps)
        graph.remove([node])
        changed = True
    return changed


def _takes_norm(mixer: Node, norm: Node) -> bool:
    op = mixer.op
    return (
        isinstance(op, SelectiveSSM)
        and mixer.inputs[0] is norm.output
        and len(norm.output.shape) == 3
        and op.norm is None
        and not op.residual  # it would be added behind the norm
        and "input_weight" not in op.weights
    )


def fuse_residuals(graph: Graph) -> bool:
    """Needs fuse_norms. Ensures that r + mixer(r) with r the mixer's input, the mixer's output
    not read elsewhere, is its `residual`; also where other terms stand in between,
    r + (mixer(r) + other), as in bidirectional blocks."""
    changed = False
    for mixer in list(graph.nodes):
        if not isinstance(mixer.op, SelectiveSSM) or mixer.op.residual or mixer.op.pooling:
            continue
        if "input_weight" in mixer.op.weights:
            continue
        total = _residual_sum(graph, mixer)
        if total is None:
            continue
        r = mixer.inputs[0]
        inner = total.inputs[0 if total.inputs[1] is r else 1]
        if inner is mixer.output:
            take_over(graph, mixer, total)
        else:
            between = graph.producer(inner)
            assert between is not None
            take_over(graph, between, total)
        update_ssm(graph, mixer, {}, residual=True)
        changed = True
    return changed


def _residual_sum(graph: Graph, mixer: Node) -> Node | None:
    """The Add of the mixer's input onto its output, followed through a chain of other Adds."""
    r, node = mixer.inputs[0], graph.sole_consumer(mixer.output)
    if r.shape != mixer.output.shape:
        return None
    while node is not None and node.op == Binary("add") and node.output.shape == r.shape:
        first, second = node.inputs
        if first is not second and (first is r or second is r):
            return node
        node = graph.sole_consumer(node.output)
    return None


def fuse_input_linears(graph: Graph) -> bool:
    """Needs fuse_norms, fuse_residuals and compose_input_linear (which is better where it fires).

    Ensures that a Linear without activation that only one mixer reads is its input Linear.
    """
    changed = False
    for mixer in list(graph.nodes):
        if not isinstance(mixer.op, SelectiveSSM) or "input_weight" in mixer.op.weights:
            continue
        linear = graph.producer(mixer.inputs[0])
        if (
            linear is None
            or linear.op != Linear()
            or not has_weights(linear)
            or graph.sole_consumer(linear.output) is not mixer
        ):
            continue
        weights: dict[str, Tensor] = dict(
            zip(("input_weight", "input_bias"), linear.inputs[1:], strict=False)
        )
        update_ssm(graph, mixer, weights, x=linear.inputs[0])
        graph.remove([linear])
        changed = True
    return changed
