"""From a legal float graph and its calibration to a graph on int8 or int16 tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanlet.errors import InputError
from scanlet.graph import Graph
from scanlet.quantization.integer_support import Island, float_nodes, islands
from scanlet.quantization.rebuild import Rebuild
from scanlet.quantization.scales import Scales

if TYPE_CHECKING:
    from scanlet.quantization.calibration import Calibration

#: Type of the activations by precision; weights are int8 in both.
ACTIVATION = {"int8": "int8", "int16x8": "int16"}
#: Float tensors from this many elements on are worth a warning on a microcontroller.
LARGE_ISLAND = 4096


@dataclass(frozen=True)
class QuantizedGraph:
    """`graph` computes on stored integers, from its inputs to its outputs.

    `islands` run in float, between Dequantize and Quantize.
    """

    graph: Graph
    islands: tuple[Island, ...]
    warnings: tuple[str, ...]


def quantize_graph(
    graph: Graph,
    calibration: Calibration,
    *,
    precision: str,
    float_modules: Sequence[str] = (),
    state: str = "int16",
) -> QuantizedGraph:
    """Quantize a legal graph, TFLite's conventions throughout.

    Args:
        graph: what `passes.run` returns, not changed.
        calibration: of that graph.
        precision: "int8", or "int16x8" (int8 weights, int16 activations).
        float_modules: paths of modules that stay in float, with all that is inside them.
        state: how integer mixers hold the recurrent state, "int16" or "float32".

    Float inputs and outputs become integer tensors of the same names, token inputs stay int32.
    Raises InputError for an unknown precision or module, UnsupportedModelError where a mixer is
    beyond the integer operator.
    """
    if precision not in ACTIVATION:
        raise InputError(
            f"precision is {precision!r}", hint=f"choose one of {', '.join(ACTIVATION)}"
        )
    dtype = ACTIVATION[precision]
    floats = float_nodes(graph, dtype, float_modules)
    scales = Scales(graph, floats, dtype, lambda tensor: calibration.range(tensor.name))
    made = Rebuild(graph, calibration, floats, scales, dtype, state).run()
    return QuantizedGraph(made, islands(graph, floats), _warnings(graph, floats))


def _warnings(graph: Graph, floats: dict[int, str]) -> tuple[str, ...]:
    """Float islands with tensors that grow with the sequence deserve a word."""
    return tuple(
        f"{node.op} runs in float ({floats[id(node)]}) on {node.output.size:,} elements, "
        f"{4 * node.output.size:,} bytes"
        for node in graph.nodes
        if id(node) in floats and node.output.size >= LARGE_ISLAND
    )
