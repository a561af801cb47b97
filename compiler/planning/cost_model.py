"""What an inference is expected to cost on a core: a linear model with measured coefficients.

Instructions of one step of a mixer with time tiles of T steps:

    product(T) * (multiply-accumulates of the products with weights)
    + state(T) * d_inner * d_state      decay, input and output of a state
    + channel(T) * d_inner              convolution, SiLU, softplus, gate, loop overhead

and outside the mixers a rough figure by elements and multiply-accumulates, enough to compare what
is fused with what is not. The coefficients are least-squares fits to instruction counts on emulated
cores (`python -m examples.benchmark.cost_model` prints them); the model reproduces those counts
within 4 %, those of Helium's integer kernels within 13 %. A product loads each weight once a tile,
so `product` falls with T until the sums no longer fit the registers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scanlet.graph import Graph, Node
from scanlet.graph.operators import IntegerSSM, LayerOperator, Reshape, Unary
from scanlet.passes.cost import node_multiplies
from scanlet.planning.layer import LayerPlan
from scanlet.planning.plan import Plan
from scanlet.targets import Target

#: In multiply-accumulates of a tile of one step, which tell what arithmetic costs on a core:
#: each element that an operator outside the mixers reads or writes,
ELEMENT = 2.0
#: each element that it puts through a function such as tanh,
FUNCTION = 10.0
#: and each feature of a pre-norm inside a mixer.
NORM = 4.0


@dataclass(frozen=True)
class KernelCosts:
    """Instructions by time tile: of a multiply-accumulate, of a state, of a channel."""

    product: dict[int, float]
    state: dict[int, float]
    channel: dict[int, float]

    @property
    def tiles(self) -> tuple[int, ...]:
        return tuple(self.product)


COSTS: dict[str, KernelCosts] = {
    "portable": KernelCosts(
        product={1: 3.51, 2: 2.63, 3: 2.23, 4: 2.05, 6: 1.84, 8: 2.10},
        state={1: 23.4, 2: 23.3, 3: 23.4, 4: 17.6, 6: 19.6, 8: 17.7},
        channel={1: 140, 2: 140, 3: 132, 4: 130, 6: 126, 8: 127},
    ),
    "arm_dsp": KernelCosts(
        product={1: 3.51, 2: 2.63, 3: 2.23, 4: 1.22, 6: 1.84, 8: 2.10},
        state={1: 23.4, 2: 23.3, 3: 23.4, 4: 14.4, 6: 19.6, 8: 17.7},
        channel={1: 140, 2: 140, 3: 132, 4: 129, 6: 126, 8: 127},
    ),
    "arm_mve": KernelCosts(
        product={1: 1.77, 2: 3.23, 3: 2.68, 4: 0.78, 6: 1.92, 8: 2.16},
        state={1: 21.7, 2: 21.6, 3: 22.2, 4: 7.0, 6: 20.1, 8: 18.4},
        channel={1: 100, 2: 0, 3: 0, 4: 49, 6: 35, 8: 111},
    ),
    "xtensa": KernelCosts(
        product={1: 6.08, 2: 3.66, 3: 2.88, 4: 2.17, 6: 1.96, 8: 3.09},
        state={1: 26.6, 2: 25.0, 3: 25.2, 4: 24.2, 6: 24.5, 8: 22.8},
        channel={1: 250, 2: 242, 3: 249, 4: 279, 6: 259, 8: 318},
    ),
    "soft_float": KernelCosts(
        product={1: 187.02, 2: 187.83, 3: 187.34, 4: 187.54, 6: 187.31, 8: 187.25},
        state={1: 1127.1, 2: 1127.0, 3: 1126.8, 4: 1124.1, 6: 1124.9, 8: 1123.6},
        channel={1: 6347, 2: 6317, 3: 6333, 4: 6292, 6: 6312, 8: 6308},
    ),
}


#: Of integer mixers, alike (--precision int8).
INTEGER_COSTS: dict[str, KernelCosts] = {
    "portable": KernelCosts(
        product={1: 4.05, 2: 3.31, 3: 3.03, 4: 2.94, 6: 3.10, 8: 2.95},
        state={1: 29.0, 2: 29.3, 3: 29.2, 4: 25.2, 6: 26.5, 8: 25.1},
        channel={1: 247, 2: 226, 3: 203, 4: 197, 6: 188, 8: 182},
    ),
    "arm_dsp": KernelCosts(
        product={1: 2.59, 2: 1.32, 3: 1.41, 4: 1.25, 6: 1.15, 8: 1.04},
        state={1: 12.6, 2: 12.1, 3: 12.1, 4: 11.5, 6: 12.1, 8: 12.0},
        channel={1: 257, 2: 216, 3: 186, 4: 126, 6: 184, 8: 182},
    ),
    "arm_mve": KernelCosts(
        product={1: 0.34, 2: 0.35, 3: 0.41, 4: 0.38, 6: 0.42, 8: 0.39},
        state={1: 4.8, 2: 3.9, 3: 3.5, 4: 3.3, 6: 3.2, 8: 3.1},
        channel={1: 138, 2: 88, 3: 72, 4: 43, 6: 57, 8: 35},
    ),
    "xtensa": KernelCosts(
        product={1: 2.38, 2: 1.64, 3: 1.52, 4: 1.39, 6: 1.22, 8: 1.15},
        state={1: 22.1, 2: 21.6, 3: 21.4, 4: 21.3, 6: 21.1, 8: 21.1},
        channel={1: 671, 2: 527, 3: 431, 4: 392, 6: 372, 8: 353},
    ),
}

# The same kernels on longer rows: the difference is in the counts of padded products, not here.
COSTS["xtensa_s3"] = COSTS["xtensa"]
INTEGER_COSTS["xtensa_s3"] = INTEGER_COSTS["xtensa"]

#: Types of activations for which these hold, roughly, outside the mixers as well.
INTEGERS = ("int8", "int16")


def costs_of(target: Target) -> KernelCosts:
    """The coefficients of the kernels that `target` runs."""
    return COSTS[target.kernels if target.has_fpu else "soft_float"]


def estimate(graph: Graph, plan: Plan) -> float:
    """Instructions of one inference of a legal graph."""
    floats, integers = costs_of(plan.target), INTEGER_COSTS[plan.target.kernels]
    layers = iter(plan.layers)
    total = 0.0
    for node in graph.nodes:
        if isinstance(node.op, LayerOperator):
            costs = integers if isinstance(node.op, IntegerSSM) else floats
            if isinstance(node.op, IntegerSSM) and node.op.state == "float32":
                costs = replace(integers, state=floats.state)
            total += _mixer(node, next(layers), costs)
        else:
            total += _outside(node, integers if node.output.dtype in INTEGERS else floats)
    return total


def _mixer(node: Node, layer: LayerPlan, costs: KernelCosts) -> float:
    count = node_multiplies(node)
    assert count is not None
    op, tile = layer.op, min(layer.tile, max(costs.tiles))
    product, state, channel = (
        _at(table, tile) for table in (costs.product, costs.state, costs.channel)
    )
    taps = op.named(node.inputs).get("conv_weight")
    convolution = taps.size if taps is not None else 0  # part of `channel`
    step = (count.per_step - convolution) * product
    step += op.state_count * state + op.channel_count * channel
    step += layer.d_model * NORM * _at(costs.product, 1) if getattr(op, "norm", None) else 0
    if getattr(op, "inner_norm", None):
        rows = op.named(node.inputs)["x_proj_weight"].shape[0]
        step += rows * NORM * _at(costs.product, 1)
    return step * count.steps + count.once * _at(costs.product, 1)


def _outside(node: Node, costs: KernelCosts) -> float:
    if isinstance(node.op, Reshape):
        return 0
    count = node_multiplies(node)
    elements = node.output.size + sum(t.size for t in node.inputs if not t.is_constant)
    work = elements * ELEMENT + (count.total if count else 0)
    if isinstance(node.op, Unary):
        work += node.output.size * FUNCTION
    return work * _at(costs.product, 1)


def _at(table: dict[int, float], tile: int) -> float:
    """The coefficient of a tile, of the next smaller one measured where it was not."""
    return table[max(size for size in table if size <= tile)]
