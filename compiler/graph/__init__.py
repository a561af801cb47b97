"""The small typed graph between PyTorch and the emitted files. NumPy only."""

from scanlet.graph.graph import Graph, Node, Source
from scanlet.graph.tensor import Quantization, Tensor, constant

__all__ = ["Graph", "Node", "Quantization", "Source", "Tensor", "constant"]
