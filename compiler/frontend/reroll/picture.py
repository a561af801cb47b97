"""A small picture of what repeats, for messages."""

from __future__ import annotations

import operator
from typing import Any

from torch import fx

from scanlet.frontend.program import Program
from scanlet.frontend.reroll.chain import Chain
from scanlet.frontend.reroll.operators import LAYOUTS, SAME, short_name

#: A step of more lines is cut.
MOST_LINES = 14


def draw(chain: Chain, program: Program) -> str:
    """The step as lines of expressions: what it carries, what advances with time, what it does."""
    step = chain.step
    names: dict[fx.Node, str] = {}
    many = len(step.carried) > 1
    for i, (_, state) in enumerate(step.carried):
        names[state] = f"state{i + 1}[t-1]" if many else "state[t-1]"
    handed_on: dict[fx.Node, str] = {}
    for late, earlier in _handed_on(chain).items():
        handed_on[late] = names[earlier].replace("[t-1]", "[t]")
    advancing: dict[str, None] = {}
    for node in step.advancing:
        source = node.args[0]
        names[node] = f"{_value(source, names, program)}[t]"
        advancing[names[node]] = None
    lines: list[str] = []
    for node in reversed(step.nodes):
        if node in names:
            continue
        if short_name(node) in LAYOUTS or short_name(node) in SAME:
            names[node] = _value(node.args[0], names, program)
            continue
        result = handed_on.get(node) or f"v{len(lines) + 1}"
        lines.append(f"{result} = {_call(node, names, program)}")
        names[node] = result
    for node, name in handed_on.items():
        if names.get(node) != name:
            lines.append(f"{name} = {names.get(node, node.name)}")
    if len(lines) > MOST_LINES:
        cut = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES // 2], f"... ({cut} more)", *lines[-MOST_LINES // 2 + 1 :]]
    head = [
        f"what repeats, {len(chain.states)} times:",
        f"  carried:   {', '.join(names[s] for _, s in step.carried)}",
        f"  advancing: {', '.join(advancing)}",
    ]
    return "\n".join([*head, *(f"    {line}" for line in lines)])


def _handed_on(chain: Chain) -> dict[fx.Node, fx.Node]:
    """What the last step hands on, and the node of the step before that plays the same part."""
    found: dict[fx.Node, fx.Node] = {}
    twins = dict(chain.step.twins)
    for _, state in chain.step.carried:
        if state in twins:
            found[twins[state]] = state
    return found


def _call(node: fx.Node, names: dict[fx.Node, str], program: Program) -> str:
    signs = {"add": " + ", "mul": " * ", "sub": " - ", "div": " / ", "matmul": " @ "}
    name = short_name(node)
    values = [_value(arg, names, program) for arg in node.args]
    if name in signs and len(values) == 2:
        return signs[name].join(values)
    if node.target is operator.getitem:
        return f"{values[0]}[{values[1]}]"
    return f"{name}({', '.join(values)})"


def _value(value: Any, names: dict[fx.Node, str], program: Program) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(v, names, program) for v in value)}]"
    if not isinstance(value, fx.Node):
        return str(value)
    if value in names:
        return names[value]
    if value.name in program.constants:
        return program.constants[value.name][0]
    return value.name
