"""The generic target: portable C for any core with a C11 compiler."""

from __future__ import annotations

from scanlet.targets.base import Target

KIB = 1024

TARGETS = (
    Target(
        name="generic",
        description="any core with a C11 compiler; portable kernels",
        architecture="any",
        kernels="portable",
        ram_bytes=512 * KIB,
        flash_bytes=4 * KIB * KIB,
        has_fpu=True,
    ),
)
