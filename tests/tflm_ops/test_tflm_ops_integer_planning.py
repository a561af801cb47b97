"""Planning of integer mixers: memory, the choice of the tile, and what layouts and options keep."""

from __future__ import annotations

import numpy as np
import pytest
from integer_cases import Case, random_case

from scanlet.execution.on_core import measure_on_core
from scanlet.passes.extents import Extent
from scanlet.passes.fuse_into_ssm import Fusion
from scanlet.planning.generic import plan_memory
from scanlet.planning.integer_layout import LAYOUTS
from scanlet.planning.packing import pack_layer, packed_shapes, packed_types
from scanlet.planning.plan import make_plan
from scanlet.planning.planner import choices
from scanlet.targets import find

CORES = ("cortex-m7", "cortex-m55", "xtensa-fpu", "rv32imc", "esp32s3")
#: The published networks as one operator each: 64 features, head included.
KWS = {"length": 100, "features": 40, "d_inner": 128, "d_state": 16, "dt_rank": 4, "d_out": 3}
HAR = {"length": 10, "features": 57, "d_inner": 128, "d_state": 16, "dt_rank": 4, "d_out": 6}


def published(shapes: dict[str, int], length: int | None = None) -> Case:
    return random_case(
        0, extreme=True, pooling="mean", **(shapes | {"length": length or shapes["length"]})
    )


@pytest.mark.parametrize(("shapes", "limit"), [(KWS, 14336), (HAR, 9216)], ids=["kws", "har"])
def test_memory_of_the_published_networks_stays_small(
    core: str, shapes: dict[str, int], limit: int
) -> None:
    case = published(shapes)
    graph = case.graph()
    plan = make_plan(graph, find(core), tile=4)
    measured = measure_on_core(graph, plan, (case.x,))
    assert measured["ram_bytes"] <= limit
    assert 0 <= measured["static_bytes"] - plan_memory(graph, plan).total <= 16


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_scratch_does_not_grow_with_the_length(core: str) -> None:
    totals = []
    for length in (10, 1000):
        graph = published(KWS, length).graph()
        totals.append(plan_memory(graph, make_plan(graph, find(core))).total)
    assert totals[0] == totals[1]


def test_the_cost_model_tells_instructions(core: str) -> None:
    case = random_case(1, pooling="mean", **(KWS | {"length": 24}))
    case.weights["channels"][:, 7] = 19  # decays that lie in the table
    graph = case.graph()
    for choice in choices([Extent(Fusion(), graph)], find(core))[:2]:
        measured = measure_on_core(graph, choice.plan, (case.x,))["instructions"]
        assert 0.8 * measured <= choice.instructions <= 1.25 * measured


def test_rows_of_the_esp32s3_are_aligned_whole_vectors() -> None:
    # Its vector unit ignores the low four bits of an address: a row elsewhere would be misread.
    case = random_case(0, linear=True, norm="rms", features=5, d_inner=10, dt_rank=3)
    plan = case.plan(4, "esp32s3")
    assert plan.layout is not None
    for weight in pack_layer(plan, case.weights):
        if weight.name in ("input_weight", "in_proj_weight", "x_proj_weight", "out_proj_weight"):
            assert weight.data.dtype == np.int8
            assert weight.data.shape[-1] % 16 == 0
    for count in (3, 5, 10):
        assert plan.layout.strides(count, 4)[1] * 2 % 32 == 0
    assert all(buffer.offset % 16 == 0 for buffer in (*plan.scratch, *plan.state))


@pytest.mark.parametrize("kernels", sorted(LAYOUTS))
def test_packed_shapes_and_types_are_those_of_the_data(kernels: str) -> None:
    target = {
        "portable": "generic",
        "xtensa": "esp32",
        "xtensa_s3": "esp32s3",
        "arm_dsp": "stm32h7",
        "arm_mve": "cortex-m55",
    }
    for options in (
        {},
        {"linear": True, "norm": "rms"},
        {"d_state": 9, "d_inner": 7, "dt_rank": 5},
    ):
        case = random_case(0, **options)
        plan = case.plan(3, target[kernels])
        packed = pack_layer(plan, case.weights)
        assert {weight.name: weight.data.shape for weight in packed} == packed_shapes(plan)
        assert {weight.name: str(weight.data.dtype) for weight in packed} == packed_types(plan)
        for weight in packed:  # every value is there, padding is zero
            total = np.abs(weight.data.astype(np.int64)).sum()
            assert total == np.abs(case.weights[weight.name].astype(np.int64)).sum()
