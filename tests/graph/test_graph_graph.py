"""The graph: building, editing, copying, evaluating, and what `validate` finds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scanlet.errors import GraphError, InputError
from scanlet.graph import Graph, Node, Tensor, constant
from scanlet.graph.operators import Binary, Linear, Reshape, Transpose, Unary


@pytest.fixture
def graph() -> Graph:
    """relu(x W^T) + x, and its exp."""
    x = Tensor("x", (1, 4, 3))
    graph = Graph([x], [], [])
    h = graph.add(
        Linear(), [x, constant("w", np.arange(9, dtype=np.float32).reshape(3, 3))], name="h"
    )
    r = graph.add(Unary("relu"), [h], name="r")
    y = graph.add(Binary("add"), [r, x], name="y")
    z = graph.add(Unary("exp"), [y], name="z")
    graph.outputs = [y, z]
    return graph


def test_add_infers_shapes_and_finds_free_names(graph: Graph) -> None:
    out = graph.add(Reshape((1, 12)), [graph.outputs[0]], name="y")
    assert out.name == "y_1"
    assert out.shape == (1, 12)
    assert out.dtype == "float32"
    graph.validate()


def test_add_before_a_node_keeps_the_order(graph: Graph) -> None:
    relu = graph.nodes[1]
    new = graph.add(Unary("neg"), [relu.inputs[0]], name="n", before=relu)
    relu.inputs = [new]
    graph.validate()
    assert [node.output.name for node in graph.nodes] == ["h", "n", "r", "y", "z"]


def test_producers_and_consumers(graph: Graph) -> None:
    x, (y, z) = graph.inputs[0], graph.outputs
    assert graph.producer(x) is None
    assert graph.producer(y) is graph.nodes[2]
    assert graph.consumers(x) == [graph.nodes[0], graph.nodes[2]]
    assert graph.sole_consumer(graph.nodes[0].output) is graph.nodes[1]
    assert graph.sole_consumer(x) is None  # two readers
    assert graph.sole_consumer(y) is None  # leaves the graph
    assert graph.sole_consumer(z) is None  # nobody


def test_evaluate_computes_in_the_dtype_asked_for(graph: Graph) -> None:
    x = np.random.default_rng(0).standard_normal((1, 4, 3))
    weight = graph.nodes[0].inputs[1].data
    assert weight is not None
    y = np.maximum(x @ weight.T.astype(np.float64), 0) + x
    for given in ([x], {"x": x}):
        got = graph.evaluate(given)
        assert_allclose(got[0], y, rtol=1e-14)
        assert_allclose(got[1], np.exp(y), rtol=1e-14)
    assert [a.dtype for a in graph.evaluate([x], "float32")] == [np.float32, np.float32]
    assert set(graph.trace([x])) == {"x", "h", "r", "y", "z"}


def test_inputs_that_do_not_fit_are_refused(graph: Graph) -> None:
    with pytest.raises(InputError, match="1 inputs expected, got 2"):
        graph.evaluate([np.zeros((1, 4, 3))] * 2)
    with pytest.raises(InputError, match=r"\(1, 5, 3\)"):
        graph.evaluate([np.zeros((1, 5, 3))])


def test_integers_stay_integers() -> None:
    x = Tensor("x", (1, 4), "int32")
    graph = Graph([x], [], [])
    graph.outputs = [graph.add(Reshape((2, 2)), [x], name="y")]
    (y,) = graph.evaluate([np.arange(4, dtype=np.int32).reshape(1, 4)])
    assert y.dtype == np.int32
    assert graph.outputs[0].dtype == "int32"


def test_replacing_and_removing(graph: Graph) -> None:
    h, r = graph.nodes[0].output, graph.nodes[1].output
    y = graph.outputs[0]
    graph.replace_uses(r, h)
    graph.replace_uses(y, h)
    assert graph.outputs[0] is h
    assert graph.remove_dead()
    assert [node.output.name for node in graph.nodes] == ["h", "z"]
    assert not graph.remove_dead()
    graph.validate()
    with pytest.raises(GraphError, match="not in graph"):
        graph.index(Node(Unary("exp"), [h], [Tensor("q", h.shape)]))


def test_a_copy_is_independent(graph: Graph) -> None:
    x = np.ones((1, 4, 3))
    expected = graph.evaluate([x])
    copy = graph.copy()
    copy.validate()
    assert_allclose(copy.evaluate([x])[1], expected[1])
    assert {id(t) for t in copy.tensors()}.isdisjoint(id(t) for t in graph.tensors())
    assert [t.name for t in copy.tensors()] == [t.name for t in graph.tensors()]
    copy.nodes[1].op = Unary("neg")
    copy.inputs[0].name = "renamed"
    copy.remove(copy.nodes[3:])
    assert_allclose(graph.evaluate([x])[1], expected[1])
    assert graph.inputs[0].name == "x"
    assert len(graph.nodes) == 4


def test_a_copy_keeps_shared_tensors_shared() -> None:
    w = constant("w", np.eye(3, dtype=np.float32))
    x = Tensor("x", (1, 3))
    graph = Graph([x], [], [])
    graph.outputs = [graph.add(Linear(), [graph.add(Linear(), [x, w], name="a"), w], name="b")]
    copy = graph.copy()
    assert copy.nodes[0].inputs[1] is copy.nodes[1].inputs[1]
    assert copy.nodes[0].output is copy.nodes[1].inputs[0]
    copy.validate()


def test_validate_finds_what_is_read_before_it_is_computed(graph: Graph) -> None:
    graph.nodes.reverse()
    with pytest.raises(GraphError, match="before it is computed"):
        graph.validate()


def test_validate_finds_wrong_shapes(graph: Graph) -> None:
    graph.nodes[1].output.shape = (1, 3, 4)
    with pytest.raises(GraphError, match="yields shape"):
        graph.validate()


def test_validate_finds_operators_that_do_not_fit(graph: Graph) -> None:
    graph.nodes[1].op = Transpose((1, 0))
    with pytest.raises(GraphError, match="permutation"):
        graph.validate()


def test_validate_finds_two_tensors_of_one_name(graph: Graph) -> None:
    graph.nodes[1].output.name = "x"
    with pytest.raises(GraphError, match="two tensors are called 'x'"):
        graph.validate()


def test_validate_finds_constants_whose_data_has_another_shape(graph: Graph) -> None:
    graph.nodes[0].inputs[1].data = np.zeros((2, 3), np.float32)
    with pytest.raises(GraphError, match="constant 'w'"):
        graph.validate()


def test_validate_finds_outputs_that_nobody_computes(graph: Graph) -> None:
    graph.outputs.append(Tensor("nowhere", (1,)))
    with pytest.raises(GraphError, match="'nowhere' is never computed"):
        graph.validate()


def test_bytes_follow_the_dtype_on_the_target_not_the_data() -> None:
    assert constant("w", np.zeros((3, 5), np.float64)).nbytes == 60
    assert constant("q", np.zeros((3, 5), np.int8), "int8").nbytes == 15
    assert Tensor("x", (1, 4, 3)).size == 12
    assert not Tensor("x", (1, 4, 3)).is_constant
