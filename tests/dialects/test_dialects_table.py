"""Every cell of docs/dialects.md against the original implementation, and the page against them."""

from __future__ import annotations

import pytest
from dialect_rows import ROWS
from dialect_table import COLUMNS, NO, YES, cell, committed, table


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", [row.name for row in ROWS])
def test_a_dialect_computes_what_its_original_computes(row: str, column: str) -> None:
    assert cell(row, column)


def test_the_committed_table_is_what_passes() -> None:
    assert committed() == table(), "run `make dialect-table`"


def test_every_dialect_has_a_mixer_and_a_way_to_run_it() -> None:
    for row in ROWS:
        assert cell(row.name, "mixer") == YES
        assert cell(row.name, "both directions") == YES
        assert cell(row.name, "stream") == (NO if row.bidirectional else YES)
