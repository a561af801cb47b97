"""Find the mixers of a model, and prove that each is the function it looks like."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scanlet.errors import InvalidModelError, RecognitionError
from scanlet.frontend.dialects import AnyMixer, CanonicalMixer, ModuleParameters, recognise

#: Largest deviation accepted, relative to the largest output. Float32 rounding stays near 1e-6.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class MixerRecord:
    """A recognised mixer: where, in which dialect, its shapes, and how exactly it matched.

    `deviation` is the largest difference between the original module and the canonical form on
    random input, relative to the largest output; None where it was not measured. `near_miss`, of a
    scan alone, is what kept its gated surroundings from being a mixer.
    """

    path: str
    dialect: str
    d_model: int
    d_inner: int
    d_state: int
    d_conv: int
    dt_rank: int
    deviation: float | None
    inner_norm: bool = False
    bidirectional: bool = False
    near_miss: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the deviation goes past what rounding explains."""
        return self.deviation is not None and self.deviation > TOLERANCE


def record(mixer: AnyMixer, deviation: float | None) -> MixerRecord:
    return MixerRecord(
        mixer.path,
        mixer.dialect,
        mixer.d_model,
        mixer.d_inner,
        mixer.d_state,
        mixer.d_conv,
        mixer.dt_rank,
        deviation,
        inner_norm=isinstance(mixer, CanonicalMixer) and mixer.inner_norm_eps is not None,
        bidirectional=mixer.backward is not None,
    )


def find_in_module(model: nn.Module) -> dict[str, AnyMixer]:
    """The mixers of an `nn.Module` by path; raises what the dialects raise."""
    found: dict[str, AnyMixer] = {}
    for path, module in model.named_modules():
        tensors = {
            name: tensor
            for name, tensor in (*module.named_parameters(), *module.named_buffers())
            if name.count(".") <= 1
        }
        children = frozenset(name for name, _ in module.named_children())
        mixer = recognise(ModuleParameters(path, tensors, children, _settings(module)))
        if mixer is not None:
            found[path] = mixer
    return found


def _settings(module: nn.Module) -> dict[str, float]:
    """Numbers among the attributes of the module, of its `config` and of its children, "a.0" and
    "a.1" of a pair; and the eps of its children (norms)."""
    numbers = _numbers(module)
    if hasattr(module, "config") and not isinstance(module.config, (nn.Module, Tensor)):
        numbers |= {f"config.{k}": v for k, v in _numbers(module.config).items()}
    for name, child in module.named_children():
        numbers |= {f"{name}.{k}": v for k, v in _numbers(child).items()}
        for attribute in ("eps", "variance_epsilon"):
            if attribute in vars(child):
                eps = vars(child)[attribute]  # None is nn.RMSNorm's: that of the type
                numbers[f"{name}.eps"] = torch.finfo(torch.float32).eps if eps is None else eps
    return numbers


def _numbers(holder: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in getattr(holder, "__dict__", {}).items():
        pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else ()
        for suffix, number in (("", value), *((f".{i}", part) for i, part in enumerate(pair))):
            if isinstance(number, (bool, int, float)):
                found[name + suffix] = number
    return found


def find_in_names(
    state: dict[str, Tensor],
    modules: Iterable[str] = (),
    epsilons: tuple[float, ...] = (),
) -> dict[str, AnyMixer]:
    """The mixers of a program by path, from the names of its parameters and of its modules.

    `epsilons` are those that its norms have, in any module.
    """
    known = tuple(modules)
    paths = {"": None}  # a set that keeps the order of the parameters
    for name in state:
        inner = name.rpartition(".")[0]
        paths |= {inner.rpartition(".")[0]: None, inner: None}
    found: dict[str, AnyMixer] = {}
    for path in paths:
        prefix = f"{path}." if path else ""
        inside = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        tensors = {name: tensor for name, tensor in inside.items() if name.count(".") <= 1}
        below = (*inside, *(m.removeprefix(prefix) + "." for m in known if m.startswith(prefix)))
        children = frozenset(name.partition(".")[0] for name in below if "." in name)
        mixer = recognise(ModuleParameters(path, tensors, children, epsilons=epsilons))
        if mixer is not None:
            found[path] = mixer
    return found


def verify(
    mixer: AnyMixer,
    original: Callable[[Tensor], Any],
    lengths: Iterable[int],
    *,
    others: Iterable[int] = (),
    accept: float | None = None,
) -> tuple[AnyMixer, float]:
    """Compare the original module with the canonical form on random input.

    `lengths` are those the model uses; `others` are tried as well, where the module takes them.
    Returns the mixer, or that of its alternatives that fits, and the largest relative deviation;
    raises RecognitionError past TOLERANCE, or past `accept` where that is larger.
    """
    accepted = max(TOLERANCE, accept or 0.0)
    choices = mixer.meanings
    measured: list[float] = []
    for choice in choices:
        measured.append(_measure(choice, original, lengths, others))
        if measured[-1] <= TOLERANCE:
            return choice, measured[-1]
    best = min(range(len(choices)), key=lambda i: measured[i])
    if measured[best] <= accepted:
        return choices[best], measured[best]
    raise RecognitionError(
        f"has the parameters of a {mixer.dialect} mixer, but computes something else: it deviates "
        f"from the selective scan by {measured[best]:.2%} of the largest output (random input, "
        f"{accepted:.2%} is accepted)",
        where=mixer.path or "the model itself",
        hint="clamped or chunked cumulative-sum scans and changed gates are other functions; train "
        "with an exact scan such as scanlet.nn.MambaMixer, or compile the true recurrence with "
        f"accept_deviation={_rounded_up(measured[best]):g} and see what that does to the accuracy",
    )


def _rounded_up(deviation: float) -> float:
    """To two digits; what is not finite cannot be accepted, but a number has to stand there."""
    if not math.isfinite(deviation):
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(deviation)) - 1)
    return math.ceil(deviation / unit) * unit


def _measure(
    mixer: AnyMixer,
    original: Callable[[Tensor], Any],
    lengths: Iterable[int],
    others: Iterable[int],
) -> float:
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
            worst = max(worst, _deviation(mixer, x, got))
    return worst


def _deviation(mixer: AnyMixer, x: Tensor, got: Any) -> float:
    where = mixer.path or "the model itself"
    with torch.no_grad():
        want = mixer(x)
    if not isinstance(got, Tensor) or got.shape != want.shape:
        found = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
        raise RecognitionError(
            f"has the parameters of a {mixer.dialect} mixer, but returns {found} instead of a "
            f"tensor {tuple(want.shape)}",
            where=where,
            hint="return the mixer's output alone, as scanlet.nn.MambaMixer does",
        )
    if not (got.isfinite().all() or want.isfinite().all()):
        raise InvalidModelError(
            "becomes NaN or infinite in PyTorch on random input of magnitude 1 to 4",
            where=where,
            hint="look for weights far beyond the others, and for decay rates A above zero",
        )
    scale = max(float(want.abs().max()), 1e-12)
    deviation = float((got - want).abs().max()) / scale
    return math.inf if math.isnan(deviation) else deviation
