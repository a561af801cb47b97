"""How people name and shape the parameters of a mixer, one dialect a file.

A dialect is `recognise(module) -> AnyMixer | None`: it looks at names and shapes only, never
at a class. One that knows a module but cannot express it raises UnsupportedModelError; one that
finds a parameter missing or misshapen raises RecognitionError.
"""

from __future__ import annotations

from collections.abc import Callable

from scanlet.frontend.dialects import (
    diagonal,
    falcon_mamba,
    gated_delta,
    jamba,
    mamba2,
    mamba3,
    mamba_ssm,
    mambapy,
    vision_mamba,
    vmamba,
    zamba,
)
from scanlet.frontend.dialects.base import AnyMixer, CanonicalMixer, ModuleParameters

#: In order: variants first, since most of them carry Mamba-1's names as well.
DIALECTS: tuple[Callable[[ModuleParameters], AnyMixer | None], ...] = (
    vmamba.recognise,
    zamba.recognise,
    gated_delta.recognise,
    vision_mamba.recognise,
    mamba3.recognise,
    mamba2.recognise,
    diagonal.recognise,
    falcon_mamba.recognise,
    jamba.recognise,
    mambapy.recognise,
    mamba_ssm.recognise,
)


def recognise(module: ModuleParameters) -> AnyMixer | None:
    """The mixer that `module` is, or None if no dialect knows it."""
    for dialect in DIALECTS:
        mixer = dialect(module)
        if mixer is not None:
            return mixer
    return None


__all__ = ["AnyMixer", "CanonicalMixer", "ModuleParameters", "recognise"]
