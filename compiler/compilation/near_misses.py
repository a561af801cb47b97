"""Mixers that were almost recognised: computed all the same, at a higher cost than a mixer's."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from scanlet.errors import ScanletWarning


def near_miss_warnings(mixers: Iterable[Any], stacklevel: int) -> list[str]:
    """What the user is told of scans that stand where a mixer was likely meant; also issued as
    Python warnings. None for a recognised mixer, nor for a scan without a gate behind it."""
    found = [
        f"{mixer.path or 'the model itself'} is computed as a bare selective scan with ordinary "
        f"operators around it, since it differs from a Mamba mixer: {mixer.near_miss}. It will be "
        "larger and slower than the fused operator; docs/dialects.md says what is recognised"
        for mixer in mixers
        if mixer.near_miss is not None
    ]
    for text in found:
        warnings.warn(text, ScanletWarning, stacklevel=stacklevel + 1)
    return found
