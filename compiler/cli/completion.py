"""Values that the shell completes; files are completed wherever nothing else is known."""

from __future__ import annotations

from scanlet.api import MODES, PRECISIONS, STATES
from scanlet.quantization.observers import OBSERVERS
from scanlet.targets import ALL

Described = list[tuple[str, str]]

_PRECISIONS = {
    "float32": "as trained",
    "int8": "int8 weights and activations",
    "int16x8": "int8 weights, int16 activations",
}
_MODES = {"sequence": "each run starts from zero state", "stream": "the state is carried"}
_OBSERVERS = {
    "minmax": "all that calibration saw",
    "percentile": "all but 0.01 % at each end",
    "mse": "the least squared error",
}
_POOLINGS = {
    "mean": "of all steps since the reset",
    "exponential:": "STEPS, how long it remembers",
    "last": "the newest step",
    "chunk": "each chunk for itself",
}


def targets(incomplete: str) -> Described:
    return _beginning(incomplete, {name: target.description for name, target in ALL.items()})


def cores(incomplete: str) -> Described:
    """Emulated cores, and the boards that one stands for."""
    known = {name: target.description for name, target in ALL.items() if target.core is not None}
    return _beginning(incomplete, known)


def precisions(incomplete: str) -> Described:
    return _beginning(incomplete, {name: _PRECISIONS.get(name, "") for name in PRECISIONS})


def modes(incomplete: str) -> Described:
    return _beginning(incomplete, {name: _MODES.get(name, "") for name in MODES})


def states(incomplete: str) -> Described:
    return _beginning(incomplete, dict.fromkeys(STATES, "of an integer mixer"))


def observers(incomplete: str) -> Described:
    return _beginning(incomplete, {name: _OBSERVERS.get(name, "") for name in OBSERVERS})


def poolings(incomplete: str) -> Described:
    return _beginning(incomplete, _POOLINGS)


def _beginning(incomplete: str, known: dict[str, str]) -> Described:
    return [(name, text) for name, text in known.items() if name.startswith(incomplete)]
