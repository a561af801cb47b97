"""Write a legal graph as a TFLite flatbuffer for TensorFlow Lite Micro.

One TFLite operator a node (plus a RESHAPE where a convolution meets something else), weights as
constants that lie 16-byte aligned, nothing that grows with the sequence length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scanlet.emit import seal
from scanlet.emit.tflite.assembly import Assembly
from scanlet.emit.tflite.lowering import lower
from scanlet.emit.tflite.serialize import TENSOR_TYPES, serialize
from scanlet.errors import EmitError
from scanlet.graph import Graph, Node
from scanlet.graph.operators import LayerOperator
from scanlet.planning.layer import LayerPlan


def write_model(
    graph: Graph,
    layers: Sequence[LayerPlan] = (),
    *,
    description: str = "scanlet",
    metadata: Mapping[str, bytes] | None = None,
) -> bytes:
    """The flatbuffer of a legal graph.

    Args:
        graph: what `passes.run` returns; constants may be held in float64 and are rounded here.
        layers: the plans of its SELECTIVE_SSM nodes, in the order of the nodes.
        description: free text in the file, shown by tools.
        metadata: further entries (name -> content) for the file's metadata.

    The file carries a checksum over itself (see `scanlet.emit.seal`). The same arguments give the
    same bytes. Raises EmitError naming the node if the graph is not legal.
    """
    graph.validate()
    for tensor in graph.tensors():
        if tensor.dtype not in TENSOR_TYPES:
            raise EmitError(f"tensor {tensor.name!r} has the type {tensor.dtype!r}")
    mixers = [node for node in graph.nodes if isinstance(node.op, LayerOperator)]
    if len(mixers) != len(layers):
        raise EmitError(f"{len(mixers)} SELECTIVE_SSM nodes, but {len(layers)} layer plans")
    plans = {id(node): layer for node, layer in zip(mixers, layers, strict=True)}

    assembly = Assembly()
    inputs = [assembly.produce(tensor) for tensor in graph.inputs]
    for node in graph.nodes:
        if id(node) in plans:
            _lower_layer(assembly, node, plans[id(node)])
        else:
            lower(assembly, node)
    outputs = [assembly.index(tensor) for tensor in graph.outputs]
    return seal.attach(
        serialize(
            assembly,
            inputs,
            outputs,
            description=description,
            metadata={**(metadata or {}), seal.METADATA_NAME: seal.EMPTY},
        )
    )


def _lower_layer(assembly: Assembly, node: Node, layer: LayerPlan) -> None:
    """A SELECTIVE_SSM node: the input, then the packed weights."""
    from scanlet.emit.parameters.custom_options import encode
    from scanlet.planning.packing import pack_layer

    if not isinstance(node.op, LayerOperator) or layer.op != node.op:
        raise EmitError(f"the plan of layer {layer.name!r} is of another node", where=layer.name)
    weights: dict[str, np.ndarray] = {}
    for name, tensor in node.op.named(node.inputs).items():
        if tensor.data is None:
            raise EmitError(f"weight {name} is not constant", where=layer.name)
        weights[name] = tensor.data
    inputs = [assembly.index(node.inputs[0])]
    for packed in pack_layer(layer, weights):
        dtype = str(packed.data.dtype)
        inputs.append(assembly.constant(f"{layer.name}.{packed.name}", packed.data, dtype))
    assembly.custom_operator(inputs, assembly.produce(node.output), encode(layer))
