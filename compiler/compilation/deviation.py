"""Mixers whose code is not the selective scan: what it costs to compile the true recurrence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from scanlet.errors import InputError
from scanlet.execution.samples import Sample
from scanlet.execution.verification import Runner, Verification, compare


def check_accepted(accept_deviation: float | None) -> None:
    """Raise InputError for anything but a positive number or None."""
    if accept_deviation is None:
        return
    number = isinstance(accept_deviation, (int, float)) and not isinstance(accept_deviation, bool)
    if not number or not math.isfinite(accept_deviation) or accept_deviation <= 0:
        raise InputError(
            f"accept_deviation is {accept_deviation!r}",
            hint="give the largest deviation that you accept, relative to a mixer's largest "
            "output: 0.1 for 10 %; the error without it states the measured one",
        )


def change_of(reference: Runner, original: Runner, samples: Sequence[Sample]) -> Verification:
    """How far the model with the true recurrence is from the one that was given."""
    return compare(
        [reference(*sample) for sample in samples],
        [original(*sample) for sample in samples],
        tolerance=math.inf,
        ran_on="pytorch",
    )


def deviation_warnings(mixers: Iterable[Any], changed: Verification) -> list[str]:
    """What the user is told: the mixers, and what that does to the model's outputs."""
    named = [
        f"{mixer.path or 'the model itself'} by {mixer.deviation:.2%}"
        for mixer in mixers
        if mixer.accepted
    ]
    labels = ""
    if changed.label_agreement is not None:
        labels = f", the largest class agrees in {changed.label_agreement:.1%}"
    return [
        f"compiled as the true recurrence, from which the model's code deviates: "
        f"{', '.join(named)} of the largest output (accept_deviation). The model's outputs change "
        f"by up to {changed.max_error / changed.scale:.2%} of their magnitude{labels} "
        f"({changed.samples} samples)"
    ]
