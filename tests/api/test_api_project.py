"""Saving, opening and protecting a project."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest
import torch

import scanlet
from scanlet.execution.host import HostInterpreter, build_library
from scanlet.project_files import verify_golden


@pytest.fixture
def project(compiled, tmp_path):
    return compiled.save(tmp_path / "tiny")


def test_a_reopened_project_computes_the_same(compiled, project):
    x = np.random.default_rng(5).standard_normal((3, 12, 5)).astype(np.float32)
    opened = scanlet.open(project)
    np.testing.assert_array_equal(opened.run(x), compiled.run(x))
    assert opened.labels == ("a", "b", "c")
    assert all(result.passed for result in verify_golden(opened))


def test_saving_again_over_an_untouched_project_works(compiled, project):
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    compiled.save(project)
    assert {p: p.read_bytes() for p in project.rglob("*") if p.is_file()} == before


def test_an_edited_file_is_kept_unless_forced(compiled, project):
    main = project / "main" / "main.cc"
    main.write_text(main.read_text() + "// mine\n")
    with pytest.raises(scanlet.ProjectConflictError, match=r"main/main\.cc"):
        compiled.save(project)
    assert main.read_text().endswith("// mine\n")
    compiled.save(project, component_only=True)
    assert main.read_text().endswith("// mine\n")
    compiled.save(project, force=True)
    assert not main.read_text().endswith("// mine\n")


def test_a_wrong_golden_output_fails_verification(project):
    path = project / "model" / "golden" / "output_1_0.npy"
    np.save(path, np.load(path) + 1.0)
    assert [r.passed for r in verify_golden(scanlet.open(project))] == [True, False, True]


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_a_truncated_flatbuffer_is_refused(project, keep):
    path = project / "model" / "model.tflite"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(scanlet.ModelFileError):
        scanlet.open(project)


def test_a_project_without_its_report_is_refused(project):
    (project / "report.json").write_text("{")
    with pytest.raises(scanlet.ModelFileError, match=r"report\.json"):
        scanlet.open(project)
    (project / "report.json").unlink()
    with pytest.raises(scanlet.ModelFileError, match="cannot read"):
        scanlet.open(project)
    with pytest.raises(scanlet.InputError, match="no such directory"):
        scanlet.open(project / "nowhere")


def test_an_operator_built_for_another_model_is_refused(project, tagger, tmp_path):
    other = scanlet.compile(tagger, torch.zeros(1, 4, 6), name="other", progress=False)
    component = other.save(tmp_path / "other") / "components" / "selective_ssm"
    shutil.rmtree(project / "components" / "selective_ssm")
    shutil.copytree(component, project / "components" / "selective_ssm")
    with pytest.raises(scanlet.ModelFileError, match=r"SELECTIVE_SSM.*not generated for"):
        scanlet.open(project)


def test_an_operator_whose_sources_were_laid_out_anew_is_compared_when_it_runs(
    project, tagger, tmp_path
):
    """No parameter block is found in them, so the operator's own check is what is left."""
    other = scanlet.compile(tagger, torch.zeros(1, 4, 6), name="other", progress=False)
    component = other.save(tmp_path / "other") / "components" / "selective_ssm"
    shutil.rmtree(project / "components" / "selective_ssm")
    shutil.copytree(component, project / "components" / "selective_ssm")
    source = project / "components" / "selective_ssm" / "selective_ssm_other.c"
    source.write_text(re.sub(r"0x([0-9a-f]{2})\b", r"0x0\1", source.read_text()))
    opened = scanlet.open(project)
    opened.name = "other"
    with pytest.raises(scanlet.ExecutionError, match="SELECTIVE_SSM"):
        opened.run(np.zeros((1, 12, 5), np.float32))


def test_an_arena_that_is_too_small_is_refused(compiled):
    library = build_library(compiled.component, name=compiled.name)
    needed = compiled.report["arena"]["needed_bytes"]
    with pytest.raises(scanlet.ExecutionError, match=str(needed // 2)):
        HostInterpreter(compiled.tflite, library, arena_bytes=needed // 2)


def test_two_models_run_side_by_side_in_one_process(compiled, classifier, tagger):
    other = scanlet.compile(tagger, torch.zeros(1, 4, 6), name="other", progress=False)
    x = np.random.default_rng(6).standard_normal((1, 12, 5)).astype(np.float32)
    y = np.random.default_rng(7).standard_normal((1, 4, 6)).astype(np.float32)
    with torch.no_grad():
        expected_x = classifier(torch.from_numpy(x)).numpy()
        expected_y = tagger(torch.from_numpy(y)).numpy()
    for _ in range(2):
        np.testing.assert_allclose(compiled.run(x), expected_x, atol=2e-6)
        np.testing.assert_allclose(other.run(y), expected_y, atol=2e-6)


def test_the_generic_target_gives_a_library_that_compiles_by_itself(classifier, tmp_path):
    compiled = scanlet.compile(
        classifier, torch.zeros(1, 12, 5), target="generic", name="lib", progress=False
    )
    project = compiled.save(tmp_path / "p")
    library = project / "library"
    main = """
    #include <stdio.h>
    #include "lib_model.h"
    static float x[LIB_INPUT_0_SIZE], y[LIB_OUTPUT_0_SIZE];
    int main(void) {
      if (fread(x, sizeof x, 1, stdin) != 1) return 2;
      lib_init();
      const int status = lib_run(x, y);
      fwrite(y, sizeof y, 1, stdout);
      return status;
    }
    """
    (tmp_path / "main.c").write_text(main)
    sources = [str(path) for path in library.glob("*.c")]
    command = ["gcc", "-std=c11", "-O2", "-ffp-contract=off", f"-I{library}", *sources]
    subprocess.run([*command, "main.c", "-o", "run"], cwd=tmp_path, check=True)
    x = np.random.default_rng(9).standard_normal((1, 12, 5)).astype(np.float32)
    done = subprocess.run(
        ["./run"], cwd=tmp_path, input=x.tobytes(), capture_output=True, check=True
    )
    np.testing.assert_allclose(
        np.frombuffer(done.stdout, np.float32), compiled.run(x)[0], rtol=1e-6, atol=1e-6
    )
    assert "lib_run(input, output)" in (project / "README.md").read_text()
    assert (project / "main" / "main.c").is_file()
