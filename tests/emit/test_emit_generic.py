"""The generic C library on this machine, under the sanitizers, against the NumPy meaning."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from emit_cases import cases, one_node, random_inputs
from generic_runner import run_generic

from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import Binary, Linear, Reduce, SelectiveSSM, Transpose, Unary


def check(graph: Graph, folder: Path, *, positive: bool = False) -> None:
    inputs = random_inputs(graph, positive=positive)
    (got,) = run_generic(graph, folder, inputs)
    for mine, reference in zip(got, graph.evaluate(inputs), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.emits)
def test_every_operator_computes_its_meaning(case, tmp_path):
    check(case.graph, tmp_path, positive=case.positive)


def test_gelu_is_a_plain_function_here(tmp_path):
    check(one_node(Unary("gelu"), (1, 50)), tmp_path)


def mixer_graph(mode: str = "sequence", length: int = 11) -> Graph:
    """Linear and relu, two unequal mixers, a mean, a Linear: the arena is shared by many."""
    rng = np.random.default_rng(4)
    graph = Graph([Tensor("x", (1, length, 5))], [], [])

    def weight(name: str, *shape: int, scale: float = 0.4) -> Tensor:
        return constant(graph.fresh_name(name), rng.standard_normal(shape) * scale)

    h = graph.add(Linear("relu"), [graph.inputs[0], weight("w", 6, 5), weight("b", 6)], name="h")
    for i, (inner, state, norm) in enumerate(((12, 4, "rms"), (7, 3, None))):
        shapes = {
            "in_proj_weight": (2 * inner, 6),
            "conv_weight": (inner, 3),
            "x_proj_weight": (2 + 2 * state, inner),
            "dt_proj_weight": (inner, 2),
            "dt_proj_bias": (inner,),
            "A": (inner, state),
            "D": (inner,),
            "out_proj_weight": (6, inner),
        }
        op = SelectiveSSM(
            tuple(shapes), inner, state, 2, 3, norm=norm, norm_eps=1e-5, residual=i == 0, mode=mode
        )
        weights = {name: weight(f"m{i}.{name}", *shape) for name, shape in shapes.items()}
        weights["A"] = constant(f"m{i}.A_negative", -np.exp(weights["A"].data))
        h = graph.add(op, [h, *weights.values()], name=f"mixed{i}")
    if mode == "sequence":
        t = graph.add(Transpose((0, 2, 1)), [h], name="turned")
        s = graph.add(Binary("mul"), [t, t], name="squared")
        h = graph.add(Reduce("mean", (2,)), [s], name="pooled")
    graph.outputs = [graph.add(Linear(), [h, weight("v", 3, 6)], name="y")]
    graph.validate()
    return graph


@pytest.mark.parametrize("tile", [1, 4])
def test_a_network_computes_its_meaning_again_and_again(tmp_path, tile):
    graph = mixer_graph()
    batches = [random_inputs(graph, seed=seed) for seed in range(3)]
    for got, inputs in zip(run_generic(graph, tmp_path, *batches, tile=tile), batches, strict=True):
        np.testing.assert_allclose(got[0], graph.evaluate(inputs)[0], rtol=3e-6, atol=3e-6)


def test_stream_state_carries_on_from_run_to_run(tmp_path):
    whole, chunk = mixer_graph("stream", 12), mixer_graph("stream", 4)
    (x,) = random_inputs(whole)
    outputs = run_generic(chunk, tmp_path, *[[x[:, t : t + 4]] for t in range(0, 12, 4)])
    got = np.concatenate([out[0] for out in outputs], axis=1)
    np.testing.assert_allclose(got, whole.evaluate([x])[0], rtol=3e-6, atol=3e-6)


def test_an_index_out_of_range_is_reported_not_read(tmp_path):
    graph = Graph([Tensor("tokens", (3,), "int32")], [], [])
    table = constant("table", np.arange(8.0).reshape(4, 2))
    from scanlet.graph.operators import Gather

    graph.outputs = [graph.add(Gather(0), [table, graph.inputs[0]], name="y", dtype="float32")]
    (good,) = run_generic(graph, tmp_path, [np.array([3, 0, 1], np.int32)])
    np.testing.assert_array_equal(good[0], [[6, 7], [0, 1], [2, 3]])
    bad = np.array([3, 0, 4], np.int32).tobytes()
    done = subprocess.run(["./run"], cwd=tmp_path, input=bad, capture_output=True, check=False)
    assert done.returncode == 3


def test_the_sources_hold_no_malloc_no_libm_and_no_double(tmp_path):
    graph = mixer_graph()
    run_generic(graph, tmp_path, random_inputs(graph))
    flags = ("-std=c11", "-O2", "-ffp-contract=off", "-c")
    for source in tmp_path.glob("m_*.c"):
        subprocess.run(["gcc", *flags, source.name, "-o", "o.o"], cwd=tmp_path, check=True)
        listed = subprocess.run(
            ["nm", "-u", "o.o"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        names = set(re.findall(r"U (\S+)", listed.stdout))
        assert {name for name in names if not name.startswith("m_")} <= {"memset", "memcpy"}
    text = "".join(path.read_text() for path in tmp_path.rglob("*.[ch]") if path.name != "main.c")
    assert not re.search(r"\bdouble\b(?!-)", re.sub(r"//.*", "", text))
