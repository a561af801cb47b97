"""Random graphs and samples for the tests of calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import SelectiveSSM

L, F, E, N, R, K = 7, 5, 6, 3, 2, 4


def weight(rng: np.random.Generator, name: str, *shape: int) -> Tensor:
    return constant(name, rng.standard_normal(shape) / np.sqrt(shape[-1]))


def mixer_weights(rng: np.random.Generator, features: int, optional: set[str]) -> dict[str, Any]:
    shapes = {
        "input_weight": (features, F),
        "input_bias": (features,),
        "norm_weight": (features,),
        "norm_bias": (features,),
        "in_proj_weight": (2 * E, features),
        "in_proj_bias": (2 * E,),
        "conv_weight": (E, K),
        "conv_bias": (E,),
        "x_proj_weight": (R + 2 * N, E),
        "dt_proj_weight": (E, R),
        "dt_proj_bias": (E,),
        "A": (E, N),
        "D": (E,),
        "out_proj_weight": (features, E),
        "out_proj_bias": (features,),
    }
    left_out = {"input_weight", "input_bias", "norm_weight", "norm_bias"} - optional
    made = {n: rng.standard_normal(s) for n, s in shapes.items() if n not in left_out}
    made["A"] = -np.exp(made["A"])
    return made


def add_mixer(
    graph: Graph,
    x: Tensor,
    rng: np.random.Generator,
    optional: set[str] = frozenset(),  # type: ignore[assignment]
    **options: Any,
) -> tuple[Tensor, dict[str, np.ndarray]]:
    weights = mixer_weights(rng, F, optional)
    op = SelectiveSSM(tuple(weights), E, N, R, K, **options)
    tensors = [constant(graph.fresh_name(f"mixer.{n}"), w) for n, w in weights.items()]
    return graph.add(op, [x, *tensors], name="mixer"), weights


def new_graph(length: int = L) -> tuple[Graph, Tensor]:
    x = Tensor("x", (1, length, F))
    return Graph([x], [], []), x


def draw(rng: np.random.Generator, count: int, length: int = L) -> list[np.ndarray]:
    return [rng.standard_normal((1, length, F)) for _ in range(count)]
