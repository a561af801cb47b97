"""What a report says: taken from the graph, the plan, the flatbuffer, and from nowhere else."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from emit_report_cases import LABELS, compile_layers

import scanlet
from scanlet.emit.report import report_html, report_json
from scanlet.emit.report.content.classes import confusion
from scanlet.emit.report.content.partition import partition
from scanlet.errors import InputError, ModelFileError, TargetError
from scanlet.execution.operator_parts import PARTS, instructions_by_part
from scanlet.reporting import write_report


@pytest.fixture(scope="module")
def compiled() -> scanlet.Compiled:
    return compile_layers(2)


def test_the_captured_graph_has_a_mixer_as_one_operator(compiled):
    nodes = [node["operator"] for node in compiled.report["graphs"]["captured"]]
    block = ["Norm rms", "SelectiveSSM", "Binary add"]
    assert nodes == ["Linear", *block, *block, "Unary relu", "Reduce mean", "Linear"]


def test_the_lowered_graph_is_the_flatbuffer_and_points_to_its_layers(compiled):
    nodes = compiled.report["graphs"]["lowered"]
    assert [node["operator"] for node in nodes] == [
        operator.name for operator in compiled.description.operators
    ]
    layers = [node["layer"] for node in nodes if node["layer"] is not None]
    assert layers == list(range(len(compiled.report["layers"])))
    outputs = {node["output"] for node in nodes} | {tensor.name for tensor in compiled.inputs}
    assert all(set(node["inputs"]) <= outputs for node in nodes)


def test_the_partition_names_what_is_fused(compiled):
    first, second = (layer["partition"] for layer in compiled.report["layers"])
    assert [stage["loop"].split(",")[0] for stage in first] == ["Pre-SSM", "SSM", "Post-SSM"]
    assert first[0]["steps"][:3] == ["load the tile", "input Linear", "rms norm"]
    assert "input Linear" not in second[0]["steps"]
    assert second[2]["steps"] == ["out_proj", "residual", "store the tile"]


def test_the_partition_of_a_pooled_mixer_ends_once_a_sequence():
    from scanlet.graph.operators import SelectiveSSM
    from scanlet.graph.operators.selective_ssm import REQUIRED_WEIGHTS, WEIGHT_ORDER

    weights = tuple(name for name in WEIGHT_ORDER if name in REQUIRED_WEIGHTS)
    pooled = SelectiveSSM(weights, 8, 4, 1, 4, pooling="mean")
    assert partition(pooled)[2:] == [
        {"loop": "Post-SSM, for each time tile", "steps": ["mean over time"]},
        {"loop": "once a sequence", "steps": ["out_proj"]},
    ]


def test_the_partition_of_a_mamba2_mixer_says_where_its_norm_is():
    from scanlet.graph.operators import Mamba2
    from scanlet.graph.operators.mamba2 import MAMBA2_WEIGHT_ORDER

    for before, last in ((True, "in_proj, z rows; gate"), (False, "norm in 1 group")):
        op = Mamba2(MAMBA2_WEIGHT_ORDER, 16, 4, 2, 4, norm_before_gate=before)
        assert partition(op)[1]["steps"] == ["recurrence, step by step"]
        assert partition(op)[2]["steps"][1] == last


def test_the_peak_is_the_operator_with_most_bytes_alive(compiled):
    memory = compiled.report["memory"]
    assert len(memory["steps"]) == len(compiled.description.operators) + 1
    alive = [
        sum(b["bytes"] for b in memory["buffers"] if b["first"] <= step <= b["last"])
        for step in range(len(memory["steps"]))
    ]
    assert memory["alive_bytes"] == alive
    assert memory["peak"]["bytes"] == max(alive) == alive[memory["peak"]["step"]]
    assert memory["peak"]["operator"] == memory["steps"][memory["peak"]["step"]]
    assert max(alive) <= memory["head_bytes"]
    for i, one in enumerate(memory["buffers"]):
        for other in memory["buffers"][:i]:
            together = one["first"] <= other["last"] and other["first"] <= one["last"]
            apart = (
                one["offset"] + one["bytes"] <= other["offset"]
                or other["offset"] + other["bytes"] <= one["offset"]
            )
            assert not together or apart


def test_the_arena_of_the_timeline_is_the_one_that_the_interpreter_recorded(compiled):
    arena = compiled.report["arena"]
    assert arena["recorded"]
    assert compiled.report["memory"]["head_bytes"] == arena["tensors"] + arena["scratch"]


def test_one_alternative_is_chosen_and_it_is_the_plan(compiled):
    chosen = [one for one in compiled.report["alternatives"] if one["chosen"]]
    assert len(chosen) == 1
    assert chosen[0]["tile"] == compiled.report["plan"]["tile"]
    assert chosen[0]["fusion"] == compiled.report["plan"]["fusion"]
    assert chosen[0]["fits"]
    costs = [one["instructions"] for one in compiled.report["alternatives"]]
    assert costs == sorted(costs)
    assert len({one["tile"] for one in compiled.report["alternatives"]}) > 3


def test_plans_beyond_the_limit_are_said_not_to_fit(compiled):
    import torch
    from emit_report_cases import Layers

    torch.manual_seed(0)
    model = Layers(2).eval()
    sizes = [one["ram_bytes"] for one in compiled.report["alternatives"]]
    limit = (min(sizes) + max(sizes)) // 2
    tight = scanlet.compile(model, torch.zeros(1, 24, 9), memory_limit=limit, progress=False)
    found = tight.report["alternatives"]
    assert {one["fits"] for one in found} == {True, False}
    assert all(one["fits"] == (one["ram_bytes"] <= limit) for one in found)


def test_costs_are_expected_on_every_core_and_by_the_step(compiled):
    rows = compiled.report["expected"]
    assert [row["core"] for row in rows] == list(scanlet.targets.CORES)
    assert compiled.report["steps"] == 24
    for row in rows:
        assert row["per_step"] == round(row["instructions"] / 24)
    assert compiled.report["measurements"] == []


def test_multiplies_by_part_sum_up(compiled):
    counts = compiled.report["multiply_accumulates"]
    assert sum(counts["parts"].values()) == counts["total"] == sum(counts["nodes"].values())
    # Two mixers of (d_model 32, d_inner 64, d_state 8, dt_rank 2) over 24 steps.
    assert counts["parts"]["in_proj_x"] == counts["parts"]["in_proj_z"] == 2 * 24 * 32 * 64
    assert counts["parts"]["x_proj"] == 2 * 24 * 64 * 18
    assert counts["parts"]["out_proj"] == 2 * 24 * 64 * 32
    assert counts["parts"]["input"] == 24 * 9 * 32
    assert counts["parts"]["rest"] == 32 * 6


def test_kernels_count_for_their_parts_and_shared_products_by_their_multiplies():
    kernels = {
        "mixer_run > scanlet_conv_silu_tile": 10,
        "scan_conv_gate_run > scanlet_norm_tile": 20,  # a layer's name decides nothing
        "scanlet_gate_part > scanlet_silu": 30,
        "scanlet_softplus_part": 40,
        "mixer_scan > scanlet_int_scan": 50,
        "scanlet_arm_scan4.constprop.0": 60,
        "scanlet_arm_product.constprop.0": 1001,
        "model_run > scanlet_conv1d": 70,
        "__mulsf3": 80,
        "mixer_run": 5,
    }
    multiplies = {"in_proj_x": 25, "in_proj_z": 25, "x_proj": 30, "out_proj": 20, "conv": 7}
    parts = instructions_by_part(kernels, multiplies, {"mixer", "scan_conv_gate"})
    assert sum(parts.values()) == sum(kernels.values())
    assert set(parts) == {*PARTS, "library"}
    assert parts["conv"] == 10
    assert parts["rest"] == 20 + 70 + 5
    assert parts["gate"] == 30
    assert parts["dt"] == 40
    assert parts["scan"] == 110
    assert parts["library"] == 80
    assert (parts["in_proj"], parts["x_proj"], parts["out_proj"]) == (501, 300, 200)


def test_an_inlined_product_counts_for_the_projections_that_its_place_computes():
    multiplies = {"in_proj_x": 50, "in_proj_z": 50, "x_proj": 30, "dt": 10, "out_proj": 20}
    tile = instructions_by_part({"mixer_run > scanlet_product": 1000}, multiplies, {"mixer"})
    assert (tile["in_proj"], tile["x_proj"], tile["out_proj"], tile["dt"]) == (500, 300, 200, 0)
    block = instructions_by_part({"mixer_run > scanlet_product_block": 600}, multiplies, {"mixer"})
    assert (block["in_proj"], block["dt"], block["x_proj"]) == (500, 100, 0)


def test_a_confusion_lists_pairs_that_occur_most_frequent_first():
    found = confusion([(0, 0), (1, 2), (0, 0), (2, 2)], 3, "PyTorch")
    assert found["agreement"] == 0.75
    assert found["counts"][0] == {"expected": 0, "found": 0, "count": 2}
    assert sum(entry["count"] for entry in found["counts"]) == found["samples"] == 4
    assert {"expected": 1, "found": 2, "count": 1} in found["counts"]


def test_classes_of_the_verified_samples_are_those_of_pytorch(compiled):
    classes = compiled.report["classes"]
    assert classes["samples"] == 8
    assert classes["classes"] == len(LABELS)
    assert classes["agreement"] == compiled.report["verification"]["label_agreement"]
    expected = sorted(int(np.argmax(out[0])) for out in compiled.golden.outputs)
    listed = [entry["expected"] for entry in classes["counts"]]
    assert set(expected) <= set(listed)


def test_evaluation_judges_by_labels_given_as_numbers_or_names(compiled):
    x = np.concatenate([sample[0] for sample in compiled.golden.inputs])
    right = np.array([int(np.argmax(out[0])) for out in compiled.golden.outputs])
    wrong = right.copy()
    wrong[0] = (right[0] + 1) % 6
    assert compiled.evaluate(x, right)["agreement"] == 1.0
    assert compiled.evaluate(x, np.array(LABELS)[right])["agreement"] == 1.0
    found = compiled.evaluate(x, wrong)
    assert found["agreement"] == pytest.approx(2 / 3)
    assert compiled.report["evaluation"] is found
    assert "labelled samples" in report_html(compiled.report).decode()
    compiled.report["evaluation"] = None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1]), "3 samples and 2 labels"),
        (np.array([0, 1, 6]), "6 classes"),
        (np.array([0, -1, 1]), "-1"),
        (np.array(["walk", "fly", "lie"]), "'fly'"),
        (np.array([0.5, 1.0, 2.0]), "neither integers nor names"),
    ],
)
def test_labels_that_do_not_fit_are_refused(compiled, labels, message):
    x = np.concatenate([sample[0] for sample in compiled.golden.inputs])
    with pytest.raises(InputError, match=message):
        compiled.evaluate(x, labels)


def test_an_unknown_core_is_refused_and_the_report_stays(compiled):
    with pytest.raises(TargetError):
        compiled.add_measurements("cortex-m99")
    assert compiled.report["measurements"] == []


def test_counts_on_a_core_come_into_the_report_and_its_page(compiled, tmp_path):
    compiled.save(tmp_path)
    opened = scanlet.open(tmp_path)
    opened.add_measurements("cortex-m7")
    write_report(opened, tmp_path)
    (row,) = json.loads((tmp_path / "report.json").read_text())["measurements"]
    assert row["core"] == "cortex-m7"
    assert sum(row["parts"].values()) == row["instructions"] == sum(row["kernels"].values())
    assert row["per_step"] == round(row["instructions"] / 24)
    # The recurrence of 64 channels and 8 states is a large part; so are the projections.
    assert row["parts"]["scan"] > 0.2 * row["instructions"]
    counts = opened.report["multiply_accumulates"]["parts"]
    counts["in_proj"] = counts["in_proj_x"] + counts["in_proj_z"]
    each = [row["parts"][part] / counts[part] for part in ("in_proj", "x_proj", "out_proj")]
    assert max(each) < 1.5 * min(each)  # a multiply-accumulate costs about the same in each
    del counts["in_proj"]
    page = (tmp_path / "report.html").read_text()
    assert f"{row['instructions']:,}" in page
    assert 'id="instructions"' in page
    assert scanlet.open(tmp_path).report == opened.report  # and the rest of the project is there
    assert (tmp_path / "main" / "main.cc").is_file()


def test_a_report_of_another_version_is_refused(compiled, tmp_path):
    compiled.save(tmp_path)
    path = tmp_path / "report.json"
    report = json.loads(path.read_text())
    del report["memory"]
    path.write_text(json.dumps(report))
    with pytest.raises(ModelFileError, match="memory"):
        write_report(scanlet.open(tmp_path), tmp_path)


def test_the_call_names_what_differs_from_the_defaults(compiled):
    made = compiled.report["reproduce"]
    assert made["call"] == (
        "scanlet.compile(model, example_inputs, calibration_data=calibration_data, "
        f"labels={LABELS!r}, name='layers')"
    )
    assert made["model_sha256"] == hashlib.sha256(compiled.tflite).hexdigest()
    assert made["versions"]["numpy"] == np.__version__


def test_the_same_model_gives_the_same_bytes_in_another_directory(compiled, tmp_path):
    again = compile_layers(2)
    for one, folder in ((compiled, "a"), (again, "elsewhere/b")):
        one.save(tmp_path / folder)
    first, second = (
        {
            path.relative_to(root): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
        for root in (tmp_path / "a", tmp_path / "elsewhere" / "b")
    )
    assert first.keys() == second.keys()
    assert [str(path) for path in first if first[path] != second[path]] == []
    for name in ("report.html", "report.json"):
        content = first[Path(name)]
        assert str(tmp_path).encode() not in content
        assert str(Path.home()).encode() not in content


def test_no_number_of_the_page_is_missing_in_the_json(compiled):
    read_back = json.loads(report_json(compiled.report))
    assert report_html(read_back) == report_html(compiled.report)


def run_python(code: str, *arguments: str, seed: str = "0") -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONHASHSEED": seed},
        **{"capture_output": True, "text": True, "check": False, "timeout": 120},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pages_of_two_processes_are_equal_whatever_their_hash_seeds(compiled, tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(report_json(compiled.report))
    code = (
        "import hashlib, json, sys; from scanlet.emit.report import report_html; "
        "page = report_html(json.load(open(sys.argv[1]))); "
        "print(hashlib.sha256(page).hexdigest())"
    )
    expected = hashlib.sha256(report_html(compiled.report)).hexdigest()
    assert [run_python(code, str(path), seed=seed).strip() for seed in ("1", "2")] == [expected] * 2


def test_the_users_own_plot_settings_change_nothing_and_are_left_alone(compiled):
    import matplotlib

    expected = report_html(compiled.report)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert report_html(compiled.report) == expected
        assert matplotlib.rcParams["font.size"] == 30


def test_the_plotting_library_is_loaded_for_the_page_alone():
    code = (
        "import sys, scanlet, scanlet.emit.summary, scanlet.emit.project, scanlet.reporting; "
        "print('matplotlib' in sys.modules)"
    )
    assert run_python(code).strip() == "False"


def test_many_classes_are_told_as_mistakes_instead_of_a_matrix(compiled):
    report = copy.deepcopy(compiled.report)
    report["classes"] = confusion([(7, 7), (250, 3), (250, 3)], 300, "PyTorch")
    page = report_html(report).decode()
    assert "confusion-classes" not in page
    assert "<td>250</td><td>lie</td>" not in page
    assert '<tr><td>250</td><td>sit</td><td class="number">2</td></tr>' in page


def test_a_large_network_is_drawn_in_part_and_says_so(compiled):
    report = copy.deepcopy(compiled.report)
    nodes = report["graphs"]["captured"]
    report["graphs"]["captured"] = nodes[:1] * 130
    page = report_html(report).decode()
    assert "and 10 more operators" in page
    assert "130 operators" in page
