"""Every example's network as plain C passes its golden samples under sanitizers.

What the repository has no weights of is drawn at random: sanitizers look at memory, not at scores.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import scanlet
from examples.basic_motions import data as motions
from examples.basic_motions import run as motions_run
from examples.basic_motions.model import create as motion_classifier
from examples.benchmark.networks import compile_network
from examples.keyword_spotting.data import synthetic_audio
from examples.keyword_spotting.features import features
from examples.keyword_spotting.recording import synthetic
from examples.keyword_spotting.run import load_model
from examples.keyword_spotting.stream import compile_stream
from examples.mambalite_micro.model import MambaLiteMicro, mambapy_mixer
from examples.uci_har.model import create as activity_classifier


def generic(model: nn.Module, samples: list[np.ndarray], precision: str) -> scanlet.Compiled:
    return scanlet.compile(
        model,
        torch.from_numpy(samples[0]),
        target="generic",
        precision=precision,
        calibration_data=samples,
        progress=False,
    )


def basic_motions(precision: str) -> scanlet.Compiled:
    model = motion_classifier()
    weights = motions_run.FOLDER / "weights.pt"
    model.load_state_dict(torch.load(weights, weights_only=True))
    statistics = np.load(motions_run.FOLDER / "normalization.npz")
    recordings = (motions.load("TEST")[0] - statistics["mean"]) / statistics["std"]
    samples = [recording[np.newaxis].astype(np.float32) for recording in recordings[:16]]
    return generic(model, samples, precision)


def keyword_spotting(precision: str) -> scanlet.Compiled:
    model, mean, std = load_model()
    clips = (features(synthetic_audio()) - mean) / std
    return generic(model, [clip[np.newaxis].astype(np.float32) for clip in clips], precision)


def keyword_stream(precision: str) -> scanlet.Compiled:
    return compile_stream(precision, synthetic(), "generic")


def drawn(model: nn.Module, shape: tuple[int, ...], precision: str) -> scanlet.Compiled:
    rng = np.random.default_rng(0)
    samples = [rng.standard_normal((1, *shape), np.float32) for _ in range(8)]
    return generic(model, samples, precision)


def mambalite_micro(precision: str) -> scanlet.Compiled:
    torch.manual_seed(0)
    return drawn(MambaLiteMicro(57, 6, mambapy_mixer()).eval(), (10, 57), precision)


def uci_har(precision: str) -> scanlet.Compiled:
    torch.manual_seed(0)
    return drawn(activity_classifier(), (128, 9), precision)


def benchmark(precision: str) -> scanlet.Compiled:
    return compile_network("HAR 10x57", precision=precision)


CASES: list[tuple[Callable[[str], scanlet.Compiled], str]] = [
    *((basic_motions, "float32"), (basic_motions, "int8")),
    *((keyword_spotting, "int8"), (keyword_stream, "int8"), (mambalite_micro, "float32")),
    *((uci_har, "int16x8"), (benchmark, "int8")),
]


def run(*words: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sanitized(project: Path) -> Path:
    """Built as README.md says; the folder of the build."""
    build = project / "build"
    run("cmake", "-S", project, "-B", build, "-DSCANLET_SANITIZE=ON")
    run("cmake", "--build", build, "--target", project.name)
    return build


@pytest.mark.parametrize(
    ("example", "precision"), CASES, ids=[f"{one.__name__}-{p}" for one, p in CASES]
)
def test_the_self_test_passes_under_sanitizers(
    example: Callable[[str], scanlet.Compiled], precision: str, tmp_path: Path
):
    compiled = example(precision)
    build = sanitized(compiled.save(tmp_path / compiled.name))
    said = run("ctest", "--test-dir", build, "--verbose")
    assert "self-test: PASS" in said


def test_an_access_beyond_a_buffer_ends_the_self_test(tmp_path: Path):
    project = benchmark("float32").save(tmp_path / "network")
    source = project / "library" / "network_model.c"
    text = source.read_text()
    assert text.count("\n  return 0;\n") == 1
    beyond = "\n  { volatile int32_t at = NETWORK_ARENA_BYTES; arena[at] = 0u; }\n  return 0;\n"
    source.write_text(text.replace("\n  return 0;\n", beyond))
    done = subprocess.run(
        ["ctest", "--test-dir", str(sanitized(project)), "--verbose"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "runtime error" in done.stdout or "AddressSanitizer" in done.stdout
