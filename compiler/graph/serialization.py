"""A graph as bytes and back: travels with a saved project, so that it can be planned again."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from typing import Any

import numpy as np

from scanlet.errors import ModelFileError, ScanletError
from scanlet.graph import operators
from scanlet.graph.graph import Graph, Node, Source
from scanlet.graph.tensor import Quantization, Tensor

VERSION = 1
#: Of all entries, unpacked: far beyond what any target holds.
MAX_BYTES = 1 << 30
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip entries carry a date; the same graph gives the same bytes


def graph_to_bytes(graph: Graph) -> bytes:
    """A zip archive: graph.json, and one .npy a constant."""
    tensors = graph.tensors()
    index = {id(tensor): i for i, tensor in enumerate(tensors)}
    content = {
        "version": VERSION,
        "name": graph.name,
        "tensors": [
            {
                "name": tensor.name,
                "shape": tensor.shape,
                "dtype": tensor.dtype,
                "constant": tensor.is_constant,
                "quantization": dataclasses.asdict(tensor.quantization)
                if tensor.quantization
                else None,
            }
            for tensor in tensors
        ],
        "inputs": [index[id(tensor)] for tensor in graph.inputs],
        "outputs": [index[id(tensor)] for tensor in graph.outputs],
        "nodes": [
            {
                "op": type(node.op).__name__,
                "fields": dataclasses.asdict(node.op),
                "inputs": [index[id(tensor)] for tensor in node.inputs],
                "outputs": [index[id(tensor)] for tensor in node.outputs],
                "source": dataclasses.asdict(node.source),
            }
            for node in graph.nodes
        ],
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("graph.json", _EPOCH), json.dumps(content))
        for i, tensor in enumerate(tensors):
            if tensor.data is not None:
                array = io.BytesIO()
                np.save(array, np.ascontiguousarray(tensor.data), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{i}.npy", _EPOCH), array.getvalue())
    return stream.getvalue()


def graph_from_bytes(data: bytes) -> Graph:
    """The inverse of `graph_to_bytes`. Raises ModelFileError for anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ModelFileError(f"the stored graph unpacks to more than {MAX_BYTES:,} bytes")
            content = json.loads(archive.read("graph.json"))
            if content["version"] != VERSION:
                raise ModelFileError(f"graph version {content['version']}, expected {VERSION}")
            tensors = [
                _tensor(entry, archive.read(f"{i}.npy") if entry["constant"] else None)
                for i, entry in enumerate(content["tensors"])
            ]
        graph = Graph(
            [tensors[i] for i in content["inputs"]],
            [tensors[i] for i in content["outputs"]],
            [_node(entry, tensors) for entry in content["nodes"]],
            content["name"],
        )
        graph.validate()
    except ScanletError:
        raise
    except Exception as error:  # zipfile, zlib, NumPy and shape inference have kinds of their own
        raise ModelFileError(
            f"the stored graph is damaged: {error}", hint="compile the model again"
        ) from error
    return graph


def _tensor(entry: dict[str, Any], data: bytes | None) -> Tensor:
    quantization = None
    if entry["quantization"] is not None:
        fields = entry["quantization"]
        quantization = Quantization(
            tuple(fields["scales"]), tuple(fields["zero_points"]), fields["axis"]
        )
    array = np.load(io.BytesIO(data), allow_pickle=False) if data is not None else None
    return Tensor(entry["name"], tuple(entry["shape"]), entry["dtype"], array, quantization)


def _node(entry: dict[str, Any], tensors: list[Tensor]) -> Node:
    if entry["op"] not in operators.__all__:
        raise ModelFileError(f"the stored graph has an unknown operator {entry['op']!r}")
    fields = {name: _tuples(value) for name, value in entry["fields"].items()}
    return Node(
        getattr(operators, entry["op"])(**fields),
        [tensors[i] for i in entry["inputs"]],
        [tensors[i] for i in entry["outputs"]],
        Source(**entry["source"]),
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
