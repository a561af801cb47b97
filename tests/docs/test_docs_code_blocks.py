"""Every code block of README.md and docs/ does what it says."""

from __future__ import annotations

import pytest
from docs_pages import LANGUAGES, PAGES, Block, blocks_of, read
from docs_runner import PageRun, check_commands, check_output, check_python
from docs_user_data import prepare


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)])
def test_the_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    run = PageRun(tmp_path, prepare(page, tmp_path))
    for block in blocks_of(page):
        run.block(block)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page):
    for block in blocks_of(page):
        assert block.language in LANGUAGES, f"{block.where}: {block.language!r}"
    fences = sum(line.lstrip().startswith("```") for line in read(page).splitlines())
    assert fences == 2 * len(blocks_of(page)), f"{page}: a fence is open"


def broken(language: str, text: str) -> Block:
    return Block("made_up.md", 1, language, None, text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "assert False\n"),
        ("python", "# Not run here: needs a board\nx = (\n"),
        ("python", "# Not run here: needs a board\nscanlet.compil(model)\n"),
        ("sh", "false\n"),
        ("sh", "scanlet targets --colour\n"),
        ("sh", "# Not run here: needs a board\nscanlet compile m.pt2 -o d --tile 3\n"),
        ("sh", "# Not run here: needs a board\nmake everything\n"),
        ("sh", "# Not run here: needs a board\nidf flash\n"),
        ("output", "what nobody printed\n"),
        ("c", "int main(void) { return missing; }\n"),
    ],
)
def test_a_block_that_is_wrong_is_found(language, text, tmp_path):
    with pytest.raises((AssertionError, SyntaxError)):
        PageRun(tmp_path, {}).block(broken(language, text))


def test_blocks_that_are_right_pass(tmp_path):
    run = PageRun(tmp_path, {})
    for language, text in (
        ("python", "print('largest   error 0.5')\n"),
        ("output", "largest error ...\n"),
        ("sh", "mkdir one\ncd one\npwd\n"),
        ("output", f"{tmp_path}/one\n"),
        ("c", "int main(void) { return 0; }\n"),
    ):
        run.block(broken(language, text))
    check_commands(broken("sh", "# Not run here: W\nidf.py flash\nmake demo\nscanlet targets\n"))
    check_python(broken("python", "# Not run here: W\nscanlet.compile(model)\n"))
    check_output(broken("output", "b ... d\n"), "a\nb c d\n")
