"""Read the layers around a scan off its streams: the canonical mixer that does all of it at once.

Convolution, projections, gate and output projection keep their weights, whatever they are called
and however they were split; what a mixer lacks becomes a constant that does nothing (an identity
projection, a convolution of one tap, a gate of silu(z) = 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scanlet.frontend.reroll import expression
from scanlet.frontend.reroll.expression import on_arrays, relayout
from scanlet.frontend.reroll.readout import Readout
from scanlet.frontend.reroll.recurrence import Recurrence, only_factor, row, signature
from scanlet.frontend.reroll.terms import (
    ZERO,
    Atom,
    ConvAtom,
    Leaf,
    LinearAtom,
    Poly,
    States,
)

#: silu(OPEN) = 1.
OPEN = 1.2784645427610738


class NotAbsorbedError(Exception):
    """Which part of a Mamba-1 mixer is missing around a selective scan, as one phrase."""


@dataclass
class Absorbed:
    """A mixer: arguments of `scanlet.nn.mamba_mixer` in float64, and what enters it.

    `source`: (L, d_model); `order` (L,): the row of `source` that each step reads.
    """

    parameters: dict[str, Tensor | None]
    source: Poly
    order: Tensor


@dataclass
class _Layer:
    """A stream (steps, features) as a linear layer on `source` (rows, in).

    `rows` (steps,): which row each step reads.
    """

    weight: Tensor
    bias: Tensor | None
    source: Poly
    rows: Tensor


def absorb(scan: Recurrence, readout: Readout) -> Absorbed:
    """The mixer around `scan`. Raises NotAbsorbedError."""
    x, conv_weight, conv_bias = _convolution(scan)
    dt_weight, x_dt, dt_bias = _step_size(scan)
    b_weight = _of_u(_layer(scan.B, "B"), scan, torch.arange(scan.steps), "B")
    c_weight = _of_u(_layer(readout.C, "C"), scan, readout.steps, "C")
    if not bool((scan.A <= 0).all()):
        raise NotAbsorbedError("A has positive values: the state would grow without bound")
    z_weight, z_bias = _gate(readout, x)
    biased = x.bias is not None or z_bias is not None
    nothing = torch.zeros(scan.d_inner, dtype=torch.float64)
    x_bias = nothing if x.bias is None else x.bias
    z_bias = nothing if z_bias is None else z_bias
    out_weight = readout.weight
    if out_weight is None:
        out_weight = torch.eye(scan.d_inner, dtype=torch.float64)
    parameters: dict[str, Tensor | None] = {
        "in_proj_weight": torch.cat([x.weight, z_weight]),
        "in_proj_bias": torch.cat([x_bias, z_bias]) if biased else None,
        "conv_weight": conv_weight.unsqueeze(1),
        "conv_bias": conv_bias,
        "x_proj_weight": torch.cat([x_dt, b_weight, c_weight]),
        "dt_proj_weight": dt_weight,
        "dt_proj_bias": dt_bias,
        "A_log": torch.log(-scan.A),
        "D": readout.D,
        "out_proj_weight": out_weight,
        "out_proj_bias": readout.bias,
    }
    return Absorbed(parameters, x.source, x.rows)


# -- streams as layers ---------------------------------------------------------------------------
def _layer(stream: Poly, called: str) -> _Layer:
    held = [t for t in stream.terms if t.factors]
    added = [t for t in stream.terms if not t.factors]
    if len(held) != 1 or len(held[0].factors) != 1 or held[0].width != 1:
        raise NotAbsorbedError(f"{called} is not the output of a linear layer")
    leaf = held[0].factors[0]
    if not isinstance(leaf, Leaf) or isinstance(leaf.atom, (States, ConvAtom)):
        raise NotAbsorbedError(f"{called} is not the output of a linear layer")
    layer, rows, columns = _placed(leaf.atom, leaf.index[..., 0], called)
    size = (*stream.shape, 1)
    gain = torch.as_tensor(held[0].coef, dtype=torch.float64).expand(size)[..., 0]
    _check(bool((gain == gain[:1]).all()), f"{called} is scaled differently at each step")
    weight = layer.weight[columns]
    bias = None if layer.bias is None else layer.bias[columns]
    if not bool((gain == 1).all()):
        weight = weight * gain[0].unsqueeze(1)
        bias = None if bias is None else bias * gain[0]
    for term in added:
        values = torch.as_tensor(term.coef, dtype=torch.float64).expand(size)[..., 0]
        _check(bool((values == values[:1]).all()), f"{called} has a bias that changes with time")
        bias = values[0] if bias is None else bias + values[0]
    return _Layer(weight, bias, layer.source, rows)


def _check(fits: bool, otherwise: str) -> None:
    if not fits:
        raise NotAbsorbedError(otherwise)


def _placed(atom: Atom, index: Tensor, called: str) -> tuple[_Layer, Tensor, Tensor]:
    """The layer behind an atom, and which row and which output of it `index` (steps, features) is.

    A value that is no linear layer is an identity layer on itself, time in either axis.
    """
    for layer, size, time_last in _as_layers(atom):
        rows, columns = (
            (index % size, index // size) if time_last else (index // size, index % size)
        )
        if bool((rows == rows[:, :1]).all()) and bool((columns == columns[:1]).all()):
            return layer, rows[:, 0], columns[0]
    raise NotAbsorbedError(f"{called} mixes steps, or its features change places from step to step")


def _as_layers(atom: Atom) -> list[tuple[_Layer, int, bool]]:
    """Ways to see an atom as a layer: (layer, length of the last axis, whether that is time)."""
    nowhere = torch.empty(0)
    if isinstance(atom, LinearAtom):
        return [(_Layer(atom.weight, atom.bias, atom.source, nowhere), atom.shape[1], False)]
    if len(atom.shape) < 2 or sum(n > 1 for n in atom.shape) > 2:
        return []
    whole = expression.of_atom(atom)
    outer = 0 if len(atom.shape) == 3 and atom.shape[0] > 1 else len(atom.shape) - 2
    size = (atom.shape[outer], atom.size // atom.shape[outer])
    found = []
    for time_last in (False, True):
        rows = relayout(whole, lambda x: x.reshape(size))
        source = relayout(rows, lambda x: x.t()) if time_last else rows
        identity = torch.eye(size[0 if time_last else 1], dtype=torch.float64)
        found.append((_Layer(identity, None, source, nowhere), size[1], time_last))
    return found


def _of_u(layer: _Layer, scan: Recurrence, steps: Tensor, called: str) -> Tensor:
    """The weight of a layer without bias that reads u of each of `steps`, columns in u's order."""
    if layer.bias is not None and bool(layer.bias.any()):
        raise NotAbsorbedError(f"the projection that makes {called} has a bias")
    return layer.weight[:, _order_of_u(layer, scan, steps, called)]


