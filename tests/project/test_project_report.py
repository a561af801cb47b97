"""The report: complete JSON, and a page of its own that holds whatever is put in."""

from __future__ import annotations

import copy
import json
from html.parser import HTMLParser
from typing import Any

import pytest

from scanlet.emit.report import report_html, report_json

KEYS = [
    *("schema_version", "generator", "model", "target", "precision", "mode", "operators"),
    *("multiply_accumulates", "sizes", "arena", "plan", "layers", "mixers", "verification"),
    *("golden", "warnings", "memory", "alternatives", "graphs", "classes", "evaluation"),
    *("quantization", "steps", "expected", "measurements", "reproduce"),
]
HOSTILE = """<script>alert("&amp;'x'")</script>"""
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that tags nest; gathers the text, the tags, and what would be loaded."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data


@pytest.fixture
def report(spec) -> dict[str, Any]:
    return copy.deepcopy(dict(spec.report))


def test_the_json_has_its_documented_keys_and_reads_back(report):
    written = json.loads(report_json(report))
    assert set(KEYS) <= set(written)
    assert written["schema_version"] == 1
    assert written == report


def test_a_number_that_json_does_not_have_is_refused(report):
    report["verification"]["max_error"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        report_json(report)


def test_the_page_shows_model_target_sizes_errors_and_memory(report):
    text = Page(report_html(report)).text
    for shown in (
        report["model"]["name"],
        report["target"]["description"],
        *report["model"]["labels"],
        f"{report['sizes']['flatbuffer_bytes']:,} bytes",
        f"{report['arena']['needed_bytes']:,} bytes needed",
        "SELECTIVE_SSM (generated)",
        "FULLY_CONNECTED",
        f"{report['verification']['max_error']:.3g}",
        report["mixers"][0]["path"],
        *(buffer["name"] for buffer in report["layers"][0]["scratch"]),
    ):
        assert shown in text


def test_the_page_loads_nothing_and_runs_nothing(report):
    page = report_html(report)
    for tag, attributes in Page(page).tags:
        assert tag not in ("script", "link", "img", "iframe")
        assert not {"src", "href", "onclick", "onload"} & set(attributes)
        assert attributes.get("xlink:href", "#").startswith("#")  # shapes of the same figure
    assert b"url(" not in page
    assert b"@import" not in page


def test_names_are_text_and_never_markup(report):
    report["model"]["name"] = HOSTILE
    report["model"]["labels"] = [HOSTILE] * 3
    report["warnings"] = [HOSTILE]
    report["mixers"][0]["path"] = HOSTILE
    report["layers"][0]["name"] = HOSTILE
    report["operators"][0]["name"] = HOSTILE
    page = Page(report_html(report))
    assert all(tag != "script" for tag, _ in page.tags)
    # title, heading, label, warning, mixer, operator; a layer in headings and in figures' titles
    assert page.text.count(HOSTILE) >= 8


def test_a_model_without_mixers_labels_or_agreement_still_gets_a_page(report):
    report |= {"layers": [], "mixers": [], "operators": [], "classes": None, "expected": []}
    report["graphs"] = {"captured": [], "lowered": []}
    report["alternatives"] = report["alternatives"][:1]
    report["model"]["labels"] = []
    report["verification"]["label_agreement"] = None
    text = Page(report_html(report)).text
    assert "label agreement" not in text
    assert "classes" not in text


def test_warnings_and_estimates_are_said(report):
    report["warnings"] = ["not verified: no interpreter"]
    report["arena"]["recorded"] = False
    text = Page(report_html(report)).text
    assert "not verified: no interpreter" in text
    assert "estimated" in text
