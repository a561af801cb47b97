"""Find the mixers of a model, and prove that each is the function it looks like."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scanlet.errors import RecognitionError
from scanlet.frontend.dialects import CanonicalMixer, ModuleParameters, recognise
from scanlet.nn.functional import mamba_mixer

#: Largest deviation accepted, relative to the largest output. Float32 rounding stays near 1e-6.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class MixerRecord:
    """A recognised mixer: where, in which dialect, its shapes, and how exactly it matched.

    `deviation` is the largest difference between the original module and the canonical form on
    random input, relative to the largest output; None where it was not measured.
    """

    path: str
    dialect: str
    d_model: int
    d_inner: int
    d_state: int
    d_conv: int
    dt_rank: int
    deviation: float | None


def record(mixer: CanonicalMixer, deviation: float | None) -> MixerRecord:
    return MixerRecord(
        mixer.path,
        mixer.dialect,
        mixer.d_model,
        mixer.d_inner,
        mixer.d_state,
        mixer.d_conv,
        mixer.dt_rank,
        deviation,
    )


def find_in_module(model: nn.Module) -> dict[str, CanonicalMixer]:
    """The mixers of an `nn.Module` by path; raises what the dialects raise."""
    found: dict[str, CanonicalMixer] = {}
    for path, module in model.named_modules():
        tensors = {
            name: tensor
            for name, tensor in (*module.named_parameters(), *module.named_buffers())
            if name.count(".") <= 1
        }
        children = frozenset(name for name, _ in module.named_children())
        mixer = recognise(ModuleParameters(path, tensors, children))
        if mixer is not None:
            found[path] = mixer
    return found


def find_in_names(state: dict[str, Tensor]) -> dict[str, CanonicalMixer]:
    """The mixers of a program by path, from the names of its parameters alone."""
    paths = {"": None}  # a set that keeps the order of the parameters
    for name in state:
        inner = name.rpartition(".")[0]
        paths |= {inner.rpartition(".")[0]: None, inner: None}
    found: dict[str, CanonicalMixer] = {}
    for path in paths:
        prefix = f"{path}." if path else ""
        inside = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        tensors = {name: tensor for name, tensor in inside.items() if name.count(".") <= 1}
        children = frozenset(name.partition(".")[0] for name in inside if "." in name)
        mixer = recognise(ModuleParameters(path, tensors, children))
        if mixer is not None:
            found[path] = mixer
    return found


def verify(
    mixer: CanonicalMixer,
    original: Callable[[Tensor], Any],
    lengths: Iterable[int],
    *,
    others: Iterable[int] = (),
) -> float:
    """Compare the original module with the canonical form on random input.

    `lengths` are those the model uses; `others` are tried as well, where the module takes them.
    Returns the largest relative deviation; raises RecognitionError past TOLERANCE.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    used = sorted(set(lengths))
    for length in (*used, *sorted(set(others) - set(used))):
        for scale in (1.0, 4.0):  # larger inputs reach larger step sizes
            x = scale * torch.randn(1, length, mixer.d_model, generator=generator)
            try:
                with torch.no_grad():
                    got = original(x)
            except Exception as error:  # whatever a module may raise
                if length not in used:
                    break
                raise RecognitionError(
                    f"the module does not run on shape {tuple(x.shape)}: "
                    f"{str(error).strip().splitlines()[0] if str(error).strip() else error!r}",
                    where=mixer.path or "the model itself",
                ) from error
            worst = max(worst, _deviation(mixer, x, got, length))
    return worst


def _deviation(mixer: CanonicalMixer, x: Tensor, got: Any, length: int) -> float:
    where = mixer.path or "the model itself"
    with torch.no_grad():
        want = mamba_mixer(x, **mixer.parameters)  # type: ignore[arg-type]
    if not isinstance(got, Tensor) or got.shape != want.shape:
        found = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
        raise RecognitionError(
            f"has a Mamba-1 mixer's parameters, but returns {found} instead of a tensor "
            f"{tuple(want.shape)}",
            where=where,
        )
    scale = max(float(want.abs().max()), 1e-12)
    deviation = float((got - want).abs().max()) / scale
    if math.isnan(deviation) or deviation > TOLERANCE:
        raise RecognitionError(
            f"has a Mamba-1 mixer's parameters, but computes something else: it deviates from "
            f"the selective scan by {deviation:.2%} of the largest output (L = {length}, random "
            f"input, {TOLERANCE:.2%} is accepted)",
            where=where,
            hint="clamped or chunked cumulative-sum scans, inner norms and changed gates are other "
            "functions; train with an exact scan such as scanlet.nn.MambaMixer",
        )
    return deviation
