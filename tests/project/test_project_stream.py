"""The application of a streamed model: hop by hop, hooks of the user's, a ring buffer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from project_device import answers, build_application, frame, run_application, write_files
from project_models import Classifier

import scanlet
from scanlet.emit.project import ProjectSpec, render_project
from scanlet.project_files import _project_spec

HOPS = """
#include "app_config.h"
#include "input_source.h"
#include "stream_hooks.h"
#include <cstdio>

// Golden chunks, each twice.
extern "C" const float* scanlet_next_input(size_t count) {
  static size_t next = 0;
  if (count * sizeof(float) != config::kInputBytes[0]) return nullptr;
  if (next == 2 * config::kGoldenCount) return nullptr;
  return static_cast<const float*>(config::kGoldenInputs[next++ / 2]);
}
"""
HOOKS = """
extern "C" bool scanlet_on_scores(const float* scores, size_t count) {
  std::printf("hop: %u scores, first %.3f\\n", static_cast<unsigned>(count),
              static_cast<double>(scores[0]));
  return true;
}
extern "C" bool scanlet_input_restarted(void) {
  static int hop = 0;
  return hop++ == 3;
}
"""


@pytest.fixture(scope="module")
def stream_spec() -> ProjectSpec:
    torch.manual_seed(3)
    compiled = scanlet.compile(
        Classifier().eval(),
        torch.zeros(1, 6, 4),
        name="gestures",
        labels=["walk", "run", "stand"],
        mode="stream",
        chunk=2,
        pooling="exponential:4",
        progress=False,
    )
    return _project_spec(compiled)


def built(spec: ProjectSpec, folder: Path, source: str) -> Path:
    project = write_files(render_project(spec), folder / "p")
    (project / "main" / "user").mkdir()
    (project / "main" / "user" / "hops.cc").write_text(source)
    return build_application(project, folder / "program")


def test_without_hooks_a_line_appears_where_the_winner_changes(
    stream_spec: ProjectSpec, tmp_path: Path
) -> None:
    shown = run_application(built(stream_spec, tmp_path, HOPS)).decode().splitlines()
    winners = [stream_spec.labels[int(np.argmax(y))] for (y,) in stream_spec.golden_outputs]
    changes = [name for i, name in enumerate(winners) if i == 0 or name != winners[i - 1]]
    live = [line.split(",")[0] for line in shown if line.startswith("live: ")]
    assert live == [f"live: {name}" for name in changes]


def test_the_hooks_get_every_hop_and_may_clear_the_state(
    stream_spec: ProjectSpec, tmp_path: Path
) -> None:
    program = built(stream_spec, tmp_path, HOPS + HOOKS)
    shown = run_application(program, "telling").decode().splitlines()
    first = next(i for i, line in enumerate(shown) if line.startswith("hop: "))
    expected = []
    for hop in range(2 * len(stream_spec.golden_outputs)):
        expected += ["[reset]"] * (hop == 3)
        (scores,) = stream_spec.golden_outputs[hop // 2]
        expected.append(f"hop: 3 scores, first {scores.flat[0]:.3f}")
    assert shown[first - 1 : first + len(expected)] == ["[reset]", *expected]
    assert not any(line.startswith("live: ") for line in shown)


BROKEN_SENSOR = """
#include "app_config.h"
#include "input_source.h"
#include <cmath>
#include <vector>

// The first golden chunk five times, with NaN in the second and the third.
extern "C" const float* scanlet_next_input(size_t count) {
  static size_t next = 0;
  if (next == 5) return nullptr;
  const float* const golden = static_cast<const float*>(config::kGoldenInputs[0]);
  static std::vector<float> chunk;
  chunk.assign(golden, golden + count);
  if (next == 1 || next == 2) chunk[count - 1] = NAN;
  ++next;
  return chunk.data();
}
"""


def test_a_nan_in_the_input_is_told_once_and_does_not_stay_in_the_state(
    stream_spec: ProjectSpec, tmp_path: Path
) -> None:
    shown = run_application(built(stream_spec, tmp_path, BROKEN_SENSOR)).decode().splitlines()
    winner = stream_spec.labels[int(np.argmax(stream_spec.golden_outputs[0][0]))]
    live = [line.split(", score")[0] for line in shown if line.startswith("live: ")]
    spoilt = "live: no number comes out, the stream starts again"
    assert live == [f"live: {winner}", spoilt, f"live: {winner}"]


def test_the_port_takes_chunks_and_clears_the_state_between_recordings(
    stream_spec: ProjectSpec, tmp_path: Path
) -> None:
    project = write_files(render_project(stream_spec), tmp_path / "p")
    program = build_application(project, tmp_path / "program")
    chunk = stream_spec.golden_inputs[0][0].tobytes()
    requests = frame(1) + frame(2, chunk, 1) + frame(2, chunk, 2) + frame(3, sequence=3)
    found = answers(run_application(program, "telling", requests))
    assert [(a.kind, a.sequence) for a in found] == [(0x81, 0), (0x82, 1), (0x82, 2), (0x83, 3)]
    assert b"\nchunk=2\ninput0.name=" in found[0].payload
    assert b"\ninput0.time_axis=1\n" in found[0].payload
    assert found[1].payload[4:] == stream_spec.golden_outputs[0][0].tobytes()


def test_the_readme_says_what_a_call_is(stream_spec: ProjectSpec) -> None:
    text = render_project(stream_spec)["README.md"].decode()
    assert "the next chunk of 2 steps" in text
    assert "exponential:4" in text
    assert "scanlet_on_scores" in text


def test_a_ring_keeps_order_and_notes_what_it_lost(build_program) -> None:
    program = build_program("ring_harness.cc")
    script = "push 5\npop 6\npop 3\npush 6\npop 8\npush 9\npop 8\npush 2\npop 2\n"
    done = subprocess.run([program], input=script, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[:3] == [["none"], ["0", "1", "2"], [str(i) for i in range(3, 11)]]
    assert lines[3] == [*(str(i) for i in range(11, 19)), "overrun"]
    assert lines[4] == ["20", "21"]
    assert lines[5] == ["in", "order"]
