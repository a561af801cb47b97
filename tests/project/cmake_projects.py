"""Compiles small models, saves their CMake projects, builds them and runs what was built."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

import scanlet
from scanlet.compiled import Compiled
from scanlet.execution.emulation import elf
from scanlet.nn import MambaMixer

FEATURES = 8
LABELS = ("Walk", 'Fährt "Rad"', "Stand still")
QEMU = (
    *("qemu-system-arm", "-M", "mps2-an500", "-display", "none", "-monitor", "none"),
    *("-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel"),
)


class Classifier(nn.Module):
    """Pools over time where it sees the whole sequence; scores each step of a stream."""

    def __init__(self, mode: str, layers: int) -> None:
        super().__init__()
        mixers = [MambaMixer(FEATURES, d_state=4, d_conv=4) for _ in range(layers)]
        self.mixer = nn.Sequential(*mixers)
        self.head = nn.Linear(FEATURES, 3)
        self.pools = mode == "sequence"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.mixer(x)
        return self.head(y.mean(dim=1).relu() if self.pools else y[:, -1])


def compile_model(
    target: str,
    precision: str = "float32",
    mode: str = "sequence",
    *,
    length: int = 12,
    layers: int = 1,
) -> Compiled:
    """The classifier with weights that make its outputs differ between samples."""
    torch.manual_seed(5)
    model = Classifier(mode, layers).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0)
    samples = [2.0 * torch.randn(1, length, FEATURES) for _ in range(8)]
    return scanlet.compile(
        model,
        samples[0],
        target=target,
        precision=precision,
        mode=mode,
        calibration_data=samples,
        name="gestures",
        labels=LABELS,
        progress=False,
    )


def command(*words: str | Path, cwd: Path | None = None) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cmake_build(project: Path, board: str | None = None, *options: str) -> Path:
    """Configure and build without a warning; the folder of the build."""
    folder = project / "build" / (board or "here")
    choice = [f"-DSCANLET_BOARD={board}"] if board else []
    strict = "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"
    said = command("cmake", "-S", project, "-B", folder, strict, *choice, *options)
    said += command("cmake", "--build", folder, "-j2")
    assert "warning" not in said.lower(), said
    return folder


def run(*words: str | Path) -> tuple[int, list[str]]:
    """Exit status and lines of a self-test program."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.decode().splitlines()


def run_emulated(build: Path) -> tuple[int, list[str]]:
    return run(*QEMU, build / "gestures.elf")


def verdicts(lines: Sequence[str]) -> list[str]:
    """PASS or FAIL of each sample, then of all."""
    return [found[1] for line in lines if (found := re.match(r"self-test.*: (PASS|FAIL)\b", line))]


def corrupt_golden_output(project: Path, sample: int) -> None:
    """Change the first expected value of a sample by far more than is accepted."""
    path = project / "self_test" / "golden.c"
    text = path.read_text("utf-8")
    begin = text.index("{\n", text.index(f" output{sample}_0[")) + 2
    value = re.match(r"\s*([^,\s]+)", text[begin:])
    assert value is not None
    if value[1].endswith("f"):
        changed = f"{float(value[1][:-1]) + 1.0:.6f}f"
    else:
        changed = str(int(value[1]) + (5 if int(value[1]) < 0 else -5))
    path.write_text(text[: begin + value.start(1)] + changed + text[begin + value.end(1) :])


def image_of(build: Path) -> elf.Image:
    return elf.read(build / "gestures.elf", thumb=True)
