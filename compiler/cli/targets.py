"""`scanlet targets`."""

from __future__ import annotations

import json
from dataclasses import asdict

from scanlet.cli.options import Json
from scanlet.targets import ALL


def targets(as_json: Json = False) -> None:
    """List the targets."""
    if as_json:
        print(json.dumps({name: asdict(target) for name, target in ALL.items()}, indent=2))
        return
    from scanlet.tables import print_targets

    print_targets()
