"""Find a loop over time that was written out: a step that repeats and hands on what it carries.

Two neighbouring steps are walked in lockstep, from what the later one hands on back to what it was
given. They are the same step when every pair of nodes calls the same operator, down to values that
both read (constants, weights), values read at an index that advances (time), and what the earlier
step hands on (state).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from scanlet.frontend.program import Program
from scanlet.frontend.reroll.operators import short_name

#: How many earlier nodes are tried as the same node one step before.
TRIED = 6
#: A step of more nodes than this is not a scan's; it keeps the search linear.
MOST_NODES = 400
#: Operators that collect the steps' outputs: not what the recurrence carries.
COLLECTORS = frozenset({"select_scatter", "slice_scatter", "cat", "stack", "copy"})


@dataclass
class Step:
    """One step of a loop, by comparison with the one before it (pairs: earlier, later).

    `nodes`: its nodes; `carried`: what it takes from the step before, as pairs; `advancing`: nodes
    that read a value at an index of time; `twins`: its node for each node of the step before.
    """

    nodes: list[fx.Node] = field(default_factory=list)
    carried: list[tuple[fx.Node, fx.Node]] = field(default_factory=list)
    advancing: list[fx.Node] = field(default_factory=list)
    twins: dict[fx.Node, fx.Node] = field(default_factory=dict)


@dataclass
class Chain:
    """A loop: `states` in order of the steps, and the last step as an example of them all.

    `initial`: the node that the first of `states` is computed from, if it is computed by a full
    step. With several carried values (`step.carried`), `states` are those of one of them.
    """

    states: list[fx.Node]
    step: Step
    initial: fx.Node | None


def find(program: Program, env: Mapping[fx.Node, Any], skip: set[fx.Node]) -> Chain | None:
    """The last loop of the program that is not in `skip`, or None."""
    search = _Search(program, env)
    best: Chain | None = None
    for late in reversed(search.order):
        if late in skip or late not in search.computed or short_name(late) in COLLECTORS:
            continue
        if best is not None and search.position[late] < search.position[best.states[0]]:
            break  # past the loop that was found: no simpler view of it
        for early in search.candidates(late):
            if early in skip:
                continue
            step = search.lockstep(early, late)
            if step is None:
                continue
            chain = search.follow(early, late, step)
            if best is None or len(step.carried) < len(best.step.carried):
                best = chain
            break
        if best is not None and len(best.step.carried) == 1:
            return best
    return best


class _Search:
    def __init__(self, program: Program, env: Mapping[fx.Node, Any]) -> None:
        self.env = env
        self.order = [n for n in program.graph.nodes if n.op not in ("placeholder", "output")]
        self.position = {node: i for i, node in enumerate(program.graph.nodes)}
        self.computed = {n for n in program.graph.nodes if n.name in program.inputs}
        self.behind: dict[fx.Node, int] = {}  # ancestors, as bits
        self.alike: dict[Any, list[fx.Node]] = {}
        for node in program.graph.nodes:
            bits = 0
            for source in node.all_input_nodes:
                bits |= self.behind.get(source, 0) | 1 << self.position[source]
                if source in self.computed:
                    self.computed.add(node)
            self.behind[node] = bits
            if node.op == "call_function":
                self.alike.setdefault(self._kind(node), []).append(node)

    def _kind(self, node: fx.Node) -> Any:
        value = self.env.get(node)
        return node.target, tuple(value.shape) if isinstance(value, Tensor) else None

    def candidates(self, late: fx.Node) -> Iterator[fx.Node]:
        alike = self.alike.get(self._kind(late), [])
        place = alike.index(late) if len(alike) > 1 else 0
        bits = self.behind[late]
        for early in reversed(alike[max(0, place - 4 * TRIED) : place]):
            if bits >> self.position[early] & 1:
                yield early

    def lockstep(self, early: fx.Node, late: fx.Node) -> Step | None:
        """The step from `early` to `late`, or None if they are no neighbours of a loop."""
        step = Step()
        lefts = step.twins
        lefts[early] = late
        seen = {(early, late)}
        heap = [(-self.position[late], -self.position[early], early, late)]
        while heap:
            *_, left, right = heapq.heappop(heap)
            if right in lefts and (left, right) != (early, late):
                step.carried.append((left, right))
                continue
            lefts[left] = right
            pairs = self._pairs(left, right, step)
            if pairs is None or len(step.nodes) > MOST_NODES:
                return None
            for pair in pairs:
                if pair not in seen and pair[0] is not pair[1]:
                    seen.add(pair)
                    heapq.heappush(heap, (-self.position[pair[1]], -self.position[pair[0]], *pair))
        if not step.carried or not any(n in self.computed for n in step.advancing):
            return None
        return step

    def _pairs(
        self, left: fx.Node, right: fx.Node, step: Step
    ) -> list[tuple[fx.Node, fx.Node]] | None:
        """The pairs of arguments of two nodes that call the same operator, else None."""
        if left.op != "call_function" or right.op != "call_function":
            return None
        if left.target is not right.target or self._kind(left)[1] != self._kind(right)[1]:
            return None
        first, spec = torch.utils._pytree.tree_flatten((left.args, dict(left.kwargs)))
        second, other = torch.utils._pytree.tree_flatten((right.args, dict(right.kwargs)))
        if spec != other:
            return None
        step.nodes.append(right)
        pairs: list[tuple[fx.Node, fx.Node]] = []
        moved = False
        for a, b in zip(first, second, strict=True):
            if isinstance(a, fx.Node) and isinstance(b, fx.Node):
                pairs.append((a, b))
            elif isinstance(a, fx.Node) or isinstance(b, fx.Node):
                return None
            elif a != b:
                if not isinstance(a, int) or not isinstance(b, int):
                    return None
                moved = True
        if moved:
            if any(a is not b for a, b in pairs):
                return None
            step.advancing.append(right)
        return pairs

    def follow(self, early: fx.Node, late: fx.Node, step: Step) -> Chain:
        """Walk the loop back to its beginning."""
        states = [late, early]
        count = len(step.nodes)
        while True:
            before = self._before(states[-1], step)
            if before is None:
                return Chain(states[::-1], step, None)
            earlier = self.lockstep(before, states[-1])
            if earlier is None or len(earlier.nodes) != count:
                break
            states.append(before)
            step = earlier
        last = self.lockstep(early, late)
        assert last is not None
        return Chain(states[::-1], last, before)

    def _before(self, state: fx.Node, step: Step) -> fx.Node | None:
        """What plays the part of `state` one step earlier still."""
        return next((left for left, right in step.carried if right is state), None)


def members(chain: Chain, program: Program) -> set[fx.Node]:
    """The nodes of the loop: of the states and of what leads from one to the next."""
    inside = set(chain.states)
    after: set[fx.Node] = set()
    for node in program.graph.nodes:  # forward from the first state
        if node in inside or any(source in after for source in node.all_input_nodes):
            after.add(node)
    last = chain.states[-1]
    ahead = {last}
    for node in reversed(program.graph.nodes):
        if any(user in ahead for user in node.users):
            ahead.add(node)
    return after & ahead
