"""What a kind of layer adds to the parameter block behind its common part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scanlet.planning.layer import LayerPlan

#: As many bytes as the registration allows for; see SCANLET_MAX_BLOCK_BYTES in kernels/layer.h.
MOST_BYTES = 32


@dataclass(frozen=True)
class MoreParameters:
    """`size` bytes (at most MOST_BYTES), how they are written, and read back.

    `decode` raises ModelFileError for bytes that `encode` does not write.
    """

    size: int
    encode: Callable[[LayerPlan], bytes]
    decode: Callable[[bytes], Any]

    def __post_init__(self) -> None:
        if self.size > MOST_BYTES:
            raise ValueError(f"{self.size} bytes of parameters, {MOST_BYTES} at most")


NOTHING = MoreParameters(0, lambda _: b"", lambda _: None)
