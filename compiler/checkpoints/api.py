"""`scanlet.load`: an `nn.Module` from a checkpoint on disk."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from scanlet.checkpoints import (
    files,
    hugging_face,
    mamba2,
    mamba_ssm,
    mambapy,
    mixer,
    relatives,
)
from scanlet.checkpoints.checkpoint import Checkpoint, CheckpointWarning
from scanlet.checkpoints.config import Config, parse
from scanlet.checkpoints.fit import fill, shown
from scanlet.checkpoints.names import as_float32, candidates
from scanlet.errors import InputError, UnsupportedModelError
from scanlet.nn import MambaLMHeadModel

#: In order: relatives first, since most of them carry Mamba-1's names as well.
KINDS: tuple[ModuleType, ...] = (relatives, mamba2, hugging_face, mamba_ssm, mambapy, mixer)


def load(
    path: str | Path,
    config: Mapping[str, Any] | str | Path | None = None,
    *,
    length: int | None = None,
) -> nn.Module:
    """A trained model from a checkpoint, without the code that it was trained with.

    What names and shapes tell is taken from them: the kind of model, all dimensions, biases, a
    tied head, LayerNorm or RMSNorm. The config has to tell the rest; where it does not, the code
    base's own default is used (norm_epsilon 1e-5; FalconMamba's mixer_rms_eps 1e-6), and
    CheckpointWarning is issued if there is no config at all. Where both tell, they must agree.

    Args:
        path: a .safetensors file, a file of `torch.save` (tensors only: nothing in it is ever
            executed), an index of shards, or a folder of Hugging Face or mamba_ssm.
        config: a dictionary, or the path of a JSON file, in the words of mamba_ssm, transformers
            or mambapy; replaces a folder's config.json.
        length: steps of the sequence (of a chunk, for mode="stream") that the model is going to
            be compiled for: sets `example_input_array`.

    Returns:
        A module in eval mode and float32. Language models are `scanlet.nn.MambaLMHeadModel`:
        tokens (B, L) to logits (B, L, vocab_size). Backbones and stacks of blocks are
        `scanlet.nn.MambaModel`, a bare mixer is `scanlet.nn.MambaMixer`. `checkpoint_notes` of
        the module says what was recognised, converted and assumed.

    Raises:
        InputError: no such file, or a config that does not fit the weights.
        ModelFileError: damaged or incomplete files, pickled code, names missing or left over.
        UnsupportedModelError: a kind of model that is not supported.
    """
    if length is not None and (isinstance(length, bool) or length < 1):
        raise InputError(f"length is {length}; it is a positive number of steps")
    contents = files.read(Path(path))
    settings = _settings(config, contents)
    kind, prefix, tensors = _find_kind(contents.tensors, contents.where)
    checkpoint = Checkpoint(contents.where, {}, settings, contents.notes)
    if prefix:
        checkpoint.notes.append(f"the prefix {prefix!r} was removed from all names")
    for found, meant in settings.suspicious:
        checkpoint.warnings.append(f"{found!r} in {settings.where} is ignored; is {meant!r} meant?")
    checkpoint.tensors = as_float32(tensors, checkpoint.where, checkpoint.notes)
    with torch.device("meta"):  # no memory, no random numbers: the weights come from the file
        blank = kind.build(checkpoint)
    fill(blank, checkpoint)
    model: Any = blank.module  # what is set on it below is no tensor
    if isinstance(model, MambaLMHeadModel):
        model.tie_weights()
    model.eval()
    if length is not None:
        model.example_input_array = (
            torch.zeros(1, length, dtype=torch.int64)
            if blank.d_model is None
            else torch.zeros(1, length, blank.d_model)
        )
    model.checkpoint_notes = (
        f"recognised {blank.kind}",
        *checkpoint.notes,
        *checkpoint.warnings,
    )
    for warning in checkpoint.warnings:
        warnings.warn(f"{checkpoint.where}: {warning}", CheckpointWarning, stacklevel=2)
    return model


def _settings(config: Mapping[str, Any] | str | Path | None, contents: files.Contents) -> Config:
    if config is None:
        return parse(contents.config or {}, contents.config_where or "the config")
    if isinstance(config, Mapping):
        return parse(config, "config")
    if not isinstance(config, (str, Path)):
        raise InputError(
            f"config is {type(config).__name__}; a dictionary or the path of a JSON is expected"
        )
    return parse(files.read_json(Path(config)), str(config))


def _find_kind(
    tensors: Mapping[str, Tensor], where: str
) -> tuple[ModuleType, str, dict[str, Tensor]]:
    """The kind that knows the names, beneath as short a prefix as possible."""
    for prefix, inside in candidates(tensors):
        for kind in KINDS:
            if kind.recognise(inside.keys()):
                return kind, prefix, inside
    mixers = sorted({m[1] for n in tensors if (m := re.match(r"(.*)\.A_log$", n))})
    raise UnsupportedModelError(
        f"not a checkpoint of a known kind: {shown(tensors)}"
        + (f"; there are mixers at {shown(mixers)}" if mixers else ""),
        where=where,
        hint="known are mixers and language models of mamba_ssm, Hugging Face (Mamba, FalconMamba) "
        "and mambapy; for a model of your own, build it and hand the module to scanlet.compile "
        "(scanlet compile package.module:factory --weights FILE)",
    )
