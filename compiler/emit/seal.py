"""A checksum that a flatbuffer carries over itself, so that damage never reaches an interpreter.

The metadata entry "scanlet" points to a buffer of 32 bytes: 12 of magic and 20 of SHA-256 over the
whole file with those 20 bytes as zeros. TFLM and other readers skip unknown metadata.
"""

from __future__ import annotations

import hashlib

from scanlet.errors import ModelFileError

METADATA_NAME = "scanlet"
MAGIC = b"scanlet seal"
DIGEST_BYTES = 20
EMPTY = MAGIC + bytes(DIGEST_BYTES)


def attach(tflite: bytes) -> bytes:
    """Fill in the digest of a flatbuffer that holds an EMPTY seal."""
    start = tflite.rindex(EMPTY) + len(MAGIC)
    return tflite[:start] + _digest(tflite) + tflite[start + DIGEST_BYTES :]


def check(tflite: bytes, start: int, size: int) -> None:
    """Raise ModelFileError unless the seal at `start` fits the file."""
    digest_start = start + len(MAGIC)
    blank = tflite[:digest_start] + bytes(DIGEST_BYTES) + tflite[start + len(EMPTY) :]
    if tflite[start : start + size] != MAGIC + _digest(blank):
        raise ModelFileError(
            "the flatbuffer's checksum does not fit: a byte of it was changed",
            hint="compile the model again, or copy the file again",
        )


def _digest(tflite: bytes) -> bytes:
    return hashlib.sha256(tflite).digest()[:DIGEST_BYTES]
