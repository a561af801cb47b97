"""Find the model a command line names: a .pt2, a checkpoint, or package.module:factory."""

from __future__ import annotations

import importlib
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet import progress
from scanlet.errors import InputError, InvalidModelError, ModelFileError

if TYPE_CHECKING:
    import torch


#: Suffixes of files that `scanlet.load` reads.
CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".index.json")


def load_model(
    model: str, weights: Path | None, config: Path | None = None, length: int | None = None
) -> Any:
    """The model to hand to `scanlet.compile`.

    `model` is a path to a .pt2 (returned as a path); a checkpoint, a file or a folder, that
    `scanlet.load` makes a module of, with `config` and for `length` steps; or
    "package.module:factory" where calling factory() (or, if it is a class, making an instance)
    gives an `nn.Module`; it is put in eval mode after `weights` were loaded strictly. Raises
    InputError or ModelFileError, and what `scanlet.load` raises.
    """
    is_program = model.endswith(".pt2")
    is_checkpoint = model.endswith(CHECKPOINT_SUFFIXES) or (not is_program and Path(model).is_dir())
    if not is_checkpoint and (config is not None or length is not None):
        raise InputError(
            "--config and --length go with a checkpoint",
            hint="a .pt2 knows its input's shape; a factory's model takes --input-shape",
        )
    if weights is not None and (is_checkpoint or is_program):
        raise InputError(
            "--weights goes with package.module:factory; a .pt2 or a checkpoint has its own"
        )
    if is_checkpoint:
        return _load_checkpoint(Path(model), config, length)
    if is_program:
        return Path(model)
    if ":" not in model:
        raise InputError(
            f"{model!r} is neither a .pt2 file, a checkpoint nor package.module:factory",
            hint="export with torch.export.save, name a folder or a file of weights "
            f"({', '.join(CHECKPOINT_SUFFIXES)}), or name a function that returns the model",
        )
    module = _call_factory(model)
    if weights is not None:
        _load_weights(module, weights)
    return module.eval()


def _load_checkpoint(path: Path, config: Path | None, length: int | None) -> torch.nn.Module:
    """Load it, saying on standard error what was recognised and assumed."""
    import scanlet
    from scanlet.emit.writer import MANIFEST

    if (path / MANIFEST).is_file():
        raise InputError(
            "is a compiled project, not a checkpoint",
            where=str(path),
            hint="scanlet run, verify and inspect take it",
        )
    if length is None:
        raise InputError(
            "a checkpoint needs --length, the steps of the sequence or of a chunk",
            where=str(path),
            hint="for example --length 128, or --length 1 --mode stream",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scanlet.CheckpointWarning)  # they are among the notes
        module = scanlet.load(path, config, length=length)
    for note in module.checkpoint_notes:  # type: ignore[union-attr]
        progress.note(f"{path.name}: {note}")
    return module


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
    except Exception as error:  # whatever a module does while it is imported
        raise _theirs(error, f"importing {module_name!r}") from error
    try:
        module = factory if isinstance(factory, torch.nn.Module) else factory()
    except Exception as error:
        raise _theirs(error, f"calling {name}") from error
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{name} returned {type(module).__name__}, not a torch.nn.Module")
    return module


def _theirs(error: Exception, doing: str) -> InvalidModelError:
    """An error in the user's own code, with the place that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return InvalidModelError(
        f"{doing} raised {type(error).__name__}: {error}",
        where=f"{frame.filename}:{frame.lineno}",
        hint="call it in Python to see the whole traceback",
    )


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
