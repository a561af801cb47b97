"""Size of a report, and the time to render and to open it: python -m examples.benchmark.report."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import scanlet
from examples.benchmark.networks import console
from scanlet.nn import MambaMixer

LAYERS = 4
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Written into the page once everything in it has been loaded and laid out.
STOPWATCH = b"""<script>addEventListener("load", () => { document.body.offsetHeight;
document.title = "opened in " + performance.now().toFixed(1) + " ms"; });</script></body>"""


class Layers(nn.Module):
    """Linear, residual pre-norm mixers, mean over time, Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(9, 32)
        self.norms = nn.ModuleList(nn.RMSNorm(32) for _ in range(LAYERS))
        self.mixers = nn.ModuleList(MambaMixer(32, d_state=8) for _ in range(LAYERS))
        self.head = nn.Linear(32, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for norm, mixer in zip(self.norms, self.mixers, strict=True):
            x = x + mixer(norm(x))
        return self.head(x.mean(dim=1))


def opening_milliseconds(page: Path) -> float | None:
    """Until the page is loaded and laid out in a headless browser; None where there is none."""
    browser = next((name for name in BROWSERS if shutil.which(name)), None)
    if browser is None:
        return None
    timed = page.with_name("timed.html")
    timed.write_bytes(page.read_bytes().replace(b"</body>", STOPWATCH))
    command = [
        *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", f"--user-data-dir={page.parent / 'profile'}"),
        *("--dump-dom", timed.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r"<title>opened in ([\d.]+) ms", done.stdout)
    return float(match[1]) if match else None


def report_figures() -> dict[str, Any]:
    """Of a float32 network of LAYERS layers, compiled for an ESP32-S3."""
    torch.manual_seed(0)
    compiled = scanlet.compile(Layers().eval(), torch.randn(1, 24, 9), progress=False)
    with tempfile.TemporaryDirectory() as folder:
        compiled.save(folder)
        page = Path(folder) / "report.html"
        started = time.perf_counter()
        command = [sys.executable, "-m", "scanlet.cli", "report", folder]
        subprocess.run(command, check=True, capture_output=True)
        rendered = time.perf_counter() - started
        figures = {"layers": LAYERS, "bytes": page.stat().st_size, "rendered_s": rendered}
        return figures | {"opened_ms": opening_milliseconds(page)}


def print_report_figures() -> dict[str, Any]:
    """Wall-clock times are of this machine, as busy as it was."""
    figures = report_figures()
    opened = figures["opened_ms"]
    console.print(
        f"report.html of {figures['layers']} layers: {figures['bytes']:,} bytes, rendered by "
        f"`scanlet report` in {figures['rendered_s']:.1f} s (the start of Python included), "
        + ("not opened: no browser" if opened is None else f"opened in {opened:.0f} ms")
    )
    return {"report": figures}


if __name__ == "__main__":
    print_report_figures()