def _order_of_u(layer: _Layer, scan: Recurrence, steps: Tensor, called: str) -> Tensor:
    """Which input of `layer` each channel of u is."""
    read = on_arrays(layer.source, lambda array: array[layer.rows])
    u = on_arrays(scan.u, lambda array: array[steps])
    missing = NotAbsorbedError(
        f"{called} is not computed from u, the value that enters the scan, but from another one"
    )
    if read.shape != u.shape or read.single is None or len(read.single.factors) != 1:
        raise missing
    places = {
        tuple(place.tolist()): i for i, place in enumerate(signature(only_factor(row(read, -1))))
    }
    wanted = [tuple(place.tolist()) for place in signature(only_factor(row(u, -1)))]
    if any(place not in places for place in wanted):
        raise missing
    order = torch.tensor([places[place] for place in wanted])
    if not expression.same(on_arrays(read, lambda array: array[:, order]), u):
        raise missing
    return order


# -- the parts of the mixer ----------------------------------------------------------------------
def _step_size(scan: Recurrence) -> tuple[Tensor, Tensor, Tensor]:
    """dt_proj's weight, x_proj's rows for dt, dt_proj's bias."""
    argument = expression.applied(scan.delta, "softplus")
    if argument is None:
        raise NotAbsorbedError("delta is not softplus of a projection")
    steps = torch.arange(scan.steps)
    outer = _layer(argument, "delta")
    nothing = torch.zeros(scan.d_inner, dtype=torch.float64)
    bias = nothing if outer.bias is None else outer.bias
    try:
        order = _order_of_u(outer, scan, steps, "delta")
    except NotAbsorbedError as error:
        read = on_arrays(outer.source, lambda array: array[outer.rows])
        try:
            inner = _layer(read, "dt")
            weight = inner.weight[:, _order_of_u(inner, scan, steps, "dt")]
        except NotAbsorbedError:
            raise error from None
        if inner.bias is not None:
            bias = bias + outer.weight @ inner.bias
        return outer.weight, weight, bias
    # One full matrix: the rank is d_inner.
    return torch.eye(scan.d_inner, dtype=torch.float64), outer.weight[:, order], bias


