"""What the project tests share: a compiled model, and small programs built from C++ sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from project_device import CXX_FLAGS, SANITIZERS, run_compiler
from project_models import Classifier

import scanlet
from scanlet.emit.project import ProjectSpec, render_project
from scanlet.project_files import _project_spec
from scanlet.resources import resource_dir

HERE = Path(__file__).parent


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
    """Builds a program from sources here, in esp32_app/ and in templates/, with sanitizers."""

    def build(*sources: str) -> Path:
        folders = (HERE, resource_dir("esp32_app"), resource_dir("templates"))
        found = [next(f / s for f in folders if (f / s).is_file()) for s in sources]
        program = tmp_path_factory.mktemp("program") / "program"
        headers = [f"-I{folder}" for folder in (*folders[1:], HERE / "stubs")]
        objects = []
        for source in found:
            objects.append(program.with_name(f"{source.stem}.o"))
            language = ["gcc", "-std=c11"] if source.suffix == ".c" else ["g++", *CXX_FLAGS]
            run_compiler([*language, *SANITIZERS, *headers, "-c", source, "-o", objects[-1]])
        run_compiler(["g++", *SANITIZERS, *objects, "-o", program])
        return program

    return build
