"""What the project tests share: a compiled model, and small programs built from C++ sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from project_device import CXX_FLAGS, SANITIZERS, run_compiler
from torch import nn

import scanlet
from scanlet.emit.project import ProjectSpec, render_project
from scanlet.nn import MambaMixer
from scanlet.project_files import _project_spec
from scanlet.resources import resource_dir

HERE = Path(__file__).parent


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixer = MambaMixer(4, d_state=4, d_conv=3)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(x).mean(dim=1).relu())


def compile_spec(name: str, seed: int) -> ProjectSpec:
    torch.manual_seed(seed)
    compiled = scanlet.compile(
        Classifier().eval(),
        torch.zeros(1, 6, 4),
        name=name,
        labels=["Walk", 'Fährt "Rad"', "Stand still"],
        progress=False,
    )
    return _project_spec(compiled)


@pytest.fixture(scope="session")
def spec() -> ProjectSpec:
    """SELECTIVE_SSM and builtin operators, three golden samples, for esp32s3."""
    return compile_spec("gestures", 3)


@pytest.fixture(scope="session")
def second_spec() -> ProjectSpec:
    """The same network with other weights and another name."""
    return compile_spec("words", 4)


@pytest.fixture(scope="session")
def files(spec: ProjectSpec) -> dict[str, bytes]:
    return render_project(spec)


@pytest.fixture(scope="session")
def build_program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a program from sources in this folder and in esp32_app/, with sanitizers."""

    def build(*sources: str) -> Path:
        application = resource_dir("esp32_app")
        paths = [HERE / s if (HERE / s).is_file() else application / s for s in sources]
        program = tmp_path_factory.mktemp("program") / "program"
        headers = (f"-I{application}", f"-I{HERE / 'stubs'}")
        run_compiler(["g++", *CXX_FLAGS, *SANITIZERS, *headers, *paths, "-o", program])
        return program

    return build
