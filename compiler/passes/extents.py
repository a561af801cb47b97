"""The legal graphs that differ in what joins the mixers: the planner chooses among them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import product

from scanlet.graph import Graph
from scanlet.graph.operators import LayerOperator
from scanlet.passes.fuse_into_ssm import Fusion
from scanlet.passes.pipeline import run
from scanlet.passes.streaming import Stream


@dataclass(frozen=True)
class Extent:
    """A legal graph, and the fusion that it came from."""

    fusion: Fusion
    graph: Graph


def extents(
    graph: Graph, *, mode: str = "sequence", how: Stream | None = None, compose: bool = True
) -> list[Extent]:
    """Every different legal graph of `graph` by what is fused, everything fused first.

    In stream mode that one alone: which graph is cheaper depends on the length of a chunk, and
    another one rounds differently. Without `compose` no Linear becomes part of another product,
    and all of them are given in stream mode, too. Raises as `run` does.
    """
    everything = Fusion(compose=compose)
    found = [Extent(everything, run(graph, mode=mode, fusion=everything, how=how))]
    if (mode == "stream" and compose) or not any(
        isinstance(node.op, LayerOperator) for node in found[0].graph.nodes
    ):
        return found
    seen = {_structure(found[0].graph)}
    for choice in product((True, False), repeat=4):
        norm, residual, linear, pooling = choice
        if mode == "stream" and not pooling:  # how a stream is pooled is settled
            continue
        fusion = Fusion(norm, residual, linear, pooling, compose)
        legal = run(graph, mode=mode, fusion=fusion, how=how)
        structure = _structure(legal)
        if structure not in seen:
            seen.add(structure)
            found.append(Extent(fusion, legal))
    return found


def _structure(graph: Graph) -> Hashable:
    return tuple((node.op, tuple(tensor.shape for tensor in node.inputs)) for node in graph.nodes)
