"""Read the files of a checkpoint: which ones a folder holds, and the tensors in each."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scanlet.errors import InputError, ModelFileError

CONFIG = "config.json"
#: What a folder is searched for, in this order; an index names the files of a sharded checkpoint.
STANDARD = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
#: Where training scripts put the weights beside an optimizer's state.
NESTED = ("state_dict", "model_state_dict", "model", "module", "weights")


@dataclass
class Contents:
    """The tensors of a checkpoint as stored, its own config if it has one, and remarks."""

    where: str
    tensors: dict[str, Tensor]
    config: dict[str, Any] | None = None
    config_where: str = ""
    notes: list[str] = field(default_factory=list)


def read(path: Path) -> Contents:
    """Read a file, or a folder with config.json and weights.

    Raises InputError if there is nothing to read, ModelFileError for damaged or unsafe files.
    """
    if path.is_dir():
        weights = _find_weights(path)
    elif path.is_file():
        weights = path
    else:
        raise InputError("no such checkpoint", where=str(path))
    notes: list[str] = []
    if weights.name.endswith(".index.json"):
        tensors = _read_shards(weights, notes)
    elif weights.suffix == ".json":
        raise InputError(
            "is a JSON file, not weights",
            where=str(weights),
            hint="name the weights, or the folder that holds both; a config goes to config=",
        )
    else:
        tensors = _read_weights(weights, notes)
    contents = Contents(str(path), tensors, notes=notes)
    # A lone file's neighbour counts only where the pair of names is the standard one.
    config = weights.parent / CONFIG
    if config.is_file() and (path.is_dir() or weights.name in STANDARD):
        contents.config, contents.config_where = read_json(config), str(config)
        if not path.is_dir():
            notes.append(f"config.json beside {weights.name} was used")
    return contents


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises InputError if there is no such file, ModelFileError if unreadable."""
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"is not readable JSON: {error}", where=str(path)) from error
    if not isinstance(value, dict):
        raise ModelFileError(
            f"holds {type(value).__name__}, a JSON object is expected", where=str(path)
        )
    return value


def _find_weights(folder: Path) -> Path:
    for name in STANDARD:
        if (folder / name).is_file():
            return folder / name
    others = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in SUFFIXES)
    if len(others) == 1:
        return others[0]
    if not others:
        raise InputError(
            "the folder holds no weights",
            where=str(folder),
            hint=f"a checkpoint folder has one of {', '.join(STANDARD)}",
        )
    raise InputError(
        f"the folder holds several files of weights: {_few(p.name for p in others)}",
        where=str(folder),
        hint="name one of them instead of the folder",
    )


def _few(names: Any, count: int = 4) -> str:
    listed = list(names)
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more


def _read_shards(index: Path, notes: list[str]) -> dict[str, Tensor]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(v, str) for v in weight_map.values()):
        raise ModelFileError("has no weight_map from names to files", where=str(index))
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(weight_map.values())):
        if Path(name).name != name:  # an index must not reach out of its folder
            raise ModelFileError(f"names {name!r}, which is no plain file name", where=str(index))
        if not (index.parent / name).is_file():
            raise ModelFileError(
                f"the shard {name} is missing", where=str(index), hint="download all of the shards"
            )
        tensors |= _read_weights(index.parent / name, notes)
    missing = sorted(set(weight_map) - set(tensors))
    if missing:
        raise ModelFileError(
            f"the shards lack {_few(missing)}", where=str(index), hint="download them again"
        )
    return tensors


def _read_weights(path: Path, notes: list[str]) -> dict[str, Tensor]:
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise ModelFileError("the file is empty", where=str(path))
    if head.startswith(b"version https://git-lfs"):
        raise ModelFileError(
            "is a Git LFS pointer, not the weights", where=str(path), hint="run git lfs pull"
        )
    if path.suffix in (".pt2", ".tflite", ".onnx", ".gguf"):
        raise InputError(
            f"a {path.suffix} file is no checkpoint of weights",
            where=str(path),
            hint="scanlet.compile takes a .pt2 as it is" if path.suffix == ".pt2" else None,
        )
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        return _read_safetensors(path)
    return _unwrapped(_read_pickle(path), path, notes)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelFileError(
            f"is no readable safetensors file: {error}",
            where=str(path),
            hint="the file is damaged or truncated; download or save it again",
        ) from error


def _read_pickle(path: Path) -> Any:
    try:
        with warnings.catch_warnings():  # of TorchScript, which is an error here
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error)
        # torch says this of code, and of garbage that begins like a pickle.
        if "GLOBAL" in text or "Unsupported class" in text:
            raise ModelFileError(
                "holds Python objects other than tensors, which are not loaded: a pickle can run "
                f"any code ({_reason(text)})",
                where=str(path),
                hint="where you trust the file, load it yourself and save only the weights: "
                "torch.save(model.state_dict(), path)",
            ) from error
        raise _damaged(path, error) from error
    except Exception as error:  # torch raises many kinds on damaged files
        if "TorchScript" in str(error):
            raise ModelFileError(
                "is a TorchScript archive, not a state_dict",
                where=str(path),
                hint="where you trust the file, save only the weights: "
                "torch.save(torch.jit.load(path).state_dict(), other_path)",
            ) from error
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ModelFileError:
    first = next((line for line in str(error).splitlines() if line.strip()), repr(error))
    return ModelFileError(
        f"is no readable state_dict: {first}",
        where=str(path),
        hint="the file is damaged, or no checkpoint; save one with "
        "torch.save(model.state_dict(), path)",
    )


def _reason(text: str) -> str:
    """Which global torch refused, out of its long message."""
    for sentence in text.replace("\n", " ").split(". "):
        if "GLOBAL" in sentence or "Unsupported class" in sentence:
            return " ".join(sentence.split())[-160:]
    return "unsupported pickle"


def _unwrapped(value: Any, path: Path, notes: list[str]) -> dict[str, Tensor]:
    """The dictionary of tensors, out of the training state that may surround it."""
    if isinstance(value, Mapping) and not _tensors_of(value):
        for key in NESTED:
            inner = value.get(key)
            if isinstance(inner, Mapping) and _tensors_of(inner):
                notes.append(f"the weights were found under {key!r} in {path.name}")
                value = inner
                break
    if not isinstance(value, Mapping):
        raise ModelFileError(
            f"holds {type(value).__name__}, not a state_dict",
            where=str(path),
            hint="save one with torch.save(model.state_dict(), path)",
        )
    tensors = _tensors_of(value)
    if not tensors:
        held = _few(repr(key) for key in value)
        raise ModelFileError(
            f"holds no tensors ({held})" if held else "is a state_dict without tensors",
            where=str(path),
            hint="save one with torch.save(model.state_dict(), path)",
        )
    others = [str(key) for key in value if key not in tensors]
    if others:
        notes.append(f"entries of {path.name} that are no tensors were left: {_few(others)}")
    return tensors


def _tensors_of(value: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, Tensor)}
