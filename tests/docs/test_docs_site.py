"""The site builds without a warning, and what the pages name exists."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import typer
from docs_pages import CHECKOUT, PAGES, prose_of
from docs_runner import check_command

import scanlet
from scanlet.cli import app

#: `code` in prose, and [text](target).
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
#: Keywords of code bases that scanlet reads, and of code blocks.
FOREIGN = {"bimamba_type", "title"}
ROOMS = ("compiler", "templates", "tflm_ops", "esp32_app", "examples", "tests", "docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=CHECKOUT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return target


def test_the_site_builds_strictly_with_every_page(site):
    for page in PAGES[1:]:
        html = site / Path(page).relative_to("docs").with_suffix(".html")
        assert "<h1" in html.read_text(encoding="utf-8"), page


def test_the_figures_are_those_of_the_readme(site):
    html = (site / "figures.html").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(cortex-[a-z0-9]+)` \| ([\d,]{6,})", (CHECKOUT / "README.md").read_text(), re.M
    )
    assert len(rows) >= 3
    assert all(core in html and figure in html for core, figure in rows)


def test_the_site_loads_nothing_from_elsewhere(site):
    loaded = (
        r"""<(script|img|iframe)[^>]+src="(https?:|//)|<link[^>]+stylesheet[^>]+"(https?:|//)"""
    )
    for html in site.rglob("*.html"):
        assert not re.search(loaded, html.read_text(encoding="utf-8")), html.name


def anchors_of(file: Path) -> set[str]:
    """Of a page's headings, as both GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(str(file.relative_to(CHECKOUT))), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in LINK.findall(prose_of(page)):
        if "://" in target:
            parts = urlparse(target)
            assert parts.scheme == "https", f"{page}: {target}"
            assert "." in parts.netloc, f"{page}: {target}"
        else:
            name, _, anchor = target.partition("#")
            file = (CHECKOUT / page).parent / name if name else CHECKOUT / page
            assert file.is_file(), f"{page}: {target}"
            assert not anchor or anchor in anchors_of(file), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_named_in_the_text_exist(page):
    for code in CODE.findall(prose_of(page)):
        if code.split("/")[0] in ROOMS and "/" in code and not set(" <{*(") & set(code):
            assert (CHECKOUT / code).exists(), f"{page}: {code}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_named_in_the_text_exist(page):
    for code in CODE.findall(prose_of(page)):
        if code.startswith(("make ", "python -m ")):
            check_command(page, code)


def command_options() -> set[str]:
    return options_of(typer.main.get_command(app)) | {"--help"}


def options_of(command: Any) -> set[str]:
    """Of a command, and of those in it where it is a group."""
    found = {name for parameter in command.params for name in parameter.opts}
    return found.union(*(options_of(one) for one in getattr(command, "commands", {}).values()))


def parameters() -> set[str]:
    functions = (
        *(scanlet.compile, scanlet.load, scanlet.open),
        *(scanlet.Compiled.run, scanlet.Compiled.measure, scanlet.Compiled.save),
    )
    names = {name for function in functions for name in inspect.signature(function).parameters}
    return names | FOREIGN


@pytest.mark.parametrize("page", PAGES)
def test_options_named_in_the_text_exist(page):
    options, keywords = command_options(), parameters()
    for code in CODE.findall(prose_of(page)):
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code):
            if not code.startswith(("make ", "python ", "idf.py ", "gcc ", "cmake ", "pip ")):
                assert option in options, f"{page}: {code}"
        if keyword := re.fullmatch(r"([a-z_]+)=.*", code):
            assert keyword[1] in keywords, f"{page}: {code}"
