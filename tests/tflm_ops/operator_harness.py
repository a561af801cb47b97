"""Builds generated operators as plain programs, with sanitizers, and runs them on arrays.

Programs are built once a session: the key is what they are built from.
"""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from scanlet.emit.operator_source import render_component
from scanlet.graph import Node, Tensor, constant
from scanlet.graph.operators import WEIGHT_ORDER, SelectiveSSM
from scanlet.graph.operators.selective_ssm import REQUIRED_WEIGHTS
from scanlet.planning.layer import LayerPlan, plan_layer
from scanlet.planning.packing import pack_layer
from scanlet.targets import find

STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wdouble-promotion", "-Wvla", "-Werror"]
#: Plain arithmetic (no fused multiply-add), and every error that can be found at run time.
CHECKED = [
    "-std=c11",
    "-g",
    "-ffp-contract=off",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover",
]

# Reads int32 layer, count, lengths[count] and then x and the weights in their types; runs the layer
# once for each length and writes y and the state (length 0: clears the state, as Reset does).
# Each array is an allocation of its own, so that the sanitizer sees any access beyond it.
LAYER_MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include HEADER
static void *read_array(FILE *file, size_t count, size_t size) {
  void *const memory = malloc(count * size + (count == 0));
  if (fread(memory, size, count, file) != count) exit(3);
  return memory;
}
static size_t size_of(int32_t type) {
  return type == SCANLET_INT8 ? 1 : type == SCANLET_INT16 ? 2 : 4;
}
int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *const in = fopen(argv[1], "rb");
  FILE *const out = fopen(argv[2], "wb");
  int32_t *const head = read_array(in, 2, 4);
  const int32_t count = head[1];
  int32_t *const lengths = read_array(in, (size_t)count, 4);
  const scanlet_layer *const layer = &LAYERS[head[0]];
  const size_t size = size_of(layer->activation);
  void **const x = malloc((size_t)count * sizeof(void *));
  for (int i = 0; i < count; ++i) {
    x[i] = read_array(in, (size_t)lengths[i] * (size_t)layer->in_features, size);
  }
  const void **const weights = malloc((size_t)layer->weight_count * sizeof(void *));
  for (int i = 0; i < layer->weight_count; ++i) {
    size_t elements = 1;
    for (int axis = 0; axis < layer->weights[i].rank; ++axis) {
      elements *= (size_t)layer->weights[i].dims[axis];
    }
    weights[i] = read_array(in, elements, size_of(layer->weights[i].type));
  }
  if (fgetc(in) != EOF) return 4;
  uint8_t *const state = aligned_alloc(16, layer->state_bytes);
  memset(state, 0, layer->state_bytes);
  for (int i = 0; i < count; ++i) {
    if (lengths[i] == 0) {
      memset(state, 0, layer->state_bytes);
      continue;
    }
    uint8_t *const scratch = aligned_alloc(16, layer->scratch_bytes);
    memset(scratch, 0xff, layer->scratch_bytes);  // a read of it before a write shows as NaN
    const size_t outputs = (size_t)(layer->pooled ? 1 : lengths[i]) * (size_t)layer->d_out;
    void *const y = malloc(outputs * size);
    memset(y, 0xff, outputs * size);
    layer->run(x[i], y, lengths[i], weights, scratch, state);
    fwrite(y, size, outputs, out);
    fwrite(state, 1, layer->state_bytes, out);
    free(y);
    free(scratch);
  }
  for (int i = 0; i < count; ++i) free(x[i]);
  for (int i = 0; i < layer->weight_count; ++i) free((void *)weights[i]);
  free(x);
  free(weights);
  free(state);
  free(lengths);
  free(head);
  return fclose(in) != 0 || fclose(out) != 0;
}
"""

# Reads float32 values, applies FUNCTION and writes the results.
FUNCTION_MAIN = r"""
#include <stdio.h>
#include "kernels/scanlet_kernels.h"
int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *const in = fopen(argv[1], "rb");
  FILE *const out = fopen(argv[2], "wb");
  float x;
  while (fread(&x, sizeof(x), 1, in) == 1) {
    const float y = FUNCTION(x);
    fwrite(&y, sizeof(y), 1, out);
  }
  return fclose(in) != 0 || fclose(out) != 0;
}
"""


def weight_shapes(
    *,
    features: int = 5,
    d_model: int = 7,
    d_inner: int = 10,
    d_state: int = 3,
    dt_rank: int = 2,
    d_conv: int = 4,
    d_out: int = 7,
) -> dict[str, tuple[int, ...]]:
    """The shape of every weight; without an input Linear `features` has no meaning."""
    return {
        "input_weight": (d_model, features),
        "input_bias": (d_model,),
        "norm_weight": (d_model,),
        "norm_bias": (d_model,),
        "in_proj_weight": (2 * d_inner, d_model),
        "in_proj_bias": (2 * d_inner,),
        "conv_weight": (d_inner, d_conv),
        "conv_bias": (d_inner,),
        "x_proj_weight": (dt_rank + 2 * d_state, d_inner),
        "dt_proj_weight": (d_inner, dt_rank),
        "dt_proj_bias": (d_inner,),
        "A": (d_inner, d_state),
        "D": (d_inner,),
        "out_proj_weight": (d_out, d_inner),
        "out_proj_bias": (d_out,),
        "dt_norm_weight": (dt_rank,),
        "b_norm_weight": (d_state,),
        "c_norm_weight": (d_state,),
    }


def random_weights(
    rng: np.random.Generator, optional: frozenset[str] = frozenset(), **shapes: int
) -> dict[str, np.ndarray]:
    """float32 weights (the required ones and those named in `optional`), scaled as in training."""
    weights = {}
    for name, shape in weight_shapes(**shapes).items():
        if name in REQUIRED_WEIGHTS or name in optional:
            scale = 1 / np.sqrt(shape[-1]) if len(shape) == 2 else 0.5
            weights[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
    weights["A"] = -np.exp(weights["A"])
    assert tuple(weights) == tuple(name for name in WEIGHT_ORDER if name in weights)
    return weights


def make_operator(weights: Mapping[str, np.ndarray], **options: Any) -> SelectiveSSM:
    """The operator that `weights` fit."""
    d_inner, d_state = weights["A"].shape
    return SelectiveSSM(
        tuple(weights),
        d_inner,
        d_state,
        weights["dt_proj_weight"].shape[1],
        weights["conv_weight"].shape[1],
        **options,
    )


def make_plan(
    weights: Mapping[str, np.ndarray],
    *,
    tile: int = 4,
    length: int = 10,
    index: int = 0,
    **options: Any,
) -> LayerPlan:
    """The plan of `make_operator(weights, **options)`."""
    op = make_operator(weights, **options)
    matrix = weights.get("input_weight", weights["in_proj_weight"])
    x = Tensor("x", (1, length, matrix.shape[1]))
    inputs = [x, *(constant(name, data) for name, data in weights.items())]
    y = Tensor("y", op.infer_shape(*(tensor.shape for tensor in inputs)))
    return plan_layer(Node(op, inputs, [y]), index=index, name=f"layer{index}", tile=tile)


def render(
    plans: Sequence[LayerPlan], name: str = "model", gelu: bool = True, target: str = "esp32s3"
) -> dict[str, str]:
    """The component of these layers."""
    return render_component(plans, name=name, uses_gelu=gelu, target=find(target))


@cache
def _builds() -> Path:
    directory = tempfile.TemporaryDirectory(prefix="scanlet-operators-")
    _keep.append(directory)  # removed when the session ends
    return Path(directory.name)


_keep: list[tempfile.TemporaryDirectory[str]] = []
_serial = itertools.count()


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def compile_files(
    files: Mapping[str, str], command: Sequence[str], output: str | None = "program"
) -> Path:
    """Run a compiler in a directory that holds `files`; returns the directory."""
    key = hashlib.sha256(repr((sorted(files.items()), list(command))).encode()).hexdigest()
    directory = _builds() / key[:24]
    if output is None or not (directory / output).exists():
        write_files(directory, files)
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stderr}"
        assert not result.stderr, result.stderr
    return directory


def run_program(program: Path, data: bytes) -> bytes:
    """Run a program of this module on an input file; any sanitizer's finding fails."""
    stem = _builds() / f"run{next(_serial)}"
    source, result = stem.with_suffix(".in"), stem.with_suffix(".out")
    source.write_bytes(data)
    ran = subprocess.run(
        [str(program), str(source), str(result)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, f"exit status {ran.returncode}\n{ran.stderr}"
    try:
        return result.read_bytes()
    finally:
        source.unlink()
        result.unlink()


def build_layers(
    plans: Sequence[LayerPlan],
    name: str = "model",
    flags: Sequence[str] = (*CHECKED, "-O0"),
    target: str = "esp32s3",
) -> Path:
    """The program that runs the layers of a component, by default built with sanitizers.

    Unoptimised, as sanitizers multiply the compiler's time: six times faster than -O1.
    """
    files = {**render(plans, name, target=target), "main.c": LAYER_MAIN}
    defines = [f'-DHEADER="selective_ssm_{name}.h"', f"-DLAYERS={name}_layers"]
    sources = ["main.c", f"selective_ssm_{name}.c", "-o", "program"]
    return compile_files(files, ["gcc", *flags, *defines, *sources]) / "program"


def run_layer(
    program: Path,
    plan: LayerPlan,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    *,
    layer: int = 0,
    chunks: Sequence[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """y (steps, d_out) of x (steps, in_features), and the state (calls, floats) after each call.

    `chunks` are the lengths of successive calls on the same state; 0 clears the state.
    """
    lengths = [len(x)] if chunks is None else list(chunks)
    assert sum(lengths) == len(x)
    head = np.array([layer, len(lengths), *lengths], np.int32)
    packed = pack_layer(plan, dict(weights))
    data = [head, x.astype(np.float32), *(weight.data for weight in packed)]
    output = run_program(program, b"".join(array.tobytes() for array in data))
    values = np.frombuffer(output, np.float32)
    outputs, states = [], []
    for length in filter(None, lengths):
        count = plan.d_out * (1 if plan.op.pooled else length)
        y, state, values = np.split(values, [count, count + plan.state_bytes // 4])
        outputs.append(y.reshape(-1, plan.d_out))
        states.append(state)
    assert not values.size
    return np.concatenate(outputs), np.array(states)


def run_function(function: str, x: np.ndarray, flags: Sequence[str] = ()) -> np.ndarray:
    """The kernels' function `function` of each float32 in x, built with sanitizers."""
    files = {k: v for k, v in render([]).items() if k.startswith("kernels/")}
    files["main.c"] = FUNCTION_MAIN
    # libm: processors without a fused multiply-add call it for that.
    command = ["gcc", *CHECKED, "-O1", f"-DFUNCTION={function}", *flags, "main.c"]
    program = compile_files(files, [*command, "-o", "program", "-lm"]) / "program"
    return np.frombuffer(run_program(program, x.astype(np.float32).tobytes()), np.float32)
