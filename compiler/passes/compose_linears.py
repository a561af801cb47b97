"""Two linear layers in a row as one, where that multiplies less."""

from __future__ import annotations

from scanlet.graph import Graph, Node
from scanlet.graph.operators import Linear, SelectiveSSM
from scanlet.passes.fold_affine import has_weights
from scanlet.passes.rewrite import new_constant, update_ssm, values


def compose_linears(graph: Graph) -> bool:
    """Needs nothing. Ensures that a Linear that feeds only another one stays apart only where
    their product (composed in float64) would multiply more than both."""
    changed = False
    for node in list(graph.nodes):
        first = graph.producer(node.inputs[0])
        if (
            first is None
            or not (_is_plain(first) and first.op == Linear() and isinstance(node.op, Linear))
            or not has_weights(node)
            or graph.sole_consumer(first.output) is not node
        ):
            continue
        inner, outer = values(first.inputs[1]), values(node.inputs[1])
        if len(outer) * inner.shape[1] >= inner.size + outer.size:
            continue
        name = node.output.name
        biases = [outer @ values(tensor) for tensor in first.inputs[2:]]
        biases += [values(tensor) for tensor in node.inputs[2:]]
        node.inputs = [first.inputs[0], new_constant(graph, f"{name}.weight", outer @ inner)]
        if biases:
            node.inputs.append(new_constant(graph, f"{name}.bias", sum(biases[1:], biases[0])))
        graph.remove([first])
        changed = True
    return changed


def compose_output_linear(graph: Graph) -> bool:
    """Needs fuse_residuals and fuse_pooling (a pooled out_proj is composed with the head).

    Ensures that a Linear that alone reads a SELECTIVE_SSM without residual is part of its
    out_proj, if that multiplies less. Its activation, if any, must not be fused yet.
    """
    changed = False
    for node in list(graph.nodes):
        mixer = graph.producer(node.inputs[0])
        if (
            node.op != Linear()
            or mixer is None
            or not isinstance(mixer.op, SelectiveSSM)
            or mixer.op.residual
            or not has_weights(node)
            or graph.sole_consumer(mixer.output) is not node
        ):
            continue
        w = mixer.op.named(mixer.inputs)
        inner, outer = values(w["out_proj_weight"]), values(node.inputs[1])
        if len(outer) * inner.shape[1] >= inner.size + outer.size:
            continue
        new = {"out_proj_weight": outer @ inner}
        biases = [outer @ values(w["out_proj_bias"])] if "out_proj_bias" in w else []
        biases += [values(tensor) for tensor in node.inputs[2:]]
        if biases:
            new["out_proj_bias"] = sum(biases[1:], biases[0])
        mixer.outputs = [node.output]
        graph.remove([node])
        update_ssm(graph, mixer, new)
        changed = True
    return changed


def compose_input_linear(graph: Graph) -> bool:
    """Needs fuse_norms and fuse_residuals (they decide what else reads the Linear).

    Ensures that a Linear whose output only enters the in_proj of mixers without norm and residual
    is composed with in_proj (in float64) if that multiplies less: F 2E < F d_model + d_model 2E.
    """
    changed = False
    for node in list(graph.nodes):
        if node.op != Linear() or not _is_plain(node) or graph.is_output(node.output):
            continue
        mixers = graph.consumers(node.output)
        if not mixers or not all(_starts_with_in_proj(m, node) for m in mixers):
            continue
        inner = values(node.inputs[1])
        outer_rows = [2 * m.op.d_inner for m in mixers if isinstance(m.op, SelectiveSSM)]
        d_model, features = inner.shape
        if sum(outer_rows) * features >= features * d_model + d_model * sum(outer_rows):
            continue
        for mixer in mixers:
            assert isinstance(mixer.op, SelectiveSSM)
            w = mixer.op.named(mixer.inputs)
            outer = values(w["in_proj_weight"])
            new = {"in_proj_weight": outer @ inner}
            biases = [outer @ values(tensor) for tensor in node.inputs[2:]]
            biases += [values(w["in_proj_bias"])] if "in_proj_bias" in w else []
            if biases:
                new["in_proj_bias"] = sum(biases[1:], biases[0])
            update_ssm(graph, mixer, new, x=node.inputs[0])
        graph.remove([node])
        changed = True
    return changed


def _is_plain(node: Node) -> bool:
    return isinstance(node.op, Linear) and node.op.activation is None and has_weights(node)


def _starts_with_in_proj(mixer: Node, linear: Node) -> bool:
    op = mixer.op
    return (
        isinstance(op, SelectiveSSM)
        and mixer.inputs[0] is linear.output
        and op.norm is None
        and not op.residual
        and "input_weight" not in op.weights
    )
