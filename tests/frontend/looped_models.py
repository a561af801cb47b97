"""Mixers written out as loops over time, in many styles, under names that say nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

#: (u, delta, A, B, C) -> y, shapes as `scanlet.nn.functional.selective_scan`'s.
Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

WIDTH, INNER, STATES, RANK = 6, 10, 3, 2


class Looped(nn.Module):
    """A whole mixer around a scan that is written some way."""

    def __init__(self, scan: Scan, width: int = WIDTH) -> None:
        super().__init__()
        self.scan = scan
        self.p1 = nn.Linear(width, 2 * INNER, bias=False)
        self.p2 = nn.Conv1d(INNER, INNER, 4, groups=INNER, padding=3)
        self.p3 = nn.Linear(INNER, RANK + 2 * STATES, bias=False)
        self.p4 = nn.Linear(RANK, INNER)
        self.p5 = nn.Parameter(torch.zeros(INNER, STATES))
        self.p6 = nn.Parameter(torch.ones(INNER))
        self.p7 = nn.Linear(INNER, width, bias=False)

    def enter(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u, z = self.p1(x).chunk(2, dim=-1)
        u = self.p2(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        return F.silu(u), z

    def forward(self, x: Tensor) -> Tensor:
        u, z = self.enter(x)
        dt, b, c = self.p3(u).split([RANK, STATES, STATES], dim=-1)
        y = self.scan(u, F.softplus(self.p4(dt)), -torch.exp(self.p5), b, c)
        return self.p7((y + self.p6 * u) * F.silu(z))


def einsums(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    decay = torch.exp(torch.einsum("bld,dn->bldn", delta, a))
    entering = torch.einsum("bld,bln,bld->bldn", delta, b, u)
    h = torch.zeros(u.shape[0], *a.shape)
    out = []
    for t in range(u.shape[1]):
        h = decay[:, t] * h + entering[:, t]
        out.append(torch.einsum("bdn,bn->bd", h, c[:, t]))
    return torch.stack(out, dim=1)


def broadcasting(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    h = None
    out = []
    for t in range(u.shape[1]):
        step = delta[:, t].unsqueeze(-1)
        entering = step * b[:, t].unsqueeze(1) * u[:, t].unsqueeze(-1)
        h = entering if h is None else torch.exp(step * a) * h + entering
        out.append((h * c[:, t, None, :]).sum(-1, keepdim=True))
    return torch.cat(out, dim=-1).transpose(1, 2)


def _advance(h: Tensor, u: Tensor, d: Tensor, a: Tensor, b: Tensor, c: Tensor) -> tuple:
    h = (d[..., None] * a).exp().mul(h).add((d * u)[..., None] * b[:, None, :])
    return h, torch.matmul(h, c[..., None])[..., 0]


def step_functions(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    h, out = torch.zeros_like(u[:, 0, :, None] * b[:, 0, None, :]), []
    for each in zip(u.unbind(1), delta.unbind(1), b.unbind(1), c.unbind(1), strict=True):
        u_t, d_t, b_t, c_t = each
        h, y = _advance(h, u_t, d_t, a, b_t, c_t)
        out.append(y.unsqueeze(1))
    return torch.cat(out, 1)


def in_place(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    y = torch.empty_like(u)
    h = u.new_zeros(u.shape[0], *a.shape)
    for t in range(u.shape[1]):
        h = (
            torch.exp(delta[:, t, :, None] * a) * h
            + (delta[:, t] * u[:, t])[..., None] * b[:, t, None]
        )
        y[:, t] = (h @ c[:, t].unsqueeze(-1)).squeeze(-1)
    return y


def states_first(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The state is (1, N, E), and outputs are read from all states at once."""
    decay = torch.exp(delta.unsqueeze(2) * a.t())
    entering = (delta * u).unsqueeze(2) * b.unsqueeze(-1)
    h, states = torch.zeros(1, STATES, INNER), []
    for decay_t, entering_t in zip(decay.unbind(1), entering.unbind(1), strict=True):
        h = torch.addcmul(entering_t, decay_t, h)
        states.append(h)
    return torch.einsum("blnd,bln->bld", torch.stack(states, 1), c)


