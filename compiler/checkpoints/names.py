"""Names of tensors without what wrappers put before them, and the types of the tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from scanlet.errors import ModelFileError, UnsupportedModelError

#: What torch.compile puts between a module's name and its parameters'.
COMPILED = "_orig_mod"
CONVERTED = (torch.float16, torch.bfloat16, torch.float64)
T = TypeVar("T")


def candidates(tensors: Mapping[str, T]) -> Iterator[tuple[str, dict[str, T]]]:
    """(prefix, the tensors by what is left of their names), without any prefix first.

    Each further step removes the first part of the names, as long as all of them share it.
    """
    prefix = ""
    inside = {_without_compiled(name): tensor for name, tensor in tensors.items()}
    while True:
        yield prefix, inside
        heads = {name.partition(".")[0] for name in inside}
        if len(heads) != 1 or not all("." in name for name in inside):
            return
        (head,) = heads
        prefix = f"{prefix}{head}."
        inside = {name.partition(".")[2]: tensor for name, tensor in inside.items()}


def _without_compiled(name: str) -> str:
    return ".".join(part for part in name.split(".") if part != COMPILED)


def as_float32(tensors: Mapping[str, Tensor], where: str, notes: list[str]) -> dict[str, Tensor]:
    """The tensors in float32, each with memory of its own kind.

    Half precision and float64 are converted, with a note. Raises UnsupportedModelError for
    quantized, complex and integer weights, ModelFileError for a tensor without data.
    """
    converted: dict[torch.dtype, int] = {}
    result = {}
    for name, tensor in tensors.items():
        if tensor.is_meta:
            raise ModelFileError(f"{name} has no data (meta device)", where=where)
        if tensor.dtype in CONVERTED:
            converted[tensor.dtype] = converted.get(tensor.dtype, 0) + 1
        elif tensor.dtype != torch.float32:
            raise UnsupportedModelError(
                f"{name} is {str(tensor.dtype).removeprefix('torch.')}",
                where=where,
                hint="load the model where it was quantized or packed, convert it to float32, and "
                "save its state_dict; scanlet quantizes by itself",
            )
        result[name] = tensor.detach().to(torch.float32).contiguous()
    for dtype, count in converted.items():
        notes.append(
            f"{count} tensors were converted from {dtype} to float32".replace("torch.", "")
        )
    return result
