"""The integer table of `make bench`: its bars, on one core; the command measures all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from examples.benchmark import integers
from examples.benchmark.networks import compile_network

CORE = "cortex-m7"


@pytest.mark.parametrize("name", ["HAR 10x57", "KWS 100x40"])
def test_int8_costs_what_was_asked_for_and_less_than_float32(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table_row: Callable[[str, str], list[str]],
) -> None:
    monkeypatch.setattr(integers, "CORES", (CORE,))
    float32 = compile_network(name).measure(on=CORE)
    fast, small = integers.integer_cost_by_core(name, [float32])
    bars = integers.BARS[name]
    assert fast["instructions"] <= bars.instructions[CORE]
    assert fast["instructions"] < float32["instructions"] == fast["float32_instructions"]
    assert small["ram_bytes"] <= small["memory_limit"] == bars.ram
    assert fast["flatbuffer_bytes"] <= bars.flatbuffer
    printed = capsys.readouterr().out
    row = table_row(printed, CORE)
    assert row[1] == f"{fast['instructions']:,}"
    assert row[4] == f"<= {bars.instructions[CORE]:,}: met"
    assert f"<= {bars.ram:,}: met" in printed
    assert "NOT MET" not in printed
