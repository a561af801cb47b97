"""Running and measuring a compiled model on emulated cores, as a user does."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import scanlet
from scanlet.cli import app
from scanlet.project_files import verify_golden
from scanlet.targets import CORES


def samples(count: int) -> np.ndarray:
    return np.random.default_rng(8).standard_normal((count, 12, 5)).astype(np.float32)


@pytest.mark.parametrize("core", CORES)
def test_a_batch_runs_on_every_core_as_pytorch_does(classifier, compiled, core):
    x = samples(3)
    with torch.no_grad():
        expected = classifier(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(compiled.run(x, on=core), expected, atol=3e-6)


def test_a_board_stands_for_its_core(compiled):
    x = samples(1)
    np.testing.assert_array_equal(
        compiled.run(x, on="esp32s3"), compiled.run(x, on="xtensa-fpu", keep_plan=True)
    )


def test_golden_samples_pass_on_a_core_and_fail_where_they_are_wrong(compiled):
    right = verify_golden(compiled, on="cortex-m7")
    assert [result.passed for result in right] == [True] * 3
    golden = compiled.golden
    outputs = ((golden.outputs[0][0] + 1,), *golden.outputs[1:])
    wrong = replace(compiled, golden=replace(golden, outputs=outputs))
    assert [result.passed for result in verify_golden(wrong, on="esp32s3")] == [False, True, True]


def test_memory_is_predicted_exactly(compiled):
    cost = compiled.measure(on="cortex-m7")
    assert 0 <= cost["static_bytes"] - cost["predicted_static_bytes"] < 16  # alignment of outputs
    parts = ("static_bytes", "input_bytes", "output_bytes", "stack_bytes")
    assert cost["ram_bytes"] == sum(cost[part] for part in parts)
    assert cost["instructions"] > cost["loads"] > cost["stores"] > 0
    assert sum(f["instructions"] for f in cost["functions"].values()) == cost["instructions"]


def test_the_count_is_the_same_every_time(compiled):
    x = samples(1)
    first, second = (compiled.measure(x, on="rv32imc") for _ in range(2))
    assert first == second


def test_cost_is_linear_in_the_length(classifier):
    counts = {}
    for length in (8, 16, 24):
        compiled = scanlet.compile(classifier, torch.zeros(1, length, 5), progress=False)
        counts[length] = compiled.measure(on="cortex-m4")["instructions"]
    assert abs((counts[24] - counts[16]) - (counts[16] - counts[8])) < 0.01 * counts[8]


def test_what_cannot_be_emulated_is_refused(compiled):
    with pytest.raises(scanlet.TargetError, match="nothing emulates"):
        compiled.run(samples(1), on="generic")
    with pytest.raises(scanlet.TargetError, match="unknown target"):
        compiled.measure(on="cortex-m9")


def test_a_missing_cross_compiler_names_the_package(compiled, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(scanlet.MissingToolError, match="gcc-arm-none-eabi"):
        compiled.measure(on="cortex-m7")


def test_a_model_beyond_the_cores_memory_is_refused_with_the_breakdown(classifier):
    compiled = scanlet.compile(classifier, torch.zeros(1, 12, 5), target="generic", progress=False)
    from scanlet.planning.plan import make_plan
    from scanlet.planning.planner import choose_plan, predicted_ram
    from scanlet.targets import find

    generic, extents = find("generic"), compiled.extents
    smallest = predicted_ram(compiled.graph, make_plan(compiled.graph, generic, tile=1))
    assert choose_plan(extents, generic, memory_limit=smallest).plan.tile == 1
    with pytest.raises(scanlet.TargetError, match=rf"{smallest:,} bytes.*arena"):
        choose_plan(extents, generic, memory_limit=smallest - 1)


def test_bench_and_plan_on_the_command_line(compiled, tmp_path):
    project = str(compiled.save(tmp_path / "p"))
    figures = tmp_path / "figures.json"
    shown = CliRunner().invoke(app, ["bench", project, "--on", "cortex-m7", "-o", str(figures)])
    assert shown.exit_code == 0, shown.output
    assert json.loads(figures.read_text())[0]["instructions"] > 0
    assert "cortex-m7" in shown.output
    plan = CliRunner().invoke(app, ["inspect", project, "--plan"])
    assert plan.exit_code == 0, plan.output
    assert "arena" in plan.output
    np.save(tmp_path / "x.npy", samples(2))
    ran = CliRunner().invoke(
        app, ["run", project, str(tmp_path / "x.npy"), "--on", "rv32imc", "--json"]
    )
    assert ran.exit_code == 0, ran.output
    outputs = np.array(json.loads(ran.output)["outputs"][0])
    np.testing.assert_allclose(outputs, compiled.run(samples(2)), atol=3e-6)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m55", "xtensa-fpu", "rv32imc"])
def test_the_naive_transcription_computes_the_same_and_costs_more(classifier, compiled, core):
    from scanlet.execution.emulation import run_program
    from scanlet.execution.on_core import core_program, core_target

    x = samples(1)
    choice = compiled.planned_for(core_target(core))
    program = core_program(choice.graph, choice.plan, 1, naive=True)
    result = run_program(core, program.sources, input_bytes=x.tobytes())
    with torch.no_grad():
        expected = classifier(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(np.frombuffer(result.output, "<f4"), expected[0], atol=3e-6)
    ours, naive = (compiled.measure(x, on=core, naive=flag) for flag in (False, True))
    assert naive["instructions"] > ours["instructions"]
    assert naive["ram_bytes"] > ours["ram_bytes"]
