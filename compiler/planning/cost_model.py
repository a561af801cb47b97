"""What an inference is expected to cost on a core: a linear model with measured coefficients.

Instructions of one step of a mixer with time tiles of T steps:

    product(T) * (multiply-accumulates of the products with weights)
    + state(T) * d_inner * d_state      decay, input and output of a state
    + channel(T) * d_inner              convolution, SiLU, softplus, gate, loop overhead

and outside the mixers a rough figure by elements and multiply-accumulates, enough to compare what
is fused with what is not. The coefficients are least-squares fits to
instruction counts on emulated cores (`python -m examples.benchmark.cost_model` prints them); the
model reproduces those counts within 2 %. A product loads each weight once a tile, so `product`
falls with T until the sums no longer fit the registers.
"""

from __future__ import annotations

from dataclasses import dataclass

from scanlet.graph import Graph, Node
from scanlet.graph.operators import IntegerSSM, Reshape, Unary
from scanlet.passes.cost import node_multiplies
from scanlet.planning.layer import MIXERS, LayerPlan
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
        product={1: 3.41, 2: 2.66, 3: 2.31, 4: 2.05, 6: 1.79, 8: 2.22},
        state={1: 25.7, 2: 25.3, 3: 25.1, 4: 17.6, 6: 20.4, 8: 17.5},
        channel={1: 130, 2: 134, 3: 128, 4: 130, 6: 146, 8: 136},
    ),
    "arm_dsp": KernelCosts(
        product={1: 3.40, 2: 2.66, 3: 2.31, 4: 1.27, 6: 1.79, 8: 2.22},
        state={1: 25.6, 2: 25.3, 3: 25.1, 4: 14.2, 6: 20.4, 8: 17.5},
        channel={1: 131, 2: 134, 3: 128, 4: 138, 6: 146, 8: 136},
    ),
    "arm_mve": KernelCosts(
        product={1: 2.13, 2: 3.78, 3: 2.18, 4: 0.84, 6: 1.81, 8: 3.31},
        state={1: 31.4, 2: 23.7, 3: 24.5, 4: 7.3, 6: 20.7, 8: 18.7},
        channel={1: 0, 2: 0, 3: 58, 4: 54, 6: 72, 8: 11},
    ),
    "xtensa": KernelCosts(
        product={1: 4.77, 2: 3.60, 3: 3.31, 4: 2.90, 6: 2.57, 8: 3.63},
        state={1: 38.7, 2: 25.9, 3: 30.0, 4: 24.3, 6: 24.0, 8: 21.8},
        channel={1: 244, 2: 227, 3: 202, 4: 209, 6: 213, 8: 276},
    ),
    "soft_float": KernelCosts(
        product={1: 187.94, 2: 188.48, 3: 188.27, 4: 187.97, 6: 188.36, 8: 187.98},
        state={1: 1191.1, 2: 1191.2, 3: 1190.5, 4: 1125.5, 6: 1147.8, 8: 1125.5},
        channel={1: 6224, 2: 6254, 3: 6239, 4: 6235, 6: 6189, 8: 6219},
    ),
}


#: Of integer mixers, alike: fits to random ones with pooling, at 24 and 48 steps.
INTEGER_COSTS: dict[str, KernelCosts] = {
    "portable": KernelCosts(
        product={1: 4.09, 2: 3.31, 3: 2.92, 4: 2.90, 6: 3.05, 8: 2.89},
        state={1: 29.8, 2: 29.5, 3: 29.7, 4: 25.9, 6: 27.1, 8: 25.9},
        channel={1: 241, 2: 232, 3: 217, 4: 199, 6: 194, 8: 190},
    ),
    "arm_dsp": KernelCosts(
        product={1: 6.89, 2: 4.59, 3: 2.60, 4: 1.02, 6: 3.24, 8: 2.74},
        state={1: 15.4, 2: 13.4, 3: 15.6, 4: 12.5, 6: 14.5, 8: 15.0},
        channel={1: 298, 2: 200, 3: 371, 4: 171, 6: 274, 8: 308},
    ),
    "arm_mve": KernelCosts(
        product={1: 0.50, 2: 0.22, 3: 0.15, 4: 0.30, 6: 0.17, 8: 0.04},
        state={1: 24.1, 2: 26.3, 3: 25.4, 4: 26.7, 6: 26.5, 8: 25.8},
        channel={1: 319, 2: 266, 3: 229, 4: 191, 6: 192, 8: 201},
    ),
    "xtensa": KernelCosts(
        product={1: 2.77, 2: 1.88, 3: 1.61, 4: 1.39, 6: 1.30, 8: 1.31},
        state={1: 24.5, 2: 23.6, 3: 23.2, 4: 22.9, 6: 22.7, 8: 22.7},
        channel={1: 659, 2: 528, 3: 462, 4: 440, 6: 408, 8: 376},
    ),
}

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
        if isinstance(node.op, MIXERS):
            costs = integers if isinstance(node.op, IntegerSSM) else floats
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
    convolution = op.d_inner * op.d_conv  # part of `channel`
    step = (count.per_step - convolution) * product
    step += op.d_inner * op.d_state * state + op.d_inner * channel
    step += layer.d_model * NORM * _at(costs.product, 1) if op.norm else 0
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
