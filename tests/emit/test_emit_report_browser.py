"""The report's page in a real browser: it shows, fits a phone, complains of nothing."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emit_report_cases import compile_layers
from PIL import Image

from scanlet.emit.report import report_html

DESKTOP, PHONE = (1280, 900), (390, 844)
FIGURES = {"captured", "lowered", "memory-timeline", "scratch-0", "scratch-1", "alternatives"}
INTEGER_FIGURES = {"quality", "confusion-classes", "instructions"}

#: What the page says about itself, told to the frame around it.
PROBE = """<script>
addEventListener("load", () => {
  const of = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.right, r.height]; };
  const root = document.documentElement;
  const found = {
    width: innerWidth, scroll: root.scrollWidth,
    figures: Object.fromEntries([...document.querySelectorAll("svg")].map((svg) => [svg.id, {
      box: of(svg), ink: svg.getBBox().width * svg.getBBox().height,
      texts: [...svg.querySelectorAll("text")].map((t) => t.getBoundingClientRect().height),
      outside: [...svg.querySelectorAll("text")].filter((t) => {
        const r = t.getBoundingClientRect();
        return r.left < -1 || r.right > root.clientWidth + 1;
      }).map((t) => t.textContent),
    }])),
  };
  parent.postMessage(JSON.stringify(found), "*");
});
</script>"""

#: The page in a frame as wide as a screen (a window has a least width), and what it told.
FRAME = """<!doctype html><body style="margin:0"><pre id="probe" style="display:none"></pre><script>
addEventListener("message", (m) => { document.getElementById("probe").textContent = m.data; });
</script><iframe src="page.html" style="border:0" width="{}" height="{}"></iframe></body>"""


def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    pytest.fail("no browser: install Debian's package `chromium` (make system-packages)")


def open_page(page: Path, size: tuple[int, int], *options: str) -> subprocess.CompletedProcess:
    """Run the browser on `page` without a window; fails if it says anything on the console."""
    command = [
        *(browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--enable-logging=stderr", "--virtual-time-budget=5000", "--disable-extensions"),
        *(f"--user-data-dir={page.parent / 'profile'}", f"--window-size={size[0]},{size[1]}"),
        *("--allow-file-access-from-files", *options, page.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    return done


def framed(page: bytes, folder: Path, size: tuple[int, int]) -> Path:
    (folder / "page.html").write_bytes(page)
    frame = folder / "frame.html"
    frame.write_text(FRAME.replace("{}", str(size[0]), 1).replace("{}", str(size[1]), 1))
    return frame


def probe(page: bytes, folder: Path, size: tuple[int, int]) -> dict[str, Any]:
    """What the browser says about the page on a screen of this size."""
    probed = page.replace(b"</body>", PROBE.encode() + b"</body>")
    dom = open_page(framed(probed, folder, size), DESKTOP, "--dump-dom").stdout
    match = re.search(r'<pre id="probe"[^>]*>(.*?)</pre>', dom, re.DOTALL)
    assert match is not None, dom[-2000:]
    return json.loads(html.unescape(match[1]))


def screenshot(page: bytes, folder: Path, size: tuple[int, int], *options: str) -> np.ndarray:
    """The page's pixels (height, width, 3) on a screen of this size."""
    picture = folder / "screen.png"
    window = (max(size[0], DESKTOP[0]), size[1])
    open_page(framed(page, folder, size), window, f"--screenshot={picture}", *options)
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB"))[: size[1], : size[0]]


@pytest.fixture(scope="module")
def integer_page() -> bytes:
    """Of an int8 model of two layers, with counts of two cores as if they had been made."""
    compiled = compile_layers(2, "int8")
    parts = ("in_proj", "conv", "x_proj", "dt", "scan", "gate", "out_proj", "rest", "library")
    for core in ("cortex-m7", "xtensa-fpu"):
        one = dict.fromkeys(
            ("loads", "stores", "ram_bytes", "stack_bytes", "text_bytes", "rodata_bytes"), 1000
        )
        one |= {"core": core, "compiler": "gcc", "fused": True, "tile": 4, "per_step": 100}
        counted = {part: 1000 * (i + 1) for i, part in enumerate(parts)}
        one |= {"parts": counted, "kernels": {}, "instructions": sum(counted.values())}
        compiled.report["measurements"].append(one)
    return report_html(compiled.report)


@pytest.fixture(scope="module")
def four_layers() -> dict[str, Any]:
    return compile_layers(4, steps=16).report


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_figure_is_drawn_and_nothing_is_wider_than_the_screen(integer_page, tmp_path, size):
    found = probe(integer_page, tmp_path, size)
    assert found["width"] == size[0]
    assert found["scroll"] <= size[0]
    figures = found["figures"]
    assert set(figures) >= FIGURES | INTEGER_FIGURES
    for name, one in figures.items():
        left, right, height = one["box"]
        assert left >= 0, name
        assert right <= size[0], name
        assert height > 20, name
        assert one["ink"] > 1000, name
        assert one["texts"], name
        assert min(one["texts"]) > 6, name  # pixels from top to bottom: can be read on a phone
        assert one["outside"] == [], name


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_screenshot_shows_text_and_colours(integer_page, tmp_path, size):
    picture = screenshot(integer_page, tmp_path, (size[0], 6000))
    assert picture.shape == (6000, size[0], 3)
    white = (picture == 255).all(axis=2).mean()
    assert 0.5 < white < 0.97
    for colour in ((0x44, 0x77, 0xAA), (0xEE, 0x66, 0x77), (0xCC, 0xBB, 0x44)):
        assert (picture == colour).all(axis=2).sum() > 200, colour


def test_on_a_dark_screen_paper_is_dark_and_ink_is_light(integer_page, tmp_path):
    picture = screenshot(integer_page, tmp_path, DESKTOP, "--blink-settings=preferredColorScheme=0")
    brightness = picture.mean(axis=2)
    assert np.median(brightness) < 60
    assert (brightness > 200).sum() > 2000


def test_a_report_of_four_layers_is_small(four_layers):
    assert len(report_html(four_layers)) < 2_000_000


def test_figures_have_a_title_a_description_and_ids_of_their_own(integer_page):
    text = integer_page.decode()
    drawn = re.findall(r"<svg [^>]*>", text)
    assert len(drawn) == len(FIGURES | INTEGER_FIGURES)
    for tag in drawn:
        assert 'role="img"' in tag
        labelled = re.search(r'aria-labelledby="(\S+) (\S+)"', tag)
        assert labelled is not None
        for name in labelled.groups():
            match = re.search(rf'<(title|desc) id="{name}">(.+?)</\1>', text, re.DOTALL)
            assert match is not None
            assert len(match[2]) > 8
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_the_same_report_gives_the_same_bytes(four_layers):
    assert report_html(four_layers) == report_html(json.loads(json.dumps(four_layers)))
