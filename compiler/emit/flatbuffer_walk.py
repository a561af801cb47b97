"""Walk flatbuffer bytes with every offset checked, by a table of the TFLite schema's fields.

Written from the flatbuffers format description, without the generated accessors: those trust
their input. Tables become dictionaries, vectors lists, byte vectors spans of the file.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, NoReturn

from scanlet.errors import ModelFileError

#: Scalar types: format character, size, default.
SCALARS = {
    "int8": ("b", 1, 0),
    "uint8": ("B", 1, 0),
    "bool": ("?", 1, False),
    "int32": ("i", 4, 0),
    "uint32": ("I", 4, 0),
    "float32": ("f", 4, 0.0),
    "int64": ("q", 8, 0),
    "uint64": ("Q", 8, 0),
}

#: Fields by slot, as (name, type); None skips a slot. "[T]" is a vector, "union" the options.
ACTIVATION = ("fused_activation_function", "int8")
SCHEMA: dict[str, list[tuple[str, str] | None]] = {
    "Model": [
        ("version", "uint32"),
        ("operator_codes", "[OperatorCode]"),
        ("subgraphs", "[SubGraph]"),
        ("description", "string"),
        ("buffers", "[Buffer]"),
        None,
        ("metadata", "[Metadata]"),
    ],
    "OperatorCode": [
        ("deprecated_builtin_code", "int8"),
        ("custom_code", "string"),
        ("version", "int32"),
        ("builtin_code", "int32"),
    ],
    "SubGraph": [
        ("tensors", "[Tensor]"),
        ("inputs", "[int32]"),
        ("outputs", "[int32]"),
        ("operators", "[Operator]"),
        ("name", "string"),
    ],
    "Tensor": [
        ("shape", "[int32]"),
        ("type", "int8"),
        ("buffer", "uint32"),
        ("name", "string"),
        ("quantization", "QuantizationParameters"),
        ("is_variable", "bool"),
        ("sparsity", "opaque"),
        ("shape_signature", "[int32]"),
        ("has_rank", "bool"),
    ],
    "QuantizationParameters": [
        ("min", "[float32]"),
        ("max", "[float32]"),
        ("scale", "[float32]"),
        ("zero_point", "[int64]"),
        ("details_type", "uint8"),
        None,
        ("quantized_dimension", "int32"),
    ],
    "Operator": [
        ("opcode_index", "uint32"),
        ("inputs", "[int32]"),
        ("outputs", "[int32]"),
        ("builtin_options_type", "uint8"),
        ("builtin_options", "union"),
        ("custom_options", "[uint8]"),
        ("custom_options_format", "int8"),
        None,
        ("intermediates", "[int32]"),
    ],
    "Buffer": [("data", "[uint8]"), ("offset", "uint64"), ("size", "uint64")],
    "Metadata": [("name", "string"), ("buffer", "uint32")],
    "AddOptions": [ACTIVATION],
    "ConcatenationOptions": [("axis", "int32"), ACTIVATION],
    "Conv2DOptions": [
        ("padding", "int8"),
        ("stride_w", "int32"),
        ("stride_h", "int32"),
        ACTIVATION,
        ("dilation_w_factor", "int32"),
        ("dilation_h_factor", "int32"),
    ],
    "DepthwiseConv2DOptions": [
        ("padding", "int8"),
        ("stride_w", "int32"),
        ("stride_h", "int32"),
        ("depth_multiplier", "int32"),
        ACTIVATION,
        ("dilation_w_factor", "int32"),
        ("dilation_h_factor", "int32"),
    ],
    "DivOptions": [ACTIVATION],
    "FullyConnectedOptions": [
        ACTIVATION,
        ("weights_format", "int8"),
        ("keep_num_dims", "bool"),
    ],
    "GatherOptions": [("axis", "int32"), ("batch_dims", "int32")],
    "MulOptions": [ACTIVATION],
    "Pool2DOptions": [
        ("padding", "int8"),
        ("stride_w", "int32"),
        ("stride_h", "int32"),
        ("filter_width", "int32"),
        ("filter_height", "int32"),
        ACTIVATION,
    ],
    "ReducerOptions": [("keep_dims", "bool")],
    "ReshapeOptions": [("new_shape", "[int32]")],
    "SoftmaxOptions": [("beta", "float32")],
    "StridedSliceOptions": [
        ("begin_mask", "int32"),
        ("end_mask", "int32"),
        ("ellipsis_mask", "int32"),
        ("new_axis_mask", "int32"),
        ("shrink_axis_mask", "int32"),
    ],
    "SubOptions": [ACTIVATION],
}
#: Defaults of the schema that are not zero.
DEFAULTS = {
    ("OperatorCode", "version"): 1,
    **{
        (table, field): 1
        for table in ("Conv2DOptions", "DepthwiseConv2DOptions")
        for field in ("dilation_w_factor", "dilation_h_factor")
    },
}
_FORMS = {code: struct.Struct("<" + code) for code in "bB?hHiIfqQ"}


class Span(NamedTuple):
    """A byte vector: where its content lies in the file."""

    start: int
    size: int


#: No more tables than this are read, so that a hostile file costs a second and not an hour.
MAX_TABLES = 1 << 16
#: A table takes eight bytes, and four for the offset that leads to it.
LEAST_TABLE_BYTES = 12


class Walker:
    """Reads tables out of `data`; ModelFileError for anything that leads out of bounds.

    `option_tables` maps the union's type byte to the name of an options table. `oddity` tells of
    what no bounds forbid and scanlet never writes: fields that are not in SCHEMA (an interpreter
    might read them), booleans beyond 1, options of another type.
    """

    def __init__(self, data: bytes, option_tables: dict[int, str]) -> None:
        self.data = data
        self.option_tables = option_tables
        self.oddity = ""
        self._tables = 0
        #: Bytes and elements that may still be read: an honest file has no more than bytes, a
        #: hostile one could point many times to the same large vector.
        self._budget = 4 * len(data) + 4 * LEAST_TABLE_BYTES

    def root(self, identifier: bytes) -> dict[str, Any]:
        """The Model table. Raises ModelFileError if the identifier is another one."""
        if len(self.data) < 8:
            raise ModelFileError(
                f"{len(self.data)} bytes are no TFLite flatbuffer", hint="is the file truncated?"
            )
        if self.data[4:8] != identifier:
            raise ModelFileError(
                f"the file identifier is {self.data[4:8]!r}, expected {identifier!r}",
                hint="is this a .tflite file?",
            )
        return self.table(self._follow(0), "Model")

    def table(self, position: int, kind: str) -> dict[str, Any]:
        """The table at `position` as a dictionary, every field of the schema present."""
        vtable, vtable_size, table_size = self._header(position, kind)
        entries = struct.unpack_from(f"<{(vtable_size - 4) // 2}H", self.data, vtable + 4)
        fields = SCHEMA.get(kind, [])
        result: dict[str, Any] = {}
        for slot, field in enumerate(fields):
            offset = entries[slot] if slot < len(entries) else 0
            if field is None:
                self._note_unknown_field(offset, slot, kind)
                continue
            name, type_ = field
            size = SCALARS[type_][1] if type_ in SCALARS else 4
            if offset and not 4 <= offset <= table_size - size:
                self._damaged(f"field {name} of {kind} lies outside of its table")
            at = position + offset if offset else 0
            if at % size:
                self._damaged(f"field {name} of {kind} is misaligned")
            result[name] = self._field(at, type_, kind, name, result)
        for slot in range(len(fields), len(entries)):
            self._note_unknown_field(entries[slot], slot, kind)
        return result

    def _note_unknown_field(self, offset: int, slot: int, kind: str) -> None:
        if offset:
            self.oddity = f"a {kind} table has the field {slot}, which scanlet never writes"

    def _field(self, at: int, type_: str, kind: str, name: str, before: dict[str, Any]) -> Any:
        """The value of a field at `at`; its default if that is 0."""
        if type_ in SCALARS:
            code, _, default = SCALARS[type_]
            if type_ == "bool" and at and self._scalar("B", at) > 1:
                self.oddity = f"{name} of a {kind} table is neither true nor false"
            return self._scalar(code, at) if at else DEFAULTS.get((kind, name), default)
        if type_ == "opaque":
            return bool(at)
        if type_ == "union":
            options = self.option_tables.get(before["builtin_options_type"])
            if (options is None) == bool(at):
                self.oddity = "the options of an operator do not go with their type"
            return self.table(self._follow(at), options or "") if at and options else {}
        if type_ == "string":
            return self._string(at) if at else ""
        if type_.startswith("["):
            return self._vector(at, type_[1:-1]) if at else Span(0, 0) if "uint8" in type_ else []
        return self.table(self._follow(at), type_) if at else None

    def _vector(self, at: int, element: str) -> Any:
        start, count = self._vector_header(at)
        if element in SCALARS:
            code, size, _ = SCALARS[element]
            self._need(start, count * size, "a vector")
            if element == "uint8":
                return Span(start, count)
            self._spend(count)
            if start % size and count:
                self._damaged("a vector is misaligned")
            return list(struct.unpack_from(f"<{count}{code}", self.data, start))
        self._need(start, count * 4, "a vector")
        return [self.table(self._follow(start + 4 * i), element) for i in range(count)]

    def _string(self, at: int) -> str:
        start, count = self._vector_header(at)
        self._need(start, count + 1, "a string")
        self._spend(count)
        if self.data[start + count]:
            self._damaged("a string does not end in zero")
        try:
            return self.data[start : start + count].decode("utf-8")
        except UnicodeDecodeError:
            self._damaged("a string is not UTF-8")

    def _vector_header(self, at: int) -> tuple[int, int]:
        position = self._follow(at)
        if position % 4:
            self._damaged("a vector is misaligned")
        return position + 4, self._scalar("I", position)

    def _header(self, position: int, kind: str) -> tuple[int, int, int]:
        """Position and size of a table's vtable, and the size of the table's own fields."""
        self._spend(4 * LEAST_TABLE_BYTES)
        self._tables += 1
        if self._tables > MAX_TABLES:
            self._damaged(f"it has more than {MAX_TABLES} tables")
        if position % 4:
            self._damaged(f"a {kind} table is misaligned")
        vtable = position - self._scalar("i", position)
        if vtable % 2 or vtable < 8:
            self._damaged(f"a {kind} table has no proper vtable")
        vtable_size, table_size = self._scalar("H", vtable), self._scalar("H", vtable + 2)
        if vtable_size < 4 or vtable_size % 2 or table_size < 4:
            self._damaged(f"a {kind} table has no proper vtable")
        self._need(vtable, vtable_size, "a vtable")
        self._need(position, table_size, f"a {kind} table")
        return vtable, vtable_size, table_size

    def _follow(self, at: int) -> int:
        return at + int(self._scalar("I", at))

    def _scalar(self, code: str, position: int) -> Any:
        if position < 0:
            self._damaged("a value lies outside of the file")
        try:
            return _FORMS[code].unpack_from(self.data, position)[0]
        except struct.error:
            self._damaged("a value lies outside of the file")

    def _need(self, start: int, size: int, what: str) -> None:
        if start < 0 or start + size > len(self.data):
            self._damaged(f"{what} lies outside of the file")

    def _spend(self, amount: int) -> None:
        self._budget -= amount
        if self._budget < 0:
            self._damaged("its tables overlap")

    def _damaged(self, what: str) -> NoReturn:
        raise ModelFileError(
            f"the flatbuffer is damaged: {what}",
            hint="is the file truncated? Compile the model again, or copy the file again",
        )
