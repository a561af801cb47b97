"""Refuse models and example inputs that cannot be compiled, before anything costly starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from scanlet.errors import InputError, InvalidModelError, UnsupportedModelError
from scanlet.frontend.reference import tensor_outputs

TOKEN_TYPES = (torch.int64, torch.int32)


def check_eval_mode(model: nn.Module) -> None:
    """Raise InvalidModelError if the model, or a part of it, is in training mode."""
    training = [name for name, module in model.named_modules() if module.training]
    if training:
        raise InvalidModelError(
            "the model is in training mode"
            if "" in training
            else f"{training[0]} is in training mode",
            where=type(model).__name__,
            hint="call model.eval() before compiling",
        )


def check_parameters(
    parameters: Iterable[tuple[str, torch.Tensor]], buffers: Iterable[tuple[str, torch.Tensor]]
) -> None:
    """Raise InvalidModelError naming a parameter that is not finite or not float32."""
    for name, parameter in parameters:
        tensor = parameter.detach()
        _check_float32(name, tensor)
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            kind = "NaN" if bool(torch.isnan(tensor).any()) else "infinite"
            raise InvalidModelError(
                f"parameter has {kind} values",
                where=name,
                hint="the training diverged or the checkpoint is damaged; use finite weights",
            )
        # A = -exp(A_log) overflows long before A_log does.
        if name.split(".")[-1] == "A_log" and bool((tensor.float() > 80).any()):
            raise InvalidModelError(
                f"A_log reaches {float(tensor.max()):.3g}, so that exp(A_log) overflows",
                where=name,
                hint="A_log is the logarithm of the decay rates, usually log(1..d_state)",
            )
    for name, tensor in buffers:
        _check_float32(name, tensor)
        if tensor.is_floating_point() and bool(torch.isnan(tensor).any()):
            raise InvalidModelError("buffer has NaN values", where=name)


def _check_float32(name: str, tensor: torch.Tensor) -> None:
    if tensor.is_meta:
        raise InvalidModelError(
            "parameter has no data (it is on the meta device)",
            where=name,
            hint="load the weights before compiling",
        )
    if tensor.is_complex() or (tensor.is_floating_point() and tensor.dtype != torch.float32):
        raise InvalidModelError(
            f"is {tensor.dtype}, float32 is expected".replace("torch.", ""),
            where=name,
            hint="convert the model with model.float()"
            if not tensor.is_complex()
            else "complex states are not supported; the nearest form is a real diagonal A, as "
            "Mamba-1 has it (scanlet.nn.MambaMixer)",
        )


def as_inputs(example_inputs: Any, model: Any) -> tuple[torch.Tensor, ...]:
    """The example inputs as a tuple of tensors on the CPU, checked.

    Falls back to `model.example_input_array`. Raises InputError for anything but float32 or
    integer tensors with a batch dimension of 1 and no empty dimension.
    """
    if example_inputs is None:
        example_inputs = getattr(model, "example_input_array", None)
    if example_inputs is None:
        raise InputError(
            "no example inputs",
            hint="pass example_inputs=(tensor,), or set model.example_input_array",
        )
    if isinstance(example_inputs, dict):
        raise InputError(
            "example inputs are a dict",
            hint="pass a tuple of tensors, in the order of forward's arguments",
        )
    if isinstance(example_inputs, (tuple, list)):
        inputs = tuple(example_inputs)
    else:
        inputs = (example_inputs,)
    if not inputs:
        raise InputError("example inputs are empty", hint="pass at least one tensor")
    return tuple(_checked_input(x, i) for i, x in enumerate(inputs))


def _checked_input(x: Any, position: int) -> torch.Tensor:
    where = f"example input {position}"
    if not isinstance(x, torch.Tensor):
        raise InputError(
            f"is {type(x).__name__}, not a tensor", where=where, hint="use torch.from_numpy"
        )
    if x.dtype not in (torch.float32, *TOKEN_TYPES):
        raise InputError(
            f"is {x.dtype}, expected float32, or int64 for tokens".replace("torch.", ""),
            where=where,
            hint="convert it, e.g. with .float()",
        )
    shape = tuple(x.shape)
    if 0 in shape:
        raise InputError(
            f"has shape {shape}: a dimension is empty",
            where=where,
            hint="the sequence needs at least one step (L >= 1)",
        )
    if not shape or shape[0] != 1:
        raise InputError(
            f"has shape {shape}: the batch dimension is not 1",
            where=where,
            hint="a microcontroller runs one sample at a time: pass batch 1, e.g. x[:1]",
        )
    return x.detach().cpu().clone()  # a model may change its input in place


def check_runs(run: Any, inputs: tuple[torch.Tensor, ...]) -> None:
    """Run the model once. Raises InputError with its own message if it refuses the inputs."""
    shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
    try:
        with torch.no_grad():
            outputs = tensor_outputs(run(*inputs))
    except Exception as error:  # whatever a model may raise
        text = "\n".join(str(error).strip().splitlines()[:4]) or type(error).__name__
        raise InputError(
            f"the model does not run on example inputs of shape {shapes}: {text}",
            hint="pass inputs of the shape that the model takes, with batch 1",
        ) from error
    if not outputs:
        raise UnsupportedModelError("the model returns no tensor")
