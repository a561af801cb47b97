"""At the end of a run: what each layer of tests took, beside its budget in layer_budgets.toml."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tomllib

HERE = Path(__file__).parent


def budgets() -> dict[str, int]:
    """Seconds that each folder of tests may take, summed over the processes that run them."""
    with (HERE / "layer_budgets.toml").open("rb") as file:
        return tomllib.load(file)["seconds"]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    taken: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            parts = getattr(report, "nodeid", "").split("/")
            if len(parts) > 2 and parts[0] == "tests" and hasattr(report, "duration"):
                taken[parts[1]] += report.duration
    if config.option.verbose < 0 or not taken:
        return
    limits = budgets()
    terminalreporter.section("seconds of each layer, and its budget")
    for layer, seconds in sorted(taken.items(), key=lambda item: -item[1]):
        limit = limits[layer]
        over = "   over its budget" if seconds > limit else ""
        terminalreporter.line(f"{layer:16} {seconds:7.0f} {limit:7}{over}")
    terminalreporter.line(f"{'all':16} {sum(taken.values()):7.0f} {sum(limits.values()):7}")
