"""A built wheel is complete, and works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

RESOURCES = ("templates", "tflm_ops", "esp32_app")


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves folders beside the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "compiler", *RESOURCES):
        subprocess.run(["cp", "-r", str(checkout / name), str(source)], check=True)
    target = tmp_path_factory.mktemp("wheel")
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(target), str(source)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_python(folder: Path, *arguments: str) -> str:
    """Run Python with the folder before everything else; the checkout's install is not seen."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_wheel_holds_every_source_and_resource(checkout: Path, installed: Path) -> None:
    expected = {
        path.relative_to(checkout / "compiler")
        for path in (checkout / "compiler").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    for name in RESOURCES:
        expected |= {
            path.relative_to(checkout)
            for path in (checkout / name).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.name != ".keep"
        }
    packaged = {path.relative_to(installed / "scanlet") for path in installed.rglob("scanlet/**/*")}
    assert sorted(expected - packaged) == []
    assert all((installed / "scanlet" / name).is_dir() for name in RESOURCES)


def test_the_wheel_carries_licence_and_types_marker(installed: Path) -> None:
    (licence,) = installed.glob("scanlet-*.dist-info/licenses/LICENSE")
    assert "Apache License" in licence.read_text(encoding="utf-8")
    assert (installed / "scanlet" / "py.typed").is_file()


def test_the_wheel_finds_its_own_resources(installed: Path) -> None:
    code = (
        "import scanlet, scanlet.resources as r;"
        "print(scanlet.__file__);"
        f"print(*[r.resource_dir(n) for n in {RESOURCES!r}], sep='\\n')"
    )
    package, *resources = run_python(installed, "-c", code).splitlines()
    assert Path(package) == installed / "scanlet" / "__init__.py"
    assert [Path(line) for line in resources] == [installed / "scanlet" / n for n in RESOURCES]


def test_importing_scanlet_does_not_import_torch(installed: Path) -> None:
    output = run_python(installed, "-c", "import sys, scanlet; print('torch' in sys.modules)")
    assert output.strip() == "False"


def test_the_command_explains_itself(installed: Path) -> None:
    output = run_python(installed, "-m", "scanlet.cli", "--help")
    for command in ("compile", "run", "verify", "inspect", "targets"):
        assert command in output
    (entry_points,) = installed.glob("scanlet-*.dist-info/entry_points.txt")
    assert "scanlet = scanlet.cli:main" in entry_points.read_text(encoding="utf-8")
