"""Arrays that a command reads from .npy and .npz files, or writes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from scanlet.errors import InputError


def calibration_arrays(path: Path) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The samples, each (1, ...), `x` or the first array, and their classes, `y` if it is there."""
    from scanlet.cli.model_source import load_arrays

    arrays = load_arrays(path)
    classes = arrays.pop("y", None) if len(arrays) > 1 else None
    if not arrays:
        raise InputError("holds no array", where=str(path))
    samples = arrays.get("x", next(iter(arrays.values())))
    return [row[np.newaxis] for row in samples], classes


def normalization_arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the raw input's features."""
    from scanlet.cli.model_source import load_arrays

    arrays = load_arrays(path)
    if not {"mean", "std"} <= arrays.keys():
        raise InputError(f"has {sorted(arrays)}, not mean and std", where=str(path))
    return arrays["mean"], arrays["std"]


def first_array(path: Path) -> np.ndarray:
    from scanlet.cli.model_source import load_arrays

    arrays = load_arrays(path)
    if not arrays:
        raise InputError("holds no array", where=str(path))
    return next(iter(arrays.values()))


def write_array(path: Path, array: np.ndarray) -> None:
    """Replace an .npy file whole; another suffix gets .npy behind it, as NumPy names its files."""
    from scanlet.emit.durable import write_file

    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    named = path if path.suffix == ".npy" else path.with_name(path.name + ".npy")
    write_file(named, stream.getvalue())
