"""Fit the planner's cost model to counted instructions: python -m examples.benchmark.cost_model.

Prints, for each core and time tile, the instructions of a multiply-accumulate, of a state and of a
channel (scanlet/planning/cost_model.py says what they mean), and how well they fit. Instructions
of one step are the difference between two lengths. With --precision int8 for integer mixers.
Takes about five minutes.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import nn

import scanlet
from examples.benchmark.networks import CORES
from scanlet.nn import MambaMixer

TILES = (1, 2, 3, 4, 6, 8)
LENGTH = 24  # whole tiles of every size
#: (d_model, expand, d_state, features): unlike in the proportions of what is fitted.
SHAPES = ((64, 2, 16, 40), (32, 2, 4, 64), (16, 4, 32, 16), (64, 1, 8, 32))


class Network(nn.Module):
    def __init__(self, d_model: int, expand: int, d_state: int, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, d_model)
        self.mixer = MambaMixer(d_model, expand=expand, d_state=d_state)
        self.head = nn.Linear(d_model, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(self.linear(x)).mean(1))


def compiled_pair(shape: tuple[int, int, int, int], precision: str) -> list[scanlet.Compiled]:
    """The network at two lengths."""
    pair = []
    for length in (LENGTH, 2 * LENGTH):
        torch.manual_seed(0)
        example = torch.randn(1, length, shape[-1])
        network = Network(*shape).eval()
        data = [torch.randn(1, length, shape[-1]) for _ in range(8)]
        pair.append(
            scanlet.compile(
                network, example, precision=precision, calibration_data=data, progress=False
            )
        )
    return pair


def causes(shape: tuple[int, int, int, int], pair: list[scanlet.Compiled]) -> tuple[int, int, int]:
    """Multiply-accumulates of the products, states and channels of one step."""
    d_model, expand, d_state, _ = shape
    d_inner, d_conv = expand * d_model, 4
    first, second = (one.report["multiply_accumulates"]["total"] for one in pair)
    return (second - first) // LENGTH - d_inner * d_conv, d_inner * d_state, d_inner


def step_cost(pair: list[scanlet.Compiled], core: str, tile: int) -> float:
    """Instructions of one step."""
    first, second = (one.measure(on=core, tile=tile)["instructions"] for one in pair)
    return (second - first) / LENGTH


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.benchmark.cost_model")
    parser.add_argument("--precision", default="float32", help="float32 or int8")
    parser.add_argument("--core", nargs="*", default=CORES, help="default: all")
    arguments = parser.parse_args()
    pairs = [compiled_pair(shape, arguments.precision) for shape in SHAPES]
    matrix = np.array([causes(s, p) for s, p in zip(SHAPES, pairs, strict=True)], float)
    for core in arguments.core:
        for tile in TILES:
            steps = np.array([step_cost(pair, core, tile) for pair in pairs])
            fitted, *_ = np.linalg.lstsq(matrix / steps[:, None], np.ones(len(SHAPES)), rcond=None)
            deviation = np.max(np.abs(matrix @ fitted / steps - 1))
            product, state, channel = fitted
            print(
                f"{core:12} T={tile}: product {product:7.2f}, state {state:7.1f}, "
                f"channel {channel:6.0f}; deviates at most {deviation:.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
