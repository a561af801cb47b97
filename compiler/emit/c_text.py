"""Numbers and arrays as C text."""

from __future__ import annotations

from typing import Any

import numpy as np

PER_LINE = {
    **{"float32": 8, "int64": 8, "int32": 12, "uint32": 12},
    **{"int16": 16, "uint16": 16, "int8": 20},
}


def c_float(value: float) -> str:
    """A float literal that reads back as exactly this float32."""
    number = np.float32(value)
    if not np.isfinite(number):
        raise ValueError(f"{value} has no C literal")
    text = str(number)
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def c_struct(kind: str, **fields: Any) -> str:
    """A compound literal: (kind){.field = value, ...}; tuples become braces."""
    parts = []
    for name, value in fields.items():
        shown = "{" + ", ".join(map(str, value)) + "}" if isinstance(value, tuple) else str(value)
        parts.append(f".{name} = {shown}")
    return f"(({kind}){{{', '.join(parts)}}})"


def c_array_body(data: np.ndarray) -> str:
    """The elements, some a line, indented by four."""
    flat = data.ravel()
    if data.dtype == np.float32:
        items = [c_float(value) for value in flat]
    else:
        items = [str(int(value)) for value in flat]
    width = PER_LINE[str(data.dtype)]
    lines = [", ".join(items[i : i + width]) for i in range(0, len(items), width)]
    return "\n".join(f"    {line}," for line in lines)


def c_string(text: str) -> str:
    """A string literal of the text's UTF-8 bytes; what is not plain ASCII as octal."""
    plain = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~") | {
        byte for byte in range(128) if chr(byte).isalnum()
    }
    shown = (chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode())
    return '"' + "".join(shown).replace("\\012", "\\n") + '"'
