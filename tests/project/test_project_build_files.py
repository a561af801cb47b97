"""What ESP-IDF reads: manifest, options, partitions, CMake."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

import esp_kconfiglib.core as kconfiglib
import pytest
from idf_component_tools.manager import ManifestManager

from scanlet.emit.project import ProjectSpec, render_project
from scanlet.targets import find

CHIPS = ("esp32", "esp32c3", "esp32s3")
KCONFIG = Path(__file__).with_name("Kconfig")


def render_for(spec: ProjectSpec, target: str) -> dict[str, bytes]:
    return render_project(dataclasses.replace(spec, target=find(target)))


@pytest.fixture(params=CHIPS)
def chip_files(request: pytest.FixtureRequest, spec: ProjectSpec) -> dict[str, bytes]:
    return render_for(spec, request.param)


def load_options(
    chip: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> kconfiglib.Kconfig:
    monkeypatch.setenv("IDF_TARGET", chip)
    (tmp_path / "sdkconfig.defaults").write_text(text)
    options = kconfiglib.Kconfig(str(KCONFIG), print_report=False)
    options.load_config(str(tmp_path / "sdkconfig.defaults"))
    return options


@pytest.mark.parametrize("chip", CHIPS)
def test_only_options_that_exist_are_set_and_take_their_values(spec, tmp_path, monkeypatch, chip):
    text = render_for(spec, chip)["sdkconfig.defaults"].decode()
    # Suggested options, in comments, exist as well.
    active = re.sub(r"(?m)^# (?=CONFIG_)", "", text)
    options = load_options(chip, active, tmp_path, monkeypatch)
    assert options.missing_syms == []
    assigned = dict(re.findall(r'(?m)^CONFIG_(\w+)="?([^"\n]*)"?$', active))
    assert len(assigned) >= 9
    assert {name: options.syms[name].str_value for name in assigned} == assigned


def test_an_option_that_does_not_exist_would_be_noticed(tmp_path, monkeypatch):
    options = load_options("esp32", "CONFIG_FLASHMODE_QIO=y\n", tmp_path, monkeypatch)
    assert options.missing_syms == [("FLASHMODE_QIO", "y")]


def test_an_option_that_the_chip_does_not_have_would_be_noticed(tmp_path, monkeypatch):
    text = "CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_240=y\n"
    for chip, value in (("esp32c3", "n"), ("esp32s3", "y")):
        options = load_options(chip, text, tmp_path, monkeypatch)
        assert options.syms["ESP_DEFAULT_CPU_FREQ_MHZ_240"].str_value == value


def test_the_chip_runs_at_full_speed_and_optimized(spec):
    for chip, frequency in (("esp32s3", 240), ("esp32", 240), ("esp32c3", 160)):
        files = render_for(spec, chip)
        options = files["sdkconfig.defaults"].decode().splitlines()
        assert f"CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_{frequency}=y" in options
        assert "CONFIG_COMPILER_OPTIMIZATION_PERF=y" in options


def load_manifest(text: bytes, folder: Path) -> ManifestManager:
    (folder / "idf_component.yml").write_bytes(text)
    return ManifestManager(folder, "main")


def test_the_manifest_is_valid_and_pins_exact_versions(chip_files, tmp_path):
    manager = load_manifest(chip_files["main/idf_component.yml"], tmp_path).validate()
    assert manager.manifest is not None
    versions = {item.name: item.version_spec for item in manager.manifest.requirements}
    assert versions == {
        "idf": ">=5.1",
        "espressif/esp-tflite-micro": "==1.4.0",
        "espressif/esp-nn": "==1.1.2",
    }


def test_a_manifest_with_a_wrong_version_would_be_noticed(spec, tmp_path):
    text = render_project(spec)["main/idf_component.yml"].replace(b"==1.4.0", b"=!1.4")
    assert load_manifest(text, tmp_path).validate().manifest is None


def test_the_partitions_fit_the_flash_and_do_not_overlap(chip_files):
    lines = [line for line in chip_files["partitions.csv"].decode().splitlines() if line[0] != "#"]
    end = 0x9000  # the bootloader and the table itself come before
    names = []
    for name, kind, _, offset, size in csv.reader(lines, skipinitialspace=True):
        assert int(offset, 16) >= end
        if kind == "app":
            assert int(offset, 16) % 0x10000 == 0
            assert int(size, 16) > 3 * 1024 * 1024  # the largest flatbuffer that compiles
        end = int(offset, 16) + int(size, 16)
        names.append(name)
    assert "factory" in names
    assert end <= 4 * 1024 * 1024


def test_cmake_names_every_source_and_no_other(files):
    main = files["main/CMakeLists.txt"].decode()
    listed = set(re.findall(r"[^\s*]+\.cc?\b", main))
    present = {path[5:] for path in files if re.fullmatch(r"main/.+\.cc?", path)}
    present |= {f"../{path}" for path in files if re.fullmatch(r"model/\w+\.cc", path)}
    assert listed == present
    component = "components/selective_ssm/"
    (sources,) = re.findall(r"set\(sources(.*)\)", files[component + "CMakeLists.txt"].decode())
    compiled = {path for path in files if path.startswith(component) and path[-2:] in (".c", "cc")}
    assert {component + name for name in sources.split()} == compiled


@pytest.mark.parametrize(
    ("target", "fused"), [("esp32s3", 1), ("esp32c3", 0), ("stm32h7", 1), ("generic", 0)]
)
def test_multiply_adds_are_fused_where_the_core_has_the_instruction(spec, target, fused):
    files = render_for(spec, target)
    text = files["components/selective_ssm/CMakeLists.txt"].decode()
    assert f"SCANLET_FUSED_MADD={fused})" in text
    assert "-ffp-contract=off" in text
