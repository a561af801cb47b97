"""What compares the executions finds what is wrong with one of them."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import shape_executions
from shape_executions import Errors, check, check_nodes, compile_shape, tapped_graph
from shape_models import Shape, torch_model

from scanlet.graph.operators import LayerOperator


def test_one_step_of_an_integer_mixer_is_found() -> None:
    shape = Shape(d_model=5, length=4, chunks=2, mode="stream", precision="int8", norm="rms")
    compiled = compile_shape(shape, torch_model(shape))
    assert compiled.graph is not None
    graph = tapped_graph(compiled.graph)
    rng = np.random.default_rng(0)
    stored = [[rng.integers(-99, 99, (1, 4, 5)).astype(np.int8)] for _ in range(2)]
    carried: dict = {}
    traces = [graph.trace(inputs, "float64", carried) for inputs in stored]
    outputs = [[values[tensor.name] for tensor in graph.outputs] for values in traces]
    check_nodes(graph, stored, outputs, "as it should be", Errors())
    (mixer,) = (node for node in graph.nodes if isinstance(node.op, LayerOperator))
    place = [tensor is mixer.output for tensor in graph.outputs].index(True)
    outputs[1][place] = outputs[1][place].copy()
    outputs[1][place].flat[-1] ^= 1
    with pytest.raises(AssertionError, match="wrong"):
        check_nodes(graph, stored, outputs, "wrong", Errors())


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_wrong_kernel_in_the_generic_library_is_found(precision: str) -> None:
    """A convolution's results a 10,000th larger, or with a bit of sixteen wrong."""
    rendered = shape_executions.render_generic

    def damaged(*args: object, **options: object) -> dict[str, str]:
        files = rendered(*args, **options)  # type: ignore[arg-type]
        kernel = "kernels/conv.h" if precision == "float32" else "kernels/int_conv.h"
        old, new = (
            ("scanlet_silu(sum);", "scanlet_silu(sum) * 1.0001f;")
            if precision == "float32"
            else (
                "scanlet_scale(sum, factor)), fraction)",
                "scanlet_scale(sum, factor)), fraction) ^ 256",
            )
        )
        assert old in files[kernel]
        return files | {kernel: files[kernel].replace(old, new)}

    shape = Shape(d_model=5, length=6, precision=precision)
    check(shape)
    with (
        mock.patch("shape_executions.render_generic", damaged),
        pytest.raises(AssertionError, match=r"generic C|bits of"),
    ):
        check(shape)
