"""Where data lies that this repository may not hold: --data, SCANLET_DATA, or ../shared/data."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def data_folder(given: str | None, where_from: str) -> Path:
    """The folder with the data; leaves the program with `where_from` if there is none."""
    chosen = given or os.environ.get("SCANLET_DATA")
    folder = Path(chosen) if chosen else CHECKOUT.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    problem = f"{folder} is not a folder." if chosen else "No data: give --data or SCANLET_DATA."
    raise SystemExit(f"{problem}\n{where_from}")