def _convolution(scan: Recurrence) -> tuple[_Layer, Tensor, Tensor | None]:
    """in_proj's rows for x, the convolution's weight (d_inner, taps) and bias."""
    argument = expression.applied(scan.u, "silu")
    if argument is None:
        raise NotAbsorbedError("u, the value that enters the scan, has not gone through SiLU")
    held = [t for t in argument.terms if t.factors]
    leaf = held[0].factors[0] if len(held) == 1 and len(held[0].factors) == 1 else None
    if not isinstance(leaf, Leaf) or not isinstance(leaf.atom, ConvAtom):
        one_tap = torch.ones(scan.d_inner, 1, dtype=torch.float64)
        x = _layer(argument, "x")
        _check_order(x.rows, scan.steps)
        return x, one_tap, None
    atom = leaf.atom
    out_time = atom.shape[1]
    index = leaf.index[..., 0]
    channel, time = index // out_time, index % out_time
    _check(bool((channel == channel[:1]).all()), "the convolution's channels change with time")
    _check(_is_one(held[0].coef), "the convolution's output is scaled")
    weight, bias = atom.weight[channel[0]], atom.bias
    bias = None if bias is None else bias[channel[0]]
    for term in argument.terms:
        if term is not held[0]:
            values = torch.as_tensor(term.coef, dtype=torch.float64)
            values = values.expand(*argument.shape, 1)[..., 0]
            _check(bool((values == values[:1]).all()), "the convolution's bias changes with time")
            bias = values[0] if bias is None else bias + values[0]
    if atom.dilation > 1:
        spread = torch.zeros(len(weight), (weight.shape[1] - 1) * atom.dilation + 1)
        spread = spread.double()
        spread[:, :: atom.dilation] = weight
        weight = spread
    return _ahead_of_taps(atom, channel[0], time, weight.shape[1]), weight, bias


def _is_one(coef: float | Tensor) -> bool:
    return bool((torch.as_tensor(coef) == 1).all())


def _ahead_of_taps(atom: ConvAtom, channel: Tensor, time: Tensor, taps: int) -> _Layer:
    """What the last tap reads; checks that the earlier ones read the steps before."""
    term = atom.source.single
    leaf = term.factors[0] if term is not None and len(term.factors) == 1 else None
    if term is None or not isinstance(leaf, Leaf) or not _is_one(term.coef) or term.width != 1:
        raise NotAbsorbedError("the convolution does not read the output of a projection")
    index = leaf.index[..., 0]  # (channels, time)
    reads = [index[channel, time + tap] for tap in range(taps)]  # (steps, d_inner) each
    _check(not bool((reads[-1] == ZERO).any()), "the convolution is not causal")
    now = expression.of_factor(Leaf(leaf.atom, reads[-1].unsqueeze(-1)), tuple(time.shape))
    x = _layer(now, "x")
    _check_order(x.rows, len(time))
    steps = torch.arange(len(time))
    for back in range(1, taps):
        before = reads[-1 - back]
        shifted = torch.roll(reads[-1], back, 0)
        expected = torch.where((steps >= back).unsqueeze(1), shifted, ZERO)
        _check(
            torch.equal(before, expected),
            "the convolution is not causal: it does not read zeros and the steps before",
        )
    return x


def _check_order(rows: Tensor, steps: int) -> None:
    order = torch.arange(steps)
    _check(
        torch.equal(rows, order) or torch.equal(rows, order.flip(0)),
        "the steps do not read the sequence in order",
    )


def _gate(readout: Readout, x: _Layer) -> tuple[Tensor, Tensor | None]:
    """in_proj's rows for z and their bias."""
    if readout.gate is None:
        return torch.zeros_like(x.weight), torch.full((len(x.weight),), OPEN, dtype=torch.float64)
    argument = expression.applied(readout.gate, "silu")
    assert argument is not None
    z = _layer(argument, "z, what gates the output,")
    if not torch.equal(z.rows, x.rows[readout.steps]):
        raise NotAbsorbedError("z, what gates the output, belongs to other steps than the output")
    if not expression.same(z.source, x.source):
        raise NotAbsorbedError("z, what gates the output, is not computed from the same value as x")
    return z.weight, z.bias
