"""The firmware of target stm32h7 on the emulated Cortex-M7, its UART behind a pseudo-terminal."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import scanlet
from examples.benchmark.serial_faults import Faults, Line
from examples.benchmark.serial_link import Classifier, compile_served, over_a_line
from scanlet.cli import app

QEMU = (
    *("qemu-system-arm", "-M", "mps2-an500", "-display", "none", "-monitor", "none"),
    *("-semihosting-config", "enable=on,target=native"),
)


@dataclass(frozen=True)
class Firmware:
    compiled: scanlet.Compiled
    project: Path

    @property
    def image(self) -> Path:
        return self.project / "build" / f"{self.compiled.name}_serve.elf"


def build(compiled: scanlet.Compiled, project: Path) -> Firmware:
    compiled.save(project)
    for words in (
        ("cmake", "-S", project, "-B", project / "build", "-DSCANLET_BOARD=mps2-an500"),
        ("cmake", "--build", project / "build", "--target", f"{compiled.name}_serve"),
    ):
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return Firmware(compiled, project)


@pytest.fixture(scope="module", params=["sequence", "stream"])
def integer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    compiled = compile_served(request.param, "stm32h7")
    return build(compiled, tmp_path_factory.mktemp("firmware") / "p")


@pytest.fixture
def port(integer: Firmware) -> Iterator[str]:
    """The emulator's own pseudo-terminal."""
    emulator = subprocess.Popen(
        [*QEMU, "-serial", "pty", "-kernel", str(integer.image)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert emulator.stdout is not None
    found = re.search(r"redirected to (\S+)", emulator.stdout.readline())
    assert found is not None
    yield found[1]
    emulator.kill()
    emulator.communicate()


def evaluate(firmware: Firmware, port: str, data: Path, *options: str) -> dict:
    words = ("device", "evaluate", firmware.project, "--port", port, "--data", data, "--json")
    words += options
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_the_board_has_the_bits_of_this_machine(
    integer: Firmware, port: str, samples: np.ndarray, tmp_path: Path
) -> None:
    classes = np.arange(len(samples)) % 3
    np.savez(tmp_path / "data.npz", x=samples, y=classes)
    found = evaluate(integer, port, tmp_path / "data.npz")
    assert (found["passed"], found["equal"]) == (True, len(samples))
    assert found["accuracy_board"] == found["accuracy_host"]
    runs = len(samples) * (3 if integer.compiled.mode == "stream" else 1)
    assert found["statistics"]["inferences"] == runs
    with scanlet.Device(port) as board:
        assert board.self_test().passed
        assert board.statistics()["inferences"] == runs  # the self-test's do not count


def test_every_answer_is_right_over_a_bad_line(integer: Firmware) -> None:
    program = [*QEMU, "-serial", "stdio", "-kernel", str(integer.image)]
    faults = Faults(0.08, 0.04, 0.08, 0.04, 0.08, 0.04)
    row = over_a_line(integer.compiled, program, 40, faults, seed=1)
    assert (row["wrong"], row["carried_out"]) == (0, 40)
    assert sum(row["faults"].values()) >= 8


def test_floats_agree_within_the_tolerance_and_have_the_bits_of_the_emulated_core(
    samples: np.ndarray, tmp_path: Path
) -> None:
    """The chip's build has fused multiply-adds, which round differently."""
    torch.manual_seed(7)
    compiled = scanlet.compile(
        Classifier().eval(),
        torch.zeros(1, 12, 8),
        target="stm32h7",
        name="served",
        progress=False,
    )
    firmware = build(compiled, tmp_path / "p")
    np.save(tmp_path / "x.npy", samples[:6])
    with Line([*QEMU, "-serial", "stdio", "-kernel", firmware.image]) as line:
        found = evaluate(firmware, line.port, tmp_path / "x.npy")
        exact = evaluate(firmware, line.port, tmp_path / "x.npy", "--on", "cortex-m7")
    assert found["passed"]
    assert found["accepted"] == {"steps": 2, "error": compiled.golden.tolerance}
    assert 0 <= found["difference"]["error"] < 1e-5
    assert found["accuracy_board"] is None
    assert (exact["compared_with"], exact["equal"]) == ("cortex-m7", 6)
    assert exact["accepted"] == exact["difference"] == {"steps": 0, "error": 0.0}
