"""The quantized graph, node by node, once it is settled what runs in float and in which scales."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scanlet.graph import Graph, Node, Quantization, Tensor
from scanlet.graph.operators import (
    Conv1d,
    Dequantize,
    Gather,
    IntegerStreamPool,
    Linear,
    Operator,
    Quantize,
    SelectiveSSM,
    StreamHistory,
    StreamPool,
    Unary,
)
from scanlet.graph.operators.integer_stream_pool import FACTOR_BITS
from scanlet.graph.quantized import quantized
from scanlet.progress import counted
from scanlet.quantization.integer_support import is_real
from scanlet.quantization.parameters import for_range, span
from scanlet.quantization.products import BIAS_DTYPE, quantize_product
from scanlet.quantization.scales import Scales, fixed_output
from scanlet.quantization.ssm import Boundary, integer_mixer

if TYPE_CHECKING:
    from scanlet.quantization.calibration import Calibration


class Rebuild:
    """The new graph, node by node. A tensor of the old one may exist in two forms, made when they
    are asked for: stored integers, and real numbers."""

    def __init__(
        self,
        graph: Graph,
        calibration: Calibration,
        floats: dict[int, str],
        scales: Scales,
        dtype: str,
        state: str = "int16",
    ) -> None:
        self.old = graph
        self.calibration = calibration
        self.floats = floats
        self.scales = scales
        self.dtype, self.state = dtype, state
        self.new = Graph([], [], [], graph.name)
        self.names = {tensor.name for tensor in graph.tensors()}
        self._free = {tensor.name for tensor in graph.tensors() if tensor.is_constant}
        self._stored: dict[int, Tensor] = {}
        self._real: dict[int, Tensor] = {}
        self._rescaled: dict[tuple[int, Quantization], Tensor] = {}
        self._plain: dict[int, Tensor] = {}  # tensors that hold no real numbers

    def run(self) -> Graph:
        for tensor in self.old.inputs:
            if tensor.dtype == "float32":
                self.new.inputs.append(self._new_stored(tensor, self.scales.of(tensor)))
            else:
                self.new.inputs.append(self.plain(tensor))
        for node in counted(self.old.nodes, "rounding the weights"):
            if not is_real(node):
                inputs = [self.plain(tensor) for tensor in node.inputs]
                self._append(node.op, inputs, self.plain(node.output), node)
            elif id(node) in self.floats:
                self._float(node)
            else:
                self._integer(node)
        self.new.outputs = [
            self.stored(tensor, self.scales.of(tensor))
            if tensor.dtype == "float32"
            else self.plain(tensor)
            for tensor in self.old.outputs
        ]
        self.new.remove_dead()
        self.new.validate()
        return self.new

    # -- nodes ---------------------------------------------------------------------------------
    def _float(self, node: Node) -> None:
        inputs = [
            self.real(tensor) if tensor.dtype == "float32" else self.plain(tensor)
            for tensor in node.inputs
        ]
        name = node.output.name
        if self.old.is_output(node.output):  # its integer form takes the name
            name = self.fresh(f"{name}_float")
        output = Tensor(name, node.output.shape)
        self._real[id(node.output)] = output
        self._append(node.op, inputs, output, node)

    def _integer(self, node: Node) -> None:
        wanted = self.scales.of(node.output)
        if isinstance(node.op, SelectiveSSM):
            self._mixer(node, wanted)
        elif isinstance(node.op, (Linear, Conv1d)):
            self._product(node, wanted)
        elif isinstance(node.op, Gather) and self.dtype == "int16":
            self._embedding(node)
        else:
            inputs = [
                self.stored(tensor, self.scales.required(node, tensor))
                if tensor.dtype == "float32"
                else self.plain(tensor)
                for tensor in node.inputs
            ]
            made = fixed_output(node, self.dtype) or wanted
            self._emit(node, self._kernel(node, inputs, made), inputs, made)

    def _kernel(self, node: Node, inputs: list[Tensor], quantization: Quantization) -> Operator:
        """The operator on integers: a stream's own ones state their scales, and relu6 where no
        stored value exceeds 6 is relu, as TFLite's kernel refuses it otherwise."""
        op, given = node.op, inputs[0].quantization
        if isinstance(op, StreamHistory):
            return replace(op, activation=self.dtype, zero_point=quantization.zero_points[0])
        if isinstance(op, StreamPool):
            assert given is not None
            ratio = given.scales[0] / quantization.scales[0]
            return IntegerStreamPool(
                window=op.window,
                activation=self.dtype,
                input_zero_point=given.zero_points[0],
                output_zero_point=quantization.zero_points[0],
                factor=round(ratio * 2**FACTOR_BITS),
            )
        if op == Unary("relu6"):
            _, largest = span(quantization, self.dtype)
            if largest < 6.0 + quantization.scales[0] / 2:
                return Unary("relu")
        return op

    def _mixer(self, node: Node, wanted: Quantization) -> None:
        given = self.scales.of(node.inputs[0])
        x = self.stored(node.inputs[0], given)
        statistics = self.calibration.mixers[node.output.name]
        op, weights = integer_mixer(
            node,
            statistics,
            Boundary(self.dtype, given.scales[0], given.zero_points[0]),
            Boundary(self.dtype, wanted.scales[0], wanted.zero_points[0]),
            self.state,
        )
        constants = [
            self.constant(f"{node.output.name}.{name}", data) for name, data in weights.items()
        ]
        self._emit(node, op, [x, *constants], wanted)

    def _product(self, node: Node, wanted: Quantization) -> None:
        given = self.scales.of(node.inputs[0])
        x = self.stored(node.inputs[0], given)
        made = quantize_product(
            node, given.scales[0], self.dtype, self.calibration.moments(node.output.name)
        )
        weight = node.inputs[1]
        inputs = [x, self.constant(weight.name, made.weight, made.weight_quantization)]
        if made.bias is not None:
            name = node.inputs[2].name if len(node.inputs) > 2 else f"{node.output.name}.bias"
            inputs.append(self.constant(name, made.bias, made.bias_quantization))
            assert inputs[-1].dtype == BIAS_DTYPE[self.dtype]
        self._emit(node, node.op, inputs, wanted)

    def _embedding(self, node: Node) -> None:
        """An int8 table and its rows, rescaled to int16: GATHER takes no int16."""
        table, indices = node.inputs
        data = np.asarray(table.data, np.float64)
        own = for_range(float(data.min()), float(data.max()), "int8")
        stored = self.constant(table.name, quantized(data, own, "int8"), own)
        self._emit(node, node.op, [stored, self.plain(indices)], own, "int8")

    def _emit(
        self,
        node: Node,
        op: Operator,
        inputs: list[Tensor],
        made: Quantization,
        dtype: str | None = None,
    ) -> None:
        """A kernel that writes in the quantization `made`; readers may want it rescaled."""
        wanted = self.scales.of(node.output)
        if made == wanted and dtype in (None, self.dtype):
            self._append(op, inputs, self._new_stored(node.output, wanted), node)
            return
        name = self.fresh(f"{node.output.name}_unscaled")
        own = Tensor(name, node.output.shape, dtype or self.dtype, None, made)
        self._append(op, inputs, own, node)
        self._append(self._to(wanted), [own], self._new_stored(node.output, wanted), node)

    # -- tensors -------------------------------------------------------------------------------
    def plain(self, tensor: Tensor) -> Tensor:
        """A tensor that holds no real numbers, as it was."""
        if id(tensor) not in self._plain:
            name = tensor.name if tensor.data is None else self._constant_name(tensor.name)
            self._plain[id(tensor)] = replace(tensor, name=name)
        return self._plain[id(tensor)]

    def stored(self, tensor: Tensor, wanted: Quantization) -> Tensor:
        """The integer form of a tensor in the quantization `wanted`."""
        if tensor.data is not None:
            data = quantized(np.asarray(tensor.data, np.float64), wanted, self.dtype)
            key = (id(tensor), wanted)
            if key not in self._rescaled:
                self._rescaled[key] = self.constant(tensor.name, data, wanted)
            return self._rescaled[key]
        if id(tensor) not in self._stored:
            own = self.scales.of(tensor)
            real = self._real[id(tensor)]
            taken = not self.old.is_output(tensor)
            name = self.fresh(f"{tensor.name}_quantized") if taken else tensor.name
            self._stored[id(tensor)] = Tensor(name, tensor.shape, self.dtype, None, own)
            self._append(self._to(own), [real], self._stored[id(tensor)], None)
        stored = self._stored[id(tensor)]
        if stored.quantization == wanted:
            return stored
        key = (id(tensor), wanted)
        if key not in self._rescaled:
            name = self.fresh(f"{tensor.name}_rescaled")
            self._rescaled[key] = Tensor(name, tensor.shape, self.dtype, None, wanted)
            self._append(self._to(wanted), [stored], self._rescaled[key], None)
        return self._rescaled[key]

    def real(self, tensor: Tensor) -> Tensor:
        """The form of a tensor in real numbers."""
        if tensor.data is not None:
            return self.plain(tensor)
        if id(tensor) not in self._real:
            stored = self._stored[id(tensor)]
            assert stored.quantization is not None
            scale, zero_point = stored.quantization.scales[0], stored.quantization.zero_points[0]
            made = Tensor(self.fresh(f"{tensor.name}_float"), tensor.shape)
            self._real[id(tensor)] = made
            self._append(Dequantize(scale, zero_point, self.dtype), [stored], made, None)
        return self._real[id(tensor)]

    def constant(
        self, name: str, data: np.ndarray, quantization: Quantization | None = None
    ) -> Tensor:
        """A constant, named after the old one that it comes from (once; then numbered)."""
        return Tensor(self._constant_name(name), data.shape, str(data.dtype), data, quantization)

    def _constant_name(self, name: str) -> str:
        if name in self._free:
            self._free.remove(name)
            return name
        return self.fresh(name)

    def fresh(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.names:
            unique, count = f"{name}_{count}", count + 1
        self.names.add(unique)
        return unique

    def _to(self, quantization: Quantization) -> Quantize:
        return Quantize(quantization.scales[0], quantization.zero_points[0], self.dtype)

    def _new_stored(self, tensor: Tensor, quantization: Quantization) -> Tensor:
        made = Tensor(tensor.name, tensor.shape, self.dtype, None, quantization)
        self._stored[id(tensor)] = made
        return made

    def _append(
        self, op: Operator, inputs: list[Tensor], output: Tensor, node: Node | None
    ) -> None:
        source = {} if node is None else {"source": node.source}
        self.new.nodes.append(Node(op, inputs, [output], **source))