def scan_operator(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    from torch._higher_order_ops.scan import scan

    def body(h: Tensor, xs: tuple) -> tuple:
        u_t, d_t, b_t, c_t = xs
        h, y = _advance(h, u_t, d_t, a, b_t, c_t)
        return h, y

    moved = tuple(x.transpose(0, 1) for x in (u, delta, b, c))
    return scan(body, u.new_zeros(1, INNER, STATES), moved)[1].transpose(0, 1)


def associative(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    from torch._higher_order_ops.associative_scan import associative_scan

    def combine(one: tuple, two: tuple) -> tuple:
        return one[0] * two[0], two[0] * one[1] + two[1]

    decay = torch.exp(delta.unsqueeze(-1) * a)
    entering = (delta * u).unsqueeze(-1) * b.unsqueeze(2)
    _, h = associative_scan(combine, (decay, entering), dim=1, combine_mode="generic")
    return (h @ c.unsqueeze(-1)).squeeze(-1)


STYLES: dict[str, Scan] = {
    f.__name__: f for f in (einsums, broadcasting, step_functions, in_place, states_first)
}


class Cell(nn.Module):
    """One step, with the projections and the gate inside."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Linear(INNER, RANK, bias=False)
        self.w2 = nn.Linear(RANK, INNER)
        self.w3 = nn.Linear(INNER, STATES, bias=False)
        self.w4 = nn.Linear(INNER, STATES, bias=False)
        self.w5 = nn.Parameter(torch.zeros(INNER, STATES))
        self.w6 = nn.Linear(INNER, WIDTH)

    def forward(self, u: Tensor, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        d = torch.log(1 + torch.exp(self.w2(self.w1(u))))
        decay = torch.exp(-d.unsqueeze(-1) * torch.exp(self.w5))
        h = decay * h + (d * u).unsqueeze(-1) * self.w3(u).unsqueeze(1)
        y = (h * self.w4(u).unsqueeze(1)).sum(-1)
        return self.w6(y * z * torch.sigmoid(z)), h


class SteppedCell(nn.Module):
    """Separate projections for x and z, a left-padded convolution, everything else in the step."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(WIDTH, INNER)
        self.b = nn.Linear(WIDTH, INNER)
        self.c = nn.Conv1d(INNER, INNER, 3, groups=INNER, bias=False)
        self.d = Cell()

    def forward(self, x: Tensor) -> Tensor:
        u = F.silu(self.c(F.pad(self.b(x).transpose(1, 2), (2, 0))))
        z = self.a(x)
        h, out = torch.zeros(1, INNER, STATES), []
        for t in range(x.shape[1]):
            y, h = self.d(u[:, :, t], z[:, t], h)
            out.append(y)
        return torch.stack(out, 1)


class Backwards(Looped):
    """The loop runs from the end, [z; x] is the order of the projection, the last step is used."""

    def forward(self, x: Tensor) -> Tensor:
        z, u = self.p1(x.flip(1)).chunk(2, dim=-1)
        u = F.silu(self.p2(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        dt, b, c = self.p3(u).split([RANK, STATES, STATES], dim=-1)
        y = self.scan(u, F.softplus(self.p4(dt)), -torch.exp(self.p5), b, c)
        return self.p7(((y + self.p6 * u) * F.silu(z)).flip(1))


class Ungated(Looped):
    """No gate, no D, no output projection, one full matrix for delta."""

    def __init__(self, scan: Scan) -> None:
        super().__init__(scan)
        self.p8 = nn.Linear(INNER, INNER)

    def forward(self, x: Tensor) -> Tensor:
        u, _ = self.enter(x)
        _, b, c = self.p3(u).split([RANK, STATES, STATES], dim=-1)
        return self.scan(u, F.softplus(self.p8(u)), -torch.exp(self.p5), b, c)
