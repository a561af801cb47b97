"""Every TFLite operator that scanlet emits, with what an interpreter needs to know about it.

Each exists in the pinned host interpreter (the tflite-micro wheel) and in the pinned device
library (espressif/esp-tflite-micro 1.4.0); tests hold both. REVERSE_V2 is left out on purpose:
flips are fused into SELECTIVE_SSM.
"""

from __future__ import annotations

from dataclasses import dataclass

import tflite

#: The version of espressif/esp-tflite-micro whose resolver methods the table names.
DEVICE_LIBRARY_VERSION = "1.4.0"
CUSTOM_CODE = "SELECTIVE_SSM"
#: Operator codes up to here also fit the schema's old one-byte field.
_LAST_OLD_CODE = int(tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)


@dataclass(frozen=True)
class BuiltinEntry:
    """One builtin operator.

    `resolver_method` belongs to MicroMutableOpResolver; `options` is the schema's options table,
    None where the operator has none (or its table is empty and optional). `int8` and `int16` are
    the operator's versions on activations of these types, None where either library has no kernel
    for them. FULLY_CONNECTED has none for int16: that of esp-nn knows no scales per channel; a
    CONV_2D takes its place.
    """

    name: str
    resolver_method: str
    options: str | None = None
    int8: int | None = None
    int16: int | None = None

    def version(self, dtype: str) -> int | None:
        """The version for activations of `dtype`; None where there is no kernel."""
        return {"int8": self.int8, "int16": self.int16}.get(dtype, 1)

    @property
    def code(self) -> int:
        """The value of the schema's BuiltinOperator."""
        return int(getattr(tflite.BuiltinOperator, self.name))

    @property
    def deprecated_code(self) -> int:
        """What the schema's old one-byte field holds for this operator."""
        return min(self.code, _LAST_OLD_CODE)


BUILTINS: dict[str, BuiltinEntry] = {
    entry.name: entry
    for entry in (
        BuiltinEntry("ABS", "AddAbs", int8=2, int16=3),
        BuiltinEntry("ADD", "AddAdd", "AddOptions", int8=2, int16=3),
        BuiltinEntry("AVERAGE_POOL_2D", "AddAveragePool2D", "Pool2DOptions", int8=2, int16=3),
        BuiltinEntry("CONCATENATION", "AddConcatenation", "ConcatenationOptions", int8=2, int16=3),
        BuiltinEntry("CONV_2D", "AddConv2D", "Conv2DOptions", int8=3, int16=4),
        BuiltinEntry(
            "DEPTHWISE_CONV_2D", "AddDepthwiseConv2D", "DepthwiseConv2DOptions", int8=3, int16=5
        ),
        BuiltinEntry("DEQUANTIZE", "AddDequantize", int8=2, int16=3),
        BuiltinEntry("DIV", "AddDiv", "DivOptions"),
        BuiltinEntry("EXP", "AddExp"),
        BuiltinEntry("FULLY_CONNECTED", "AddFullyConnected", "FullyConnectedOptions", int8=12),
        BuiltinEntry("GATHER", "AddGather", "GatherOptions", int8=2),
        BuiltinEntry("LOG", "AddLog"),
        BuiltinEntry("LOGISTIC", "AddLogistic", int8=2, int16=3),
        BuiltinEntry("MAXIMUM", "AddMaximum", int8=2, int16=4),
        BuiltinEntry("MAX_POOL_2D", "AddMaxPool2D", "Pool2DOptions", int8=2, int16=3),
        BuiltinEntry("MEAN", "AddMean", "ReducerOptions", int8=2, int16=3),
        BuiltinEntry("MINIMUM", "AddMinimum", int8=2, int16=4),
        BuiltinEntry("MUL", "AddMul", "MulOptions", int8=2, int16=4),
        BuiltinEntry("NEG", "AddNeg"),
        BuiltinEntry("PAD", "AddPad", int8=2, int16=3),
        BuiltinEntry("QUANTIZE", "AddQuantize", int8=2, int16=2),
        BuiltinEntry("REDUCE_MAX", "AddReduceMax", "ReducerOptions", int8=2),
        BuiltinEntry("REDUCE_MIN", "AddReduceMin", "ReducerOptions", int8=2),
        BuiltinEntry("RELU", "AddRelu", int8=2, int16=3),
        BuiltinEntry("RELU6", "AddRelu6", int8=2, int16=3),
        BuiltinEntry("RESHAPE", "AddReshape", "ReshapeOptions", int8=1, int16=1),
        BuiltinEntry("RSQRT", "AddRsqrt"),
        BuiltinEntry("SOFTMAX", "AddSoftmax", "SoftmaxOptions", int8=2, int16=3),
        BuiltinEntry("SQRT", "AddSqrt"),
        BuiltinEntry("SQUARE", "AddSquare"),
        BuiltinEntry("SQUARED_DIFFERENCE", "AddSquaredDifference"),
        BuiltinEntry("STRIDED_SLICE", "AddStridedSlice", "StridedSliceOptions", int8=2, int16=2),
        BuiltinEntry("SUB", "AddSub", "SubOptions", int8=2, int16=5),
        BuiltinEntry("SUM", "AddSum", "ReducerOptions", int8=2, int16=3),
        BuiltinEntry("TANH", "AddTanh", int8=2, int16=3),
        BuiltinEntry("TRANSPOSE", "AddTranspose", int8=2, int16=5),
    )
}


def required_resolver_methods(tflite_bytes: bytes) -> list[str]:
    """The methods of MicroMutableOpResolver that register the flatbuffer's builtin operators.

    Sorted, each once; SELECTIVE_SSM is not among them (the generated component registers it, one
    entry more). Raises ModelFileError for a damaged flatbuffer or an operator out of the table.
    """
    from scanlet.emit.flatbuffer_reader import read_model, refuse_foreign_operators

    description = read_model(tflite_bytes)
    refuse_foreign_operators(description)
    return sorted(
        {BUILTINS[op.name].resolver_method for op in description.operators if not op.custom}
    )
