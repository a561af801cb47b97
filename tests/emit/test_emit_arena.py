"""What the builtin kernels take of the tensor arena is predicted, in float and in integers."""

from __future__ import annotations

import pytest
from emit_cases import cases
from emit_integer_cases import PRECISIONS, integer_cases

from scanlet.emit.flatbuffer import write_model
from scanlet.execution.host import HostInterpreter
from scanlet.planning.tflm_arena import POINTERS_64, predict_arena


def one_of_each(found: list) -> list:
    return list({case.emits: case for case in found}.values())


CHOSEN = one_of_each(cases())
for precision in PRECISIONS:
    CHOSEN += one_of_each(integer_cases(precision))


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.emits)
def test_tensors_and_scratch_are_predicted_to_the_byte(case):
    interpreter = HostInterpreter(write_model(case.graph), None)
    predicted = predict_arena(interpreter.description, (), POINTERS_64)
    assert predicted.head == interpreter.allocations.head
    # The tail is a model; here, with a single operator, it is little but tables of fixed size.
    assert predicted.tail >= 0.9 * interpreter.allocations.tail
