"""Find the model a command line names: a .pt2 file, or package.module:factory with weights."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet.errors import InputError, ModelFileError

if TYPE_CHECKING:
    import torch


def load_model(model: str, weights: Path | None) -> Any:
    """The model to hand to `scanlet.compile`.

    `model` is a path to a .pt2 (returned as a path), or "package.module:factory" where calling
    factory() (or, if it is a class, making an instance) gives an `nn.Module`; it is put in eval
    mode after `weights` were loaded strictly. Raises InputError or ModelFileError.
    """
    if ":" not in model or model.endswith(".pt2"):
        if not model.endswith(".pt2"):
            raise InputError(
                f"{model!r} is neither a .pt2 file nor package.module:factory",
                hint="export with torch.export.save, or name a function that returns the model",
            )
        if weights is not None:
            raise InputError("--weights goes with package.module:factory; a .pt2 has its own")
        return Path(model)
    module = _call_factory(model)
    if weights is not None:
        _load_weights(module, weights)
    return module.eval()


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an .npy (one, named "x") or .npz file.

    Raises InputError if there is none, ModelFileError if it is unreadable.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"x": loaded}
        with loaded:
            return {key: loaded[key] for key in loaded.files}
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise ModelFileError(f"cannot read arrays: {error}", where=str(path)) from error
    except Exception as error:  # zipfile and zlib raise their own kinds on damaged files
        raise ModelFileError(f"damaged array file: {error}", where=str(path)) from error


def _call_factory(name: str) -> torch.nn.Module:
    import torch

    module_name, _, attribute = name.partition(":")
    if "" not in sys.path:  # a console script does not see the working directory by itself
        sys.path.insert(0, "")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"cannot find {attribute!r} in module {module_name!r}: {error}",
            hint="the module must be importable from the working directory",
        ) from error
    module = factory if isinstance(factory, torch.nn.Module) else factory()
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{name} returned {type(module).__name__}, not a torch.nn.Module")
    return module


def _load_weights(module: torch.nn.Module, path: Path) -> None:
    import torch

    if path.suffix in (".npz", ".npy"):
        state: Any = {key: torch.from_numpy(array) for key, array in load_arrays(path).items()}
    else:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except OSError as error:
            raise ModelFileError(f"cannot read weights: {error}", where=str(path)) from error
        except Exception as error:  # torch raises many kinds on damaged files
            raise ModelFileError(
                f"not a readable state_dict: {str(error).splitlines()[0]}",
                where=str(path),
                hint="save one with torch.save(model.state_dict(), path)",
            ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise ModelFileError(f"holds {type(state).__name__}, not a state_dict", where=str(path))
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise InputError(f"the weights do not fit the model: {error}", where=str(path)) from error
