"""What operators outside the mixers make of NaN, infinities, subnormal numbers and -0: the generic
library does as TFLM does, but that it keeps infinities (docs/special-values.md)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emit_cases import Case, cases, one_node, random_inputs, run_in_wheel
from generic_runner import run_generic

from scanlet.emit.flatbuffer import write_model
from scanlet.graph import Graph
from scanlet.graph.operators import Reduce, Unary

VALUES = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, -1e-40, -0.0)
LARGEST = np.finfo(np.float32).max


def chosen() -> list[Case]:
    """One case for each operator with its attributes."""
    return list({str(case.graph.nodes[0].op): case for case in reversed(cases())}.values())


def joint(parts: list[Graph]) -> Graph:
    """Graphs side by side as one, so that they compile at once."""
    whole = Graph([], [], [])
    for i, part in enumerate(graph.copy() for graph in parts):
        for tensor in part.tensors():
            tensor.name = f"{tensor.name}_{i}"
        whole.inputs += part.inputs
        whole.outputs += part.outputs
        whole.nodes += part.nodes
    return whole


def with_value(case: Case, value: float) -> list[np.ndarray]:
    inputs = random_inputs(case.graph, positive=case.positive)
    inputs[0].ravel()[inputs[0].size // 2] = value
    return inputs


def test_operators_do_as_tflm_does(tmp_path: Path) -> None:
    parts = chosen()
    assert len(parts) > 30
    batches = [[x for case in parts for x in with_value(case, value)] for value in VALUES]
    graph = joint([case.graph for case in parts])
    results = run_generic(graph, tmp_path, *batches, flags=("-O0",))  # one long function
    for value, outputs in zip(VALUES, results, strict=True):
        for case, mine in zip(parts, outputs, strict=True):
            (theirs,) = run_in_wheel(write_model(case.graph), *with_value(case, value))
            np.testing.assert_allclose(
                np.clip(mine, -LARGEST, LARGEST),
                np.clip(theirs, -LARGEST, LARGEST),
                rtol=3e-6,
                atol=3e-6,
                err_msg=f"{case.graph.nodes[0].op} on {value}",
            )


FUNCTIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "exp": np.exp,
    "log": np.log,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "square": np.square,
}
POINTS = (
    *(np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30, 88.0, 88.7, 88.8, 89.0, -87.4, -104.0, -1e30),
    *(1e-38, 1e-40, 1.4e-45, -1e-40, 0.0, -0.0, 1.0, -1.0, 2.0, 1e-20),
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_one_tensor_are_those_of_numpy_everywhere(tmp_path: Path) -> None:
    parts = [one_node(Unary(kind), (1, len(POINTS))) for kind in FUNCTIONS]
    x = np.array([POINTS], np.float32)
    (outputs,) = run_generic(joint(parts), tmp_path, [x] * len(parts))
    for (kind, function), y in zip(FUNCTIONS.items(), outputs, strict=True):
        exact = function(x.astype(np.float64)).astype(np.float32)
        np.testing.assert_allclose(y, exact, rtol=1e-6, atol=2e-38, err_msg=kind)
    signs = np.signbit(outputs[list(FUNCTIONS).index("abs")][~np.isnan(x)])
    assert not signs.any()


def test_extremes_leave_nan_out_wherever_it_stands(tmp_path: Path) -> None:
    for kind, found in (("max", 3.0), ("min", 1.0)):
        graph = one_node(Reduce(kind, (1,)), (3, 3))
        x = np.array([[np.nan, 1, 3], [1, np.nan, 3], [3, 1, np.nan]], np.float32)
        ((y,),) = run_generic(graph, tmp_path, [x])
        np.testing.assert_array_equal(y, [found] * 3)
        np.testing.assert_array_equal(run_in_wheel(write_model(graph), x)[0], [found] * 3)
