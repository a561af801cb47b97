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
    None where the operator has none (or its table is empty and optional).
    """

    name: str
    resolver_method: str
    options: str | None = None

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
        BuiltinEntry("ABS", "AddAbs"),
        BuiltinEntry("ADD", "AddAdd", "AddOptions"),
        BuiltinEntry("AVERAGE_POOL_2D", "AddAveragePool2D", "Pool2DOptions"),
        BuiltinEntry("CONCATENATION", "AddConcatenation", "ConcatenationOptions"),
        BuiltinEntry("CONV_2D", "AddConv2D", "Conv2DOptions"),
        BuiltinEntry("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D", "DepthwiseConv2DOptions"),
        BuiltinEntry("DIV", "AddDiv", "DivOptions"),
        BuiltinEntry("EXP", "AddExp"),
        BuiltinEntry("FULLY_CONNECTED", "AddFullyConnected", "FullyConnectedOptions"),
        BuiltinEntry("GATHER", "AddGather", "GatherOptions"),
        BuiltinEntry("LOG", "AddLog"),
        BuiltinEntry("LOGISTIC", "AddLogistic"),
        BuiltinEntry("MAXIMUM", "AddMaximum"),
        BuiltinEntry("MAX_POOL_2D", "AddMaxPool2D", "Pool2DOptions"),
        BuiltinEntry("MEAN", "AddMean", "ReducerOptions"),
        BuiltinEntry("MINIMUM", "AddMinimum"),
        BuiltinEntry("MUL", "AddMul", "MulOptions"),
        BuiltinEntry("NEG", "AddNeg"),
        BuiltinEntry("PAD", "AddPad"),
        BuiltinEntry("REDUCE_MAX", "AddReduceMax", "ReducerOptions"),
        BuiltinEntry("REDUCE_MIN", "AddReduceMin", "ReducerOptions"),
        BuiltinEntry("RELU", "AddRelu"),
        BuiltinEntry("RELU6", "AddRelu6"),
        BuiltinEntry("RESHAPE", "AddReshape", "ReshapeOptions"),
        BuiltinEntry("RSQRT", "AddRsqrt"),
        BuiltinEntry("SOFTMAX", "AddSoftmax", "SoftmaxOptions"),
        BuiltinEntry("SQRT", "AddSqrt"),
        BuiltinEntry("SQUARE", "AddSquare"),
        BuiltinEntry("SQUARED_DIFFERENCE", "AddSquaredDifference"),
        BuiltinEntry("STRIDED_SLICE", "AddStridedSlice", "StridedSliceOptions"),
        BuiltinEntry("SUB", "AddSub", "SubOptions"),
        BuiltinEntry("SUM", "AddSum", "ReducerOptions"),
        BuiltinEntry("TANH", "AddTanh"),
        BuiltinEntry("TRANSPOSE", "AddTranspose"),
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
